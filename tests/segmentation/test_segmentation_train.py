"""The segmenter: units, corruption, the window of the network, and what the step learns and measures."""

from __future__ import annotations

import dataclasses
import json
import random
import re
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seedbed.core.errors import InputError
from seedbed.core.schema import build_value, resolve
from seedbed.core.step import StepContext
from seedbed.segmentation.artifact import Segmenter, Splitter
from seedbed.segmentation.fitting import Training, corrupted, fit
from seedbed.segmentation.network import SentenceEnds, Sizes
from seedbed.segmentation.rules import f1_of, rule_ends
from seedbed.segmentation.train import stripped, train_segmenter
from seedbed.segmentation.units import MARKS, SHAPE, joined, lines_of, units_of

OPENERS = ["the", "a", "every", "no"]
NOUNS = ["dog", "king", "Dr. Smith", "river", "well-known bird", "teacher", "3.5 cats"]
VERBS = ["sees", "doesn't like", "finds", "remembers", "leaves"]
CLOSERS = ["today", "again", "in May", "of course"]


def sentence(dice: random.Random) -> str:
    one, other = dice.sample(NOUNS, 2)
    text = f"{dice.choice(OPENERS)} {one} {dice.choice(VERBS)}{dice.choice(['', ','])} the {other}"
    text += f" {dice.choice(CLOSERS)}{dice.choice('.!?')}"
    return text[0].upper() + text[1:]


def sentences(count: int, seed: int = 0) -> list[str]:
    dice = random.Random(seed)
    return [sentence(dice) for _ in range(count)]


def test_units_by_hand() -> None:
    text = 'He said: "Don\'t go to No. 3.5!" 我来了。 नमस्ते दुनिया।'
    units = units_of(text)
    starts = [0, *units.ends_N[:-1].tolist()]
    pieces = [text[start:end].strip() for start, end in zip(starts, units.ends_N.tolist(), strict=True)]
    assert pieces == [
        *("He", "said", ":", '"', "Don't", "go", "to", "No", ".", "3.5", "!", '"'),
        *("我", "来", "了", "。", "नमस्ते", "दुनिया", "।"),
    ]
    assert [piece for piece, is_mark in zip(pieces, units.is_mark_N, strict=True) if is_mark] == list(':".!"。।')
    assert [MARKS[number - 1] for number in units.mark_N if number] == list(':".!"。।')
    plain = units_of("dont 35 Dont")
    same = units_of("don't 3.5 Don't")
    assert (plain.features_NF == same.features_NF).all()
    assert (plain.features_NF[0] != plain.features_NF[2]).tolist() == [False] * SHAPE + [True, False]
    assert plain.lower_N[2] == plain.features_NF[0, SHAPE]
    assert len(units_of(" \n ")) == 0


def test_line_ends_are_not_seen() -> None:
    """A text in lines and the same text in one line have the same units; scripts without spaces get none."""
    lines = ["The end.", "我来了", "再见", "So long"]
    text, ends = joined(lines)
    assert text == "The end.我来了再见 So long" and [text[:end] for end in ends] == [
        "The end.",
        "The end.我来了",
        "The end.我来了再见",
        text,
    ]
    units, is_end_N = lines_of(lines)
    assert is_end_N.sum() == 4 and set(units.ends_N[is_end_N].tolist()) == set(ends)


@pytest.mark.parametrize("strip", [True, False])
def test_corruption_against_a_walk_over_the_text(strip: bool) -> None:
    """What is left, which lines end where, and which mark is to be seen: unit by unit."""
    lines = sentences(30)
    units, is_end_N = lines_of(lines)
    row = corrupted(units, is_end_N, strip=strip, remove=0.5, stream=7)
    text, _ = joined(lines)
    starts = [0, *units.ends_N[:-1].tolist()]
    words = [text[start:end].strip() for start, end in zip(starts, units.ends_N.tolist(), strict=True)]
    kept: list[list[Any]] = []  # index, whether a line ends, the mark that follows
    removed = 0
    left = iter(row.features_NF[:, 0].tolist())
    ahead = next(left)
    for index, word in enumerate(words):
        is_there = ahead == units.features_NF[index, 0]
        if not is_there:
            assert unicodedata.category(word)[0] == "P", "only marks go"
            assert strip or not is_end_N[index], "those at the end of a line stay"
            removed += 1
            kept[-1][1] |= bool(is_end_N[index])
        else:
            kept.append([index, bool(is_end_N[index]), int(units.mark_N[index + 1]) if index + 1 < len(words) else 0])
            ahead = next(left, -1)
    assert row.is_end_N.tolist() == [is_end for _, is_end, _ in kept] and row.is_end_N.sum() == 30
    assert row.mark_N.tolist() == [mark for _, _, mark in kept]
    places = [index for index, _, _ in kept]
    shapes = units.lower_N if strip else units.features_NF[:, SHAPE]
    assert row.features_NF[:, SHAPE].tolist() == shapes[places].tolist()
    inner = int((units.is_mark_N & ~is_end_N).sum())
    assert removed == int(units.is_mark_N.sum()) if strip else 0.2 * inner < removed < 0.8 * inner
    # a stripped row is what the network sees of a text that is stripped
    if strip:
        bare, ends = lines_of(stripped(lines))
        assert (bare.features_NF == row.features_NF).all() and (ends == row.is_end_N).all()


