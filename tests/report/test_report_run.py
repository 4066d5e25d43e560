"""The page of a run, from artifacts that a run has made."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from report_world import ATTACK, check_page
from typer.testing import CliRunner

from seedbed.core.artifact import MANIFEST
from seedbed.core.errors import InputError
from seedbed.report import write_report
from seedbed.report.collect.corpus import stages_of
from seedbed.report.collect.run import collect_run
from seedbed.report.collect.scores import MetricReport, state_of
from seedbed.report.collect.training import read_log
from seedbed.report.collect.vocabulary import pieces_of
from seedbed.report.numbers import seconds, size, whole


@pytest.fixture(scope="module")
def html(run_folder):
    written = write_report(run_folder)
    assert written == run_folder / "report.html"
    return written.read_text(encoding="utf8")


@pytest.fixture(scope="module")
def outline(html):
    return check_page(html)


def manifest(run_folder, step):
    return json.loads((run_folder / step / MANIFEST).read_text())


@pytest.fixture
def copied(run_folder, tmp_path):
    """A copy of the run that may be damaged."""
    shutil.copytree(run_folder.parent, tmp_path / "runs", symlinks=True)
    return tmp_path / "runs" / "small"


def test_the_corpus_and_all_that_left_it(run_folder, outline):
    counts = manifest(run_folder, "texts")["counts"]
    assert counts["read"]["documents"] == 62 and counts["quarantined"]["documents"] == 1
    for number in (63, 62, counts["kept"]["documents"]):
        assert f" {number} " in f" {outline.text} "
    assert size(counts["kept"]["bytes"]).replace("\u202f", " ") in outline.text
    assert "same text as" in outline.text and "not: words > 5" in outline.text
    assert "record could not be read" not in outline.text and "texts.jsonl" in outline.text
    for row in counts["splits"].values():
        assert whole(row["documents"]) in outline.text


def test_users_text_is_text(html, outline):
    assert ATTACK not in html and ATTACK in outline.text
    assert "<b>" not in re.sub(r"<pre class=\"pieces\">.*?</pre>", "", html, flags=re.DOTALL)


def test_the_vocabulary(run_folder, outline):
    counts = manifest(run_folder, "vocabulary")["counts"]
    assert f"{counts['size']} tokens" in outline.text
    for domain in ("birds", "walls"):
        assert f"{counts['by_domain'][domain]['tokens_per_word']:.3g}"[:4] in outline.text


def test_the_training(run_folder, html, outline):
    counts = manifest(run_folder, "encoder")["counts"]
    assert f"{counts['loss']:.3f}" in outline.text and f"{counts['validation_loss']:.3f}" in outline.text
    assert whole(counts["targets"]) in outline.text and whole(counts["data"]["texts"]["tokens"]) in outline.text
    assert "Masked language modeling" in outline.text and "12 steps" in outline.text
    assert 'class="line s1"' in html and 'class="dot s2"' in html


def test_the_scores_with_intervals_against_baselines(run_folder, outline):
    summary = json.loads((run_folder / "scores" / "summary.json").read_text())["masked_accuracy"]
    for system in ("model", "neighbors", "unigram"):
        entry = summary["systems"][system]["accuracy"]
        assert f"{100 * entry['mean']:.1f}" in outline.text
        assert f"[{100 * entry['low']:.1f}, {100 * entry['high']:.1f}]" in outline.text
    best = max(("neighbors", "unigram", "untrained"), key=lambda s: summary["systems"][s]["accuracy"]["mean"])
    difference = summary["model_minus"][best]["accuracy"]
    assert f"{100 * difference['mean']:+.1f} points".replace("-", "\u2212") in outline.text
    assert "Contamination" in outline.text and "spread evenly over the test set" in outline.text
    assert "▁▁▁" in outline.text  # what a masked token stood among


def test_lineage_time_and_machine(run_folder, outline):
    for step in ("texts", "vocabulary", "encoder", "scores"):
        facts = manifest(run_folder, step)
        assert facts["fingerprint"][:8] in outline.text
        assert seconds(facts["times"]["processor_seconds"]).replace("\u202f", " ") in outline.text
    assert "tokenize(texts, vocabulary)" in outline.text
    assert manifest(run_folder, "texts")["machine"]["architecture"] in outline.text
    assert "Not measured" in outline.text and "seedbed run small.yaml" in outline.text


def test_every_term_is_explained_once(outline):
    terms = [dict(attributes) for tag, attributes in outline.tags if tag == "a" and attributes.get("class") == "term"]
    assert len(terms) > 20
    explained = [name for name in outline.ids if name.startswith("term-")]
    assert {term["href"] for term in terms} == {f"#{name}" for name in explained}


def test_energy_that_steps_recorded_is_shown(copied):
    for step, joules in (("texts", 1800.0), ("encoder", 5400.0)):
        path = copied / step / MANIFEST
        facts = json.loads(path.read_text())
        facts["times"]["energy_joules"] = joules
        path.write_text(json.dumps(facts))
    text = check_page(write_report(copied).read_text()).text
    assert "2.00 Wh (7,200 J)" in text and "Not measured" not in text


def test_a_run_in_the_making_is_shown_as_far_as_it_is(copied):
    """As it is after a kill: a working folder without a manifest, and no scores."""
    store = copied.parent / "store"
    (trained,) = store.glob("pretrain-*")
    (scored,) = store.glob("evaluate-*")
    shutil.rmtree(scored)
    (trained / MANIFEST).unlink()
    log = (trained / "metrics.jsonl").read_text().splitlines()
    (trained / "metrics.jsonl").write_text("\n".join(log[:7]) + '\n{"step": 8, "tok')
    (store / "unfinished").mkdir(exist_ok=True)
    trained.rename(store / "unfinished" / trained.name)
    rows = json.loads((copied / "steps.json").read_text())
    rows = {name: row for name, row in rows.items() if name not in ("encoder", "scores")}
    (copied / "steps.json").write_text(json.dumps(rows))
    run = collect_run(copied)
    assert {step.name: step.status for step in run.steps if step.status != "done"} == {
        "encoder": "unfinished",
        "scores": "waiting",
    }
    (training,) = run.trainings
    assert not training.finished and training.counts["steps"] == 7 and training.log.broken_lines == 1
    outline = check_page(write_report(copied).read_text())
    for words in ("This run is not finished.", "step 7, last written", "scores : still to come", "Loss", "12 steps"):
        assert words.replace(" :", ":") in outline.text.replace(" :", ":"), words


def test_a_plan_that_cannot_be_made_here_is_no_obstacle(copied):
    """The sources may be on another machine."""
    rows = json.loads((copied / "steps.json").read_text())
    rows.pop("scores")
    (copied / "steps.json").write_text(json.dumps(rows))
    recipe = (copied / "recipe.yaml").read_text()
    (copied / "recipe.yaml").write_text(recipe.replace("texts.jsonl", "gone.jsonl"))
    text = check_page(write_report(copied).read_text()).text
    assert "in the making cannot be told: texts.build_corpus" in text and "scores: still to come" in text


def test_a_lost_result_is_said(copied):
    (lost,) = (copied.parent / "store").glob("train_tokenizer-*")
    shutil.rmtree(lost)
    text = check_page(write_report(copied).read_text()).text
    assert "vocabulary: its result cannot be read" in text and "its result is no longer there" in text
    assert "Training" in text and "Scores" in text


def test_what_a_run_was_made_from_elsewhere_stands_in_its_lineage(copied):
    """Take the corpus out of the run's own steps: it is found through the manifests."""
    rows = json.loads((copied / "steps.json").read_text())
    corpus = rows.pop("texts")
    (copied / "steps.json").write_text(json.dumps(rows))
    steps = collect_run(copied).steps
    assert steps[0].fingerprint == corpus["fingerprint"] and steps[0].status == "outside"
    assert "made outside this run" in check_page(write_report(copied).read_text()).text


