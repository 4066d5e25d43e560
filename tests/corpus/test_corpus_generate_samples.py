"""Samples that a model writes on sentences of a corpus, beside a loop that does it one token and one text at a time."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from seedbed.core.counters import key, uniform
from seedbed.core.errors import InputError
from seedbed.core.step import StepContext
from seedbed.corpus.artifact import Corpus
from seedbed.corpus.generate_samples import drawn, generate_samples
from seedbed.corpus.neural.continuing import Continuing
from seedbed.models import backbones, save_model
from seedbed.models.artifact import Model
from seedbed.recipe.execute import Workspace, run_plan
from seedbed.recipe.plan import make_plan
from seedbed.recipe.recipe import Recipe
from seedbed.report import write_report
from seedbed.vocabulary.methods.bpe import bpe
from seedbed.vocabulary.methods.bytes import bytes_
from seedbed.vocabulary.save import SPECIALS, finish, write_folder

WORDS = ["river", "stone", "märchen", "walks", "under", "seven", "bridges", "slowly", "home", "again"]
LINES = [" ".join(WORDS[(i * 7 + j * (i % 3 + 1)) % 10] for j in range(2 + i % 9)) for i in range(40)]


def made_model(folder: Path, backbone: str, algorithm: Any = bpe, max_length: int = 64) -> Model:
    """A model with random weights that are large enough for its choices to differ, and its tokenizer."""
    style: Any = backbone
    fast = algorithm(LINES, 330, list(SPECIALS[style].values()))
    roles = finish(fast, style)
    (folder / "tokenizer").mkdir(parents=True)
    write_folder(folder / "tokenizer", fast, roles)
    size = fast.get_vocab_size()
    given = {"layers": 1, "width": 32, "heads": 2, "max_length": max_length, "kernel": "products"}
    network = backbones.create(backbone, **given).network(size, 3)
    dice = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=dice), alpha=0.3)
    save_model(network, folder / "tokenizer", folder / "model", {"name": "made"})
    return Model.open(folder / "model")


def made_corpus(folder: Path, rows: list[dict[str, str]]) -> Corpus:
    (folder / "data").mkdir(parents=True)
    columns = ("id", "text", "source", "domain", "license", "metadata")
    filled = [{**dict.fromkeys(columns, ""), "metadata": "{}", **row} for row in rows]
    pq.write_table(pa.Table.from_pylist(filled), folder / "data" / "train-00000.parquet")
    manifest = {"format": 1, "kind": "corpus", "fingerprint": folder.name, "files": {}, "counts": {}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return Corpus.open(folder)


@pytest.fixture(scope="module", params=["encoder", "decoder"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return made_model(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    rows = [{"id": f"d{i:02d}", "text": text, "domain": "ab"[i % 2], "license": "CC0"} for i, text in enumerate(LINES)]
    return made_corpus(tmp_path / "corpus", [*rows, {"id": "e", "text": "\n".join(LINES[:6]), "domain": "c"}])


def run(folder: Path, **given: Any) -> tuple[Corpus, dict[str, Any]]:
    folder.mkdir()
    context = StepContext(folder, "samples", {"model": "m"})
    generate_samples.function(context, **given)
    return Corpus(folder), context.counts


def one_by_one(model: Model, text: str, tokens: int, room: int, temperature: float = 0.0, counter: int = 0) -> str:
    """The same with one row, no padding, and plain numbers."""
    tokenizer, network = model.tokenizer().load(), model.network()
    network.use_kernel("products")
    vocabulary = model.tokenizer().vocabulary()
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    new: list[int] = []
    for place in range(tokens):
        if network.attention == "causal":
            row, column = [vocabulary.bos, *[*ids, *new][-(room - 1) :]], -1
        else:
            row, column = [vocabulary.cls, *[*ids, *new][-(room - 3) :], vocabulary.mask, vocabulary.sep], -2
        with torch.no_grad():
            logits = network.logits(network.hidden(torch.tensor([row]))[0, column][None])[0].double().tolist()
        for token in range(len(logits)):
            if vocabulary.special_V[token]:
                logits[token] = -math.inf
            elif temperature:
                u = float(uniform(key(2, "continuations", "token"), counter, place, token))
                logits[token] = logits[token] / temperature - math.log(-math.log(u))
        new.append(max(range(len(logits)), key=logits.__getitem__))
    return tokenizer.decode([*ids, *new])[len(tokenizer.decode(ids)) :]


@pytest.mark.parametrize(("temperature", "room"), [(0.0, 64), (1.5, 64), (0.0, 10)])
def test_texts_together_get_what_each_gets_alone(model: Model, temperature: float, room: int) -> None:
    texts, tokens = LINES[:12], [1 + i % 4 for i in range(12)]
    counters = [2**64 - 1 - i for i in range(12)]
    writer = Continuing(model, max_length=room, temperature=temperature, seed=2)
    found = writer.written(texts, tokens, counters)
    places = zip(texts, tokens, counters, strict=True)
    wanted = [one_by_one(model, text, number, room, temperature, counter) for text, number, counter in places]
    assert found == wanted
    assert len(set(found)) > 2


def test_a_temperature_draws_by_the_models_probabilities(model: Model) -> None:
    writer = Continuing(model, max_length=64, temperature=1.0, seed=2)
    number = 3000
    found = writer.written(["river stone"] * number, [1] * number, list(range(number)))
    decode, vocabulary = writer.coder.tokenizer.decode, model.tokenizer().vocabulary()
    ids = writer.coder.tokenizer.encode("river stone", add_special_tokens=False).ids
    logits_V = writer._opened([]).logits([ids])[0].double()
    shares_V = torch.softmax(logits_V.masked_fill(torch.from_numpy(vocabulary.special_V), -math.inf), 0).numpy()
    assert not shares_V[vocabulary.special_V].any()
    for token in np.argsort(-shares_V)[:4]:
        share, text = shares_V[token], decode([*ids, int(token)])[len("river stone") :]
        same = sum(shares_V[t] for t in range(len(shares_V)) if decode([*ids, t])[len("river stone") :] == text)
        assert abs(found.count(text) / number - same) < 4 * math.sqrt(same / number), (text, share)


def test_the_cost_is_that_of_what_is_read(model: Model) -> None:
    writer = Continuing(model, max_length=64, temperature=0.0, seed=0)
    writer.written(["river stone", "again"], [2, 1], [0, 1])
    encode, behind = writer.coder.tokenizer.encode, len(writer.behind) + len(writer.coder.prefix)
    lengths = [len(encode(text, add_special_tokens=False).ids) + behind for text in ("river stone", "again")]
    flops = writer.network.architecture.flops_per_token
    read = [(length, length) for length in lengths]
    # the second token of the first text: a decoder has kept what was before it
    read.append((lengths[0] + 1, 1 if writer.network.causal else lengths[0] + 1))
    assert writer.flops == pytest.approx(sum(flops(length, 1 / new) * new / 3 for length, new in read))


def test_a_sentence_loses_its_last_words(corpus: Corpus) -> None:
    prompts = drawn([corpus], "train", "domain", (3, 8), 0.3, 100, 1)
    lines = {(f"d{i:02d}", 1): text.split() for i, text in enumerate(LINES)}
    lines |= {("e", i + 1): text.split() for i, text in enumerate(LINES[:6])}
    wanted = {place: words for place, words in lines.items() if 3 <= len(words) <= 8}
    assert {(prompt.id, prompt.line) for prompt in prompts} == set(wanted)
    for prompt in prompts:
        words = wanted[prompt.id, prompt.line]
        assert prompt.tokens == min(math.floor(0.3 * len(words)) + 1, len(words) - 1)
        assert prompt.text == " ".join(words[: len(words) - prompt.tokens])


def test_each_group_gives_as_many_and_more_documents_change_little(corpus: Corpus, tmp_path: Path) -> None:
    few = drawn([corpus], "train", "domain", (3, 250), 0.15, 4, 1)
    assert [sum(prompt.domain == name for prompt in few) for name in "abc"] == [4, 4, 4]
    all_ = drawn([corpus], "train", "domain", (3, 250), 0.15, 100, 1)
    for name in "abc":  # the smallest counters of all
        assert [p for p in few if p.domain == name] == [p for p in all_ if p.domain == name][:4]
    other = drawn([corpus], "train", "domain", (3, 250), 0.15, 4, 2)
    assert {p.id for p in other} != {p.id for p in few}
    more = made_corpus(tmp_path / "more", [{"id": "z", "text": "one two three four", "domain": "d"}])
    assert set(few) < set(drawn([corpus, more], "train", "domain", (3, 250), 0.15, 4, 1))


def test_what_was_written_is_a_corpus(model: Model, corpus: Corpus, tmp_path: Path) -> None:
    made, counts = run(tmp_path / "made", model=model, corpus=corpus, samples=5, round=2, seed=2)
    again, same = run(tmp_path / "again", model=model, corpus=[corpus], samples=5, round=2, seed=2)
    documents = list(made.documents("train"))
    assert documents == list(again.documents("train")) and counts == same
    assert made.splits() == ["train"] and counts["kept"]["documents"] == len(documents)
    assert counts["prompts"] == 15 == len(documents) + counts["quarantined"]["documents"]
    prompts = drawn([corpus], "train", "domain", (3, 250), 0.15, 5, key(2, "continuations", 2))
    by_name = {f"round-2/{prompt.id}:{prompt.line}": prompt for prompt in prompts}
    for document in documents:
        prompt, facts = by_name[document["id"]], json.loads(document["metadata"])
        added = one_by_one(model, prompt.text, prompt.tokens, 64)
        assert document["text"] == prompt.text + added.rstrip("\ufffd").rstrip()
        assert facts == {"original": prompt.id, "line": prompt.line, "prompt": len(prompt.text)}
        assert (document["domain"], document["license"]) == (prompt.domain, prompt.license)
    assert "the end of each was written by a model" in (made.path / "README.md").read_text()


def test_parts_of_characters_and_nothing_are_no_samples(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = made_model(tmp_path, "encoder", bytes_)
    added = [" a\ufffd", " \ufffdb", "  "]
    monkeypatch.setattr(Continuing, "written", lambda self, texts, *_: [added[i % 3] for i in range(len(texts))])
    made, counts = run(tmp_path / "made", model=model, corpus=corpus, samples=3)
    assert [document["text"][-2:] for document in made.documents("train")] == [" a"] * 3
    reasons = sorted(row["reason"] for row in made.quarantine())
    assert reasons == ["bytes that are no character were written"] * 3 + ["nothing was written"] * 3
    assert counts["prompts"] == 9
    monkeypatch.setattr(Continuing, "written", lambda self, texts, *_: [""] * len(texts))
    with pytest.raises(InputError, match="writes nothing behind any prompt"):
        run(tmp_path / "none", model=model, corpus=corpus, samples=3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"samples": 0}, "samples: must be at least 1"),
        ({"round": 0}, "round: must be at least 1"),
        ({"share": 1.5}, "share: must lie between 0 and 1"),
        ({"min_words": 1}, "min_words: must be at least 2"),
        ({"max_length": 4}, "max_length: must be at least 8"),
        ({"temperature": -1.0}, "temperature"),
        ({"top_p": 0.0}, "top_p"),
        ({"min_words": 100}, "no line of 100 to 250 words"),
        ({"from_split": "pool"}, "unknown split 'pool'"),
        ({"by": "language"}, "unknown column 'language'"),
    ],
)
def test_mistakes(model: Model, corpus: Corpus, tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        run(tmp_path / "made", model=model, corpus=corpus, **change)


def test_a_tokenizer_without_a_mask_is_an_error(corpus: Corpus, tmp_path: Path) -> None:
    model = made_model(tmp_path / "m", "encoder")
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        path = model.path / name
        kept = {key: value for key, value in json.loads(path.read_text()).items() if key != "mask_token"}
        path.write_text(json.dumps({**kept, "mask_token": None}))
    with pytest.raises(InputError, match="no mask token"):
        run(tmp_path / "made", model=Model.open(model.path), corpus=corpus)


def test_rounds_are_steps_of_a_recipe(tmp_path: Path) -> None:
    training = {"objective": "mlm", "budget": "2k tokens", "length": 32, "batch_tokens": 256}
    both = {"world": {"alpha": 1.0}, "samples": {"alpha": 1.0}}
    steps: dict[str, Any] = {
        "world": {"generate": {"world": {"facts": {"documents": 30}}, "split": {"test": 0.2}}},
        "vocabulary": {"train_tokenizer": {"corpus": "world", "algorithm": "bpe", "size": 330}},
        "first": {"pretrain": {"model": {"encoder": {"layers": 1, "width": 32, "heads": 1}}, **training,
                               "tokenizer": "vocabulary", "data": {"world": 1.0}}},
        "samples": {"generate_samples": {"model": "first", "corpus": "world", "samples": 10}},
        "second": {"pretrain": {"model": "first", "data": both, **training}},
    }  # fmt: skip
    plan = make_plan(Recipe("rounds", steps, seed=1), Workspace(tmp_path).store)
    assert "at most 10 samples" in plan.estimate(plan["samples"]).notes
    made = run_plan(plan, say=lambda line: None, links=tmp_path / "rounds")
    counts = made["samples"].counts
    assert 0 < counts["kept"]["documents"] <= 10 and counts["flops"] > 0
    assert made["second"].counts["tokens"] >= 2000
    assert "written by a model" not in (made["world"].path / "README.md").read_text()
    assert ">samples<" in write_report(tmp_path / "rounds").read_text()