def test_the_window() -> None:
    """What is said of a unit changes with the last unit that it may see, on either side, and with none beyond."""
    sizes = Sizes(width=32, layers=2, heads=2, behind=3, lookahead=4)
    network = SentenceEnds(sizes, seed=1).eval()
    units = units_of(" ".join(sentences(5)))
    before = network.probabilities(units)
    for place, seen in ((20 - 7, False), (20 - 6, True), (20 + 4, True), (20 + 5, False)):
        changed = units.features_NF.copy()
        changed[place] = (changed[place] + 1) % 1000
        after = network.probabilities(dataclasses.replace(units, features_NF=changed))
        assert bool(abs(after[20] - before[20]) > 1e-7) is seen, place


def test_a_long_text_in_parts_is_the_text_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from seedbed.segmentation import network as module

    network = SentenceEnds(Sizes(width=32, layers=2, heads=2, behind=5, lookahead=8), seed=2).eval()
    units = units_of(" ".join(sentences(40)))
    with torch.inference_mode():
        whole = network(torch.from_numpy(units.features_NF)[None])[0, :, 0].sigmoid().numpy()
    for stride in (1, 17, 64, 10_000):
        monkeypatch.setattr(module, "_STRIDE", stride)
        np.testing.assert_allclose(network.probabilities(units), whole, atol=1e-6)


def test_padding_changes_nothing() -> None:
    network = SentenceEnds(Sizes(width=32, layers=2, heads=2, behind=5, lookahead=8), seed=2).eval()
    features = torch.from_numpy(units_of(" ".join(sentences(4))).features_NF)[None]
    padded = torch.cat([features, torch.ones(1, 9, features.shape[2], dtype=torch.long)], dim=1)
    is_real = torch.arange(padded.shape[1])[None] < features.shape[1]
    torch.testing.assert_close(network(padded, is_real)[:, : features.shape[1]], network(features))


def test_rules_by_hand() -> None:
    text = 'Dr. J. Smith left. "Why?" he asked... No. 5 (in the U.S.) is e.g. here! 我来了。再见。 Bye'
    found = [text[start:end].strip() for start, end in zip([0, *rule_ends(text)], rule_ends(text), strict=False)]
    assert found == [
        "Dr. J. Smith left.",
        '"Why?"',
        "he asked...",
        "No. 5 (in the U.S.) is e.g. here!",
        "我来了。",
        "再见。",
        "Bye",
    ]
    assert rule_ends("  ") == []
    assert f1_of([3, 9, 12], [3, 10]) == {"precision": 0.5, "recall": 1 / 3, "f1": 0.4, "num": 3}


def run(folder: Path, **given: Any) -> StepContext:
    folder.mkdir()
    context = StepContext(folder, "segmenter", {})
    parameters = resolve(train_segmenter.function, given)
    train_segmenter.function(context, **{name: build_value(value) for name, value in parameters.items()})
    return context


SMALL = {"width": 32, "layers": 2, "behind": 8, "lookahead": 8, "steps": 80, "rows": 8, "lr": 5e-3, "held_back": 0.3}


@pytest.fixture(scope="module")
def lines_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lines") / "lines.jsonl"
    path.write_text("\n".join(json.dumps({"text": line}) for line in sentences(1500)))
    return path


@pytest.fixture(scope="module")
def trained(lines_file: Path, tmp_path_factory: pytest.TempPathFactory) -> StepContext:
    return run(tmp_path_factory.mktemp("made") / "one", texts=[str(lines_file)], strip=0.3, **SMALL)