def test_other_folders_are_refused(tmp_path, run_folder):
    with pytest.raises(InputError, match="is not the folder of a run"):
        write_report(tmp_path)
    with pytest.raises(InputError, match="is not the folder of a run"):
        write_report(run_folder / "encoder")
    assert not (run_folder / "encoder" / "report.html").exists()


def test_the_command_writes_where_it_is_told(run_folder, tmp_path):
    import typer

    from seedbed.cli.report import report

    app = typer.Typer()
    app.command()(report)
    done = CliRunner().invoke(app, [str(run_folder), "--out", str(tmp_path / "page.html")])
    assert done.exit_code == 0 and "wrote" in done.stdout
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")


def test_stages_add_up_with_quarantine_and_rewriting():
    counts = {
        "read": {"documents": 10, "bytes": 1000},
        "quarantined": {"documents": 2},
        "dropped": {"keep": {"documents": 3, "bytes": 200}, "normalize": {"documents": 0, "bytes": 0}},
        "kept": {"documents": 7, "bytes": 790},
    }
    stages = stages_of(counts, [{"keep": {"expression": "words > 5"}}])
    assert [(stage.label, stage.documents, stage.bytes) for stage in stages] == [
        ("came in", 12, None),
        ("quarantine", 2, None),
        ("read", 10, 1000),
        ("keep", 3, 200),
        ("normalize", 0, 0),
        ("rewriting", 0, 10),
        ("kept", 7, 790),
    ]
    assert "words > 5" in stages[3].settings and stages_of({}, []) == []


