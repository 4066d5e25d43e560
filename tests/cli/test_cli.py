"""The command line as a user meets it."""

import json
import os
import subprocess
import sys

import pytest

TEXT = "The river rises in the hills of {0} and runs for {1} miles past the town of {2}. "


def seedbed(*arguments, cwd, expect=0, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "seedbed.cli.main", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200", **environment},
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done


def test_frozen_surface(tmp_path):
    """A change here is a change for users: it belongs in the changelog."""
    import typer

    import seedbed as package
    from seedbed.cli.main import app

    def walk(group, prefix=""):
        for name, command in group.commands.items():
            yield prefix + name, sorted(option for parameter in command.params for option in parameter.opts)
            if hasattr(command, "commands"):
                yield from walk(command, f"{name} ")

    surface = dict(walk(typer.main.get_command(app)))
    assert surface == {
        "new": ["--force", "--goal", "--out", "--size", "folder"],
        "plan": ["--json", "--runs", "overrides", "recipe"],
        "run": ["--engine", "--only", "--rebuild", "--runs", "overrides", "recipe"],
        "compare": ["--arm", "--equal", "--jobs", "--metric", "--plan", "--runs", "--seeds", "file", "overrides"],
        "check": ["--changed", "--jobs", "--plan", "--quick", "--record", "--runs", "studies"],
        "search": ["--evaluations", "--json", "--runs", "--seed", "file", "overrides"],
        "papers": ["--family", "--json", "--modality", "--status"],
        "papers search": ["--json", "--limit", "query"],
        "papers show": ["--json", "paper"],
        "corpus": [],
        "corpus explain": ["--find", "--json", "corpus", "id"],
        "corpus why": ["--json", "corpus", "id1", "id2"],
        "inspect": [],
        "inspect batch": ["--json", "--row", "run", "step"],
        "lexicon": [
            "--candidates",
            "--fields",
            "--json",
            "--methods",
            "--neighbors",
            "--pairs",
            "--reverse",
            "--runs",
            "--seed",
            "--test-share",
            "--words",
            "dictionary",
            "source",
            "target",
        ],
        "regimes": ["--barrier", "--hotter", "--json", "--similar", "result"],
        "report": ["--open", "--out", "path"],
        "list": ["--cost", "registry"],
        "show": ["name", "registry"],
        "export": ["artifact", "target"],
        "branch": ["--budget", "--name", "--schedule", "overrides", "run"],
        "suggest": [
            "--fit",
            "--flops",
            "--json",
            "--law",
            "--length",
            "--metric",
            "--parameters",
            "--runs",
            "--sweep",
            "--tokens",
            "what",
        ],
        "doctor": ["--runs", "--verify"],
    }
    assert package.__all__ == [
        "Corpus",
        "InputError",
        "Model",
        "Scores",
        "Tokenizer",
        "Tokens",
        "build_corpus",
        "evaluate",
        "load_recipe",
        "pretrain",
        "run_recipe",
        "tokenize",
        "train_scorer",
        "train_tokenizer",
        "workspace",
    ]


def test_help_and_imports_take_little(tmp_path):
    seedbed("--help", cwd=tmp_path)
    assert seedbed("--version", cwd=tmp_path).stdout.startswith("seedbed ")
    code = (
        "import sys, seedbed, seedbed.cli.main; print([m for m in ('torch', 'daft', 'tokenizers') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_every_method_can_be_listed_and_shown(tmp_path):
    from seedbed import registries

    listing = seedbed("list", cwd=tmp_path).stdout
    for name in registries.names():
        assert name in listing
    assert "mlm" in seedbed("list", "objectives", cwd=tmp_path).stdout
    shown = seedbed("show", "objective", "mlm", cwd=tmp_path).stdout
    assert "rate" in shown and "280" in shown


def test_no_method_imports_torch_to_be_listed():
    code = (
        "import sys; from seedbed import registries\n"
        "for name in registries.names(): registries.registry(name).load()\n"
        "print([m for m in ('torch', 'daft', 'transformers', 'tokenizers') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "objective", "mml"], "did you mean 'mlm'"),
        (["list", "objctives"], "did you mean 'objectives'"),
        (["run", "nowhere.yaml"], "no such recipe"),
        (["new", "nowhere"], "no such folder"),
        (["export", "nowhere", "out"], "no such folder"),
        (["lexicon", "nowhere.vec", "there.vec", "pairs.tsv"], "SOURCE: no file has this path"),
    ],
)
def test_mistakes_are_one_message_and_exit_code_2(tmp_path, arguments, words):
    done = seedbed(*arguments, cwd=tmp_path, expect=2)
    assert words in done.stderr and "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A new user's way: a folder of text, `new`, `plan`, `run`."""
    home = tmp_path_factory.mktemp("user")
    (home / "texts").mkdir()
    names = ["Arden", "Bexley", "Corran", "Dunmore", "Elswick", "Farrow", "Glenholm", "Harrow"]
    for i in range(60):
        lines = [TEXT.format(names[(i + k) % 8], 3 + (i * k) % 90, names[(3 * i + k) % 8]) for k in range(12)]
        (home / "texts" / f"{i:03}.txt").write_text("".join(lines) + f"Note {i * 7919}.\n")
    small = [
        "vocabulary.train_tokenizer.size=300",
        "encoder.pretrain.model={encoder: {layers: 1, width: 32, heads: 2}}",
        "encoder.pretrain.budget=20k tokens",
        "encoder.pretrain.batch_tokens=1024",
        "corpus.build_corpus.curate=[normalize, exact_duplicates]",
    ]
    seedbed("new", "texts", "--goal", "encoder", cwd=home)
    planned = json.loads(seedbed("plan", "texts-encoder.yaml", *small, "--json", cwd=home).stdout)
    done = seedbed("run", "texts-encoder.yaml", *small, cwd=home)
    return home, small, planned, done


def test_new_plan_run_end_to_end(finished):
    home, small, planned, done = finished
    assert {row["status"] for row in planned} == {"to run"}
    names = [row["name"] for row in planned]
    assert names[:2] == ["corpus", "vocabulary"] and names[-2:] == ["encoder", "scores"]
    training = next(row for row in planned if row["name"] == "encoder")
    assert training["tokens"] == pytest.approx(20_000, rel=0.1) and training["parameters"] > 0 and training["flops"] > 0
    assert "masked_accuracy" in done.stdout and "untrained" in done.stdout
    scores = json.loads((home / "runs" / "texts-encoder" / "scores" / "summary.json").read_text())
    assert scores
    again = json.loads(seedbed("plan", "texts-encoder.yaml", *small, "--json", cwd=home).stdout)
    assert {row["status"] for row in again} == {"there"}


def test_export_leaves_plain_folders(finished):
    home = finished[0]
    for step in ("corpus", "vocabulary", "encoder", "scores"):
        seedbed("export", f"runs/texts-encoder/{step}", f"out-{step}", cwd=home)
    assert (home / "out-corpus" / "train.jsonl.zst").is_file()
    assert (home / "out-scores" / "scores.csv").read_text().startswith('"task"')
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    model = AutoModelForMaskedLM.from_pretrained(home / "out-encoder")
    tokens = AutoTokenizer.from_pretrained(home / "out-encoder")("The river rises", return_tensors="pt")
    assert model(**tokens).logits.shape[-1] == model.config.vocab_size > 100
    seedbed("export", "runs/texts-encoder/encoder", "out-encoder", cwd=home, expect=2)


def test_doctor_tells_of_damage(finished, tmp_path):
    import shutil

    home = finished[0]
    assert "0 damaged" in seedbed("doctor", "--verify", cwd=home).stdout
    shutil.copytree(home / "runs", tmp_path / "runs", symlinks=True)
    victim = next((tmp_path / "runs" / "store").glob("pretrain-*/model.safetensors"))
    content = bytearray(victim.read_bytes())
    content[-1] ^= 1
    victim.write_bytes(bytes(content))
    done = seedbed("doctor", "--verify", cwd=tmp_path, expect=1)
    assert "model.safetensors has other contents" in done.stdout


def test_a_wrong_key_is_found_before_anything_runs(finished):
    home, small, *_ = finished
    done = seedbed("run", "texts-encoder.yaml", *small, "encoder.pretrain.objective.mlm.rat=0.2", cwd=home, expect=2)
    assert "encoder.pretrain.objective.mlm.rat" in done.stderr and "did you mean 'rate'" in done.stderr


def test_two_processes_train_what_one_does(finished):
    """The same recipe under torchrun: one process makes the corpus, both train, losses are equal but for rounding."""
    home, small, *_ = finished
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29617"]
    command += ["-m", "seedbed.cli.main", "run", "texts-encoder.yaml", *small, "--runs", "both"]
    fp32 = "encoder.pretrain.precision=fp32"
    done = subprocess.run([*command, fp32], cwd=home, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    seedbed("run", "texts-encoder.yaml", *small, fp32, "--runs", "one", cwd=home)
    losses = [
        [json.loads(line)["loss"] for line in (home / runs / "texts-encoder/encoder/metrics.jsonl").open()]
        for runs in ("both", "one")
    ]
    assert len(losses[0]) == len(losses[1]) > 5
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