def test_it_finds_ends_with_and_without_marks_where_rules_cannot(trained: StepContext) -> None:
    counts = trained.counts
    assert counts["clean"]["f1"] > 0.9 and counts["stripped"]["f1"] > 0.9, counts
    assert counts["clean"]["rules"]["f1"] == 1.0 and counts["stripped"]["rules"]["f1"] == 0.0
    assert counts["pieces"]["held_back"] >= 2
    splitter = Segmenter(trained.folder).load()
    assert splitter.threshold == counts["threshold"]
    new = sentences(30, seed=9)
    for lines in (new, stripped(new)):
        text, ends = joined(lines)
        assert f1_of(ends, splitter.ends(text))["f1"] > 0.9
        pieces = splitter.split(text)
        assert re.sub(r"\s", "", "".join(pieces)) == re.sub(r"\s", "", text), "nothing is lost"
    assert splitter.split("") == [] and splitter.split("\n") == []
    assert splitter.split(" ".join(new), threshold=0.999999) == [" ".join(new)]


def test_without_corruption_it_leans_on_marks(lines_file: Path, tmp_path: Path, trained: StepContext) -> None:
    leaning = run(tmp_path / "two", texts=[str(lines_file)], strip=0.0, remove=0.0, **SMALL)
    assert leaning.counts["clean"]["f1"] > 0.9, leaning.counts
    assert leaning.counts["stripped"]["f1"] < trained.counts["stripped"]["f1"] - 0.1


def test_the_same_twice_and_from_another(lines_file: Path, tmp_path: Path) -> None:
    short = {**SMALL, "steps": 3}
    folders = [tmp_path / name for name in ("one", "two")]
    one, other = (run(folder, texts=[str(lines_file)], **short) for folder in folders)
    assert one.counts == other.counts
    assert (folders[0] / "segmenter.safetensors").read_bytes() == (folders[1] / "segmenter.safetensors").read_bytes()
    third = tmp_path / "three"
    third.mkdir()
    context = StepContext(third, "segmenter", {})
    pieces = [lines_of(sentences(20))]
    base = SentenceEnds.read(folders[0])
    before = {name: value.clone() for name, value in base.state_dict().items()}
    after = fit(pieces, base.sizes, Training(steps=1, rows=2, lr=1e-5), 0, context.say, base).state_dict()
    assert max(float((after[name] - value).abs().max()) for name, value in before.items()) < 2e-5
    assert any(not torch.equal(after[name], value) for name, value in before.items())


def test_bad_input(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("a single line of text")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"strip": 1.5}, "share"),
        ({"held_back": 0.6}, "share"),
        ({"threshold": 1.0}, "between 0 and 1"),
        ({"lookahead": 10}, "multiple of the 3 layers"),
        ({"width": 20}, "multiple of 16"),
        ({"steps": 0}, "above 0"),
        ({}, "too few lines"),
    ]
    for number, (given, message) in enumerate(cases):
        with pytest.raises(InputError, match=message):
            run(tmp_path / str(number), texts=[str(tmp_path / "one.txt")], **given)


def test_a_splitter_depends_on_the_text_alone(trained: StepContext) -> None:
    splitter = Segmenter(trained.folder).load()
    assert isinstance(splitter, Splitter)
    texts = [" ".join(sentences(count, seed=count)) for count in (1, 5, 30)]
    ends, chances = splitter.probabilities(texts[1])
    assert (ends == units_of(texts[1]).ends_N).all() and chances.dtype == np.float32
    assert [splitter.split(text) for text in texts] == [splitter.split(text) for text in texts[::-1]][::-1]


def test_in_a_recipe(lines_file: Path, tmp_path: Path) -> None:
    """A segmenter, another one from it, and a corpus with a sentence a line."""
    from seedbed.recipe.execute import Workspace, run_plan
    from seedbed.recipe.plan import make_plan
    from seedbed.recipe.recipe import Recipe

    long = tmp_path / "long.txt"
    long.write_text(" ".join(sentences(40, seed=3)))
    steps = {
        "first": {"train_segmenter": {"texts": [str(lines_file)], **SMALL, "steps": 40}},
        "second": {"train_segmenter": {"texts": [str(lines_file)], "start": "first", "steps": 2, "lines": 640}},
        "corpus": {
            "build_corpus": {
                "read": [{"text": {"path": str(long)}}],
                "curate": [{"sentences": {"by": "second", "threshold": 0.5}}],
                "split": {},
            }
        },
    }
    made = run_plan(make_plan(Recipe("r", steps), Workspace(tmp_path / "runs").store), say=lambda line: None)
    assert made["second"].counts["clean"]["num"] > 0
    (row,) = made["corpus"].documents("train")
    assert row["text"].replace("\n", " ") == long.read_text() and 20 < row["text"].count("\n") < 80