def test_the_verdict_follows_the_interval_of_the_difference():
    entry = {"mean": 0.1, "low": 0.05, "high": 0.15}
    assert state_of(entry, higher_is_better=True) == "ahead"
    assert state_of(entry, higher_is_better=False) == "behind"
    assert state_of({"low": -0.1, "high": 0.1}, higher_is_better=True) == "level"
    assert state_of({"low": None, "high": None}, higher_is_better=True) == "unknown"
    systems = {name: {"mean": mean} for name, mean in (("model", 2.0), ("weak", 3.0), ("strong", 1.5))}
    lower = {"weak": {"mean": -1.0, "low": -1.1, "high": -0.9}, "strong": {"mean": 0.5, "low": 0.4, "high": 0.6}}
    verdict = MetricReport("bits_per_byte", False, systems, lower, {}).verdict
    assert (verdict.state, verdict.baseline) == ("behind", "strong")
    assert MetricReport("accuracy", True, {"model": {"mean": 1.0}}, {}, {}).verdict.state == "alone"


def test_a_log_of_any_length_is_read_in_bounded_memory_and_keeps_its_spikes(tmp_path):
    with open(tmp_path / "metrics.jsonl", "w") as file:
        for step in range(1, 5001):
            record = {"step": step, "tokens": 100 * step, "loss": 99.0 if step == 3333 else 2.0, "lr": 1e-3}
            if step % 100 == 0:
                record |= {"validation_loss": 2.5, "validation_accuracy": 0.3}
            if step == 40:
                record["loss"] = None
            file.write(json.dumps(record) + "\n")
    log = read_log(tmp_path / "metrics.jsonl")
    assert len(log.loss.buckets) <= 240 and max(bucket.high for bucket in log.loss.buckets) == 99.0
    assert log.loss.num_points == 4999 and log.loss.skipped == 1
    assert log.held_out == {"validation_loss": 2.5, "validation_accuracy": 0.3} and log.last["step"] == 5000
    assert not read_log(Path(tmp_path / "nowhere")).loss


def test_pieces_of_a_text_give_the_text_back():
    text = "a güll, ok"
    pieces = pieces_of(text, [(0, 1), (2, 4), (3, 6), (6, 7), (8, 9)])
    assert "".join(part for part, _ in pieces) == text
    tokens = [part for part, is_token in pieces if is_token]
    assert tokens == ["a", "gü", "ll", ",", "o"] and pieces[-1] == ("k", False)


def test_more_tasks_than_are_shown_are_counted(run_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("seedbed.report.collect.run.TASKS", 0)
    text = check_page(write_report(run_folder, tmp_path / "page.html").read_text()).text
    assert "scores: of 1 tasks the first 0 are shown." in text
