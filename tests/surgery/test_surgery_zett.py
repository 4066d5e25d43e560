"""Sampled tokenizers, the hypernetwork, and its loss, each against a slow formula."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_vocabularies import made_texts, make_model, make_tokenizer

from seedbed.core.counters import generator
from seedbed.core.errors import InputError
from seedbed.models.transformer import Transformer
from seedbed.objectives import objectives
from seedbed.surgery.initializers.subtokens import mean_of_pieces
from seedbed.surgery.tokenizer_hypernetwork import fitting
from seedbed.surgery.tokenizer_hypernetwork.network import EmbeddingPredictor, arrays
from seedbed.surgery.tokenizer_hypernetwork.sampling import (
    Candidates,
    Noise,
    Windows,
    count_candidates,
    sample_tokenizer,
    splitter,
)
from seedbed.surgery.tokenizer_hypernetwork.sizes import Sizes
from seedbed.surgery.vocabulary.change import TABLES
from seedbed.vocabulary.byte_level import read
from seedbed.vocabulary.counts import count_words

TEXTS = made_texts()
OBJECTIVES = {"decoder": "clm", "encoder": "mlm", "encoder_decoder": "span_corruption"}
STYLES = {"encoder_decoder": "seq2seq"}
BERT = {"norm": "post", "positions": "learned", "gated": False, "bias": True}


@pytest.fixture(scope="module")
def candidates() -> Candidates:
    return count_candidates(count_words(TEXTS))


def test_candidates_are_substrings_by_frequency_and_bytes() -> None:
    texts = ["aa aab, über", "über aa"]
    cut = splitter()
    scores: Counter[str] = Counter()
    for text in texts:
        for piece, _ in cut.pre_tokenize_str(text):
            word = read(piece)
            for start in range(len(word)):
                for end in range(start + 1, min(len(word), start + 3) + 1):
                    part = word[start:end]
                    scores[part] += len(part.encode()) if len(part.encode()) > 1 else 0
    expected = {text: score for text, score in scores.items() if score}
    found = count_candidates(count_words(texts), longest=3)
    assert dict(zip(found.texts, found.share_C, strict=True)) == pytest.approx(
        {text: score / sum(expected.values()) for text, score in expected.items()}
    )
    assert list(found.share_C) == sorted(found.share_C, reverse=True) and "ü" in found.texts
    with pytest.raises(InputError, match="holds no word of two letters"):
        count_candidates(count_words(["a"]))


def test_text_is_cut_along_the_likeliest_path(candidates: Candidates) -> None:
    """Against a search over all ways; bytes stand for what the vocabulary lacks, and nothing is lost."""
    tokenizer = sample_tokenizer(candidates, 400, Noise(1e-3, 0.0), 1, 2)
    drawing = generator(1, "tokenizer", 2)
    drawing.standard_normal()
    noised_C = candidates.share_C + 1e-3 * drawing.standard_normal(len(candidates.texts))
    best = sorted(range(len(noised_C)), key=lambda index: -noised_C[index])[: 400 - 256]
    assert tokenizer.surfaces[256:] == [candidates.texts[index] for index in best if noised_C[index] > 0]
    scores = {candidates.texts[index].encode(): math.log(noised_C[index]) for index in best if noised_C[index] > 0}
    least = min(scores.values())

    def likeliest(raw: bytes) -> float:
        best = [0.0] + [-math.inf] * len(raw)
        for end in range(1, len(raw) + 1):
            for start in range(end):
                score = scores.get(raw[start:end], least if end - start == 1 else -math.inf)
                best[end] = max(best[end], best[start] + score)
        return best[-1]

    for text in [*TEXTS[:5], "naïve 東京 §"]:
        pieces = [tokenizer.surfaces[index].encode("utf8", "surrogateescape") for index in tokenizer.encode([text])[0]]
        assert b"".join(pieces) == text.encode()
        words = [read(piece).encode() for piece, _ in splitter().pre_tokenize_str(text)]
        assert sum(scores.get(piece, least) for piece in pieces) == pytest.approx(sum(map(likeliest, words)), rel=1e-5)


def test_noise_makes_other_vocabularies(candidates: Candidates) -> None:
    plain = sample_tokenizer(candidates, 300, Noise(0.0, 0.0), 0, 0).surfaces
    assert plain[256:] == candidates.texts[:44]
    drawn = [sample_tokenizer(candidates, 300, Noise(), 0, number).surfaces for number in (1, 2, 1)]
    assert drawn[0] == drawn[2] != drawn[1]
    shares = [
        len(set(candidates.texts[:44]) & set(sample_tokenizer(candidates, 300, Noise(median, 0.0), 0, 1).surfaces))
        for median in (1e-7, 5e-3, 1.0)
    ]
    assert shares[0] == 44 > shares[1] > shares[2]
    with pytest.raises(InputError, match="noise: must be two numbers"):
        Noise(-1.0)


def test_another_process_samples_the_same(candidates: Candidates, tmp_path: Path) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join(TEXTS))
    program = (
        "import sys; from seedbed.surgery.tokenizer_hypernetwork.sampling import *\n"
        "from seedbed.vocabulary.counts import count_words\n"
        "texts = open(sys.argv[1]).read().split('\\n')\n"
        "t = sample_tokenizer(count_candidates(count_words(texts)), 400, Noise(), 5, 6)\n"
        "print(ascii((t.surfaces, t.encode(['abgelegt kommt'])[0])))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    said = subprocess.run([sys.executable, "-c", program, texts], capture_output=True, text=True, env=environment)
    assert said.returncode == 0, said.stderr
    here = sample_tokenizer(candidates, 400, Noise(), 5, 6)
    assert said.stdout.strip() == ascii((here.surfaces, here.encode(["abgelegt kommt"])[0]))


def test_windows_begin_where_words_do() -> None:
    texts = ["one two three " * 10, "", "x" * 200, "four five"]
    drawn = [window for step in range(50) for window in Windows(texts).draw(1, step, 8, 20)]
    assert Windows(texts).draw(1, 3, 8, 20) == drawn[24:32]
    assert all(any(window in text for text in texts) and 1 <= len(window) <= 20 for window in drawn)
    assert all(window[0] == " " or window[0] == "x" or window in (text[:20] for text in texts) for window in drawn)
    assert 0.5 < np.mean([window[0] == "x" for window in drawn]) < 0.62, "by their length"


def make_predictor(tables: tuple[str, ...] = ("input", "output"), residual: bool = False) -> tuple[Any, dict[str, Any]]:
    sizes = Sizes(24, tables, hidden=32, layers=2, pieces=3, residual=residual)
    dice = torch.Generator().manual_seed(1)
    old = {name: 0.5 + torch.randn(40, 24, generator=dice) * torch.arange(1.0, 25) for name in tables}
    predictor = EmbeddingPredictor(sizes, seed=4)
    predictor.fit_scales(old, torch.arange(3, 40))
    return predictor, old


PIECES = [(5, 6), (7,), (), (9, 8, 7, 30), (5, 6, 11), (7,), (9, 8, 7)]


@pytest.mark.parametrize("residual", [False, True])
def test_tokens_do_not_see_each_other(residual: bool) -> None:
    predictor, old = make_predictor(residual=residual)
    with torch.no_grad():
        for head in predictor.heads.values():
            head[1].weight.normal_(generator=torch.Generator().manual_seed(2))
        found = predictor(*arrays(PIECES), len(PIECES), old)
        for name, rows in found.items():
            for number, pieces in enumerate(PIECES):
                alone = predictor(*arrays([pieces]), 1, old)[name][0]
                assert torch.allclose(rows[number], alone, atol=1e-4), (name, pieces)
            assert torch.equal(rows[1], rows[5]) and not torch.allclose(rows[0], rows[4], atol=0.1)
            assert torch.allclose(rows[3], rows[6], atol=1e-4) is not residual, "more than three are not read"
    again = predictor.predict(*arrays(PIECES), len(PIECES), old)
    assert all(torch.equal(again[name], rows) for name, rows in found.items())


def test_predictions_begin_at_the_scale_of_the_old_embeddings() -> None:
    predictor, old = make_predictor()
    made = predictor.predict(torch.arange(3, 40), torch.arange(37), 37, old)
    for name, rows in made.items():
        assert torch.allclose(rows.mean(0), old[name][3:].mean(0), atol=1e-3)
        assert torch.allclose(rows.std(0), old[name][3:].std(0), rtol=1e-3)
        assert not torch.allclose(rows, old[name][3:], atol=1.0)


def test_a_residual_begins_as_the_mean_of_the_pieces() -> None:
    predictor, old = make_predictor(("input",), residual=True)
    pieces_P, token_P = arrays(PIECES)
    made = predictor.predict(pieces_P, token_P, len(PIECES), old)["input"]
    assert torch.equal(made, mean_of_pieces(old["input"], pieces_P, token_P, len(PIECES)))
    assert torch.allclose(made[0], old["input"][[5, 6]].mean(0)) and torch.allclose(made[2], old["input"].mean(0))


def test_flops_are_those_of_the_products() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    predictor, old = make_predictor()
    pieces = [(5, 6, 7)] * 10
    with FlopCounterMode(display=False) as counter:
        predictor(*arrays(pieces), len(pieces), old)
    attention = 2 * 2 * 10 * 2 * 3 * 3 * 32  # two layers, scores and mixing
    assert predictor.sizes.flops(30, 10) == 3 * (counter.get_total_flops() - attention)


def test_distance() -> None:
    old = {"input": torch.randn(9, 4), "output": torch.randn(9, 4)}
    made = {"input": torch.randn(3, 4), "output": torch.randn(3, 4)}
    expected = []
    for name in old:
        squares = [sum(float(made[name][n, d] - old[name][v, d]) ** 2 for d in range(4)) for n, v in ((0, 5), (2, 1))]
        lengths = [math.sqrt(sum(float(x) ** 2 for x in old[name][v])) for v in (5, 1)]
        expected.append(np.mean(squares) / np.mean(lengths))
    same_N = torch.tensor([5, -1, 1])
    assert float(fitting.distance(made, old, same_N)) == pytest.approx(np.mean(expected), rel=1e-5)
    assert float(fitting.distance(made, old, torch.tensor([-1, -1, -1]))) == 0.0


@pytest.mark.parametrize(
    ("backbone", "kind", "options"),
    [
        ("decoder", "bpe", {"tied": False}),
        ("decoder", "sentencepiece", {}),
        ("encoder", "wordpiece", BERT),
        ("encoder_decoder", "bpe", {"tied": False}),
    ],
)
def test_the_loss_is_that_of_a_network_with_these_tables(
    backbone: str, kind: str, options: dict[str, Any], candidates: Candidates, tmp_path: Path
) -> None:
    from dataclasses import replace

    tokenizer = make_tokenizer(tmp_path / "t", kind, TEXTS, STYLES.get(backbone, backbone), 460)
    model = make_model(tmp_path / "model", backbone, tokenizer, extra_rows=4, **options)
    objective = objectives.create(OBJECTIVES[backbone])
    frozen = fitting.Frozen(model, torch.device("cpu"), lambda line: None, objective.wanted_tokens())
    how = fitting.How(2, 0, 1e-3, 4, 24, 400, 80, Noise(1e-4, 1.0), 0.5, 3)
    sampled = fitting.draw(frozen, objective, candidates, Windows(TEXTS), how, 1)
    before, special = tokenizer.vocabulary(), len(frozen.special)
    assert before.tokens[frozen.same("a")] in ("a", "##a"), "not its byte"
    assert sampled.tokens >= 80 and int(sampled.examples.tokens_BL.max()) < special + sampled.tokens
    made = {
        name: mean_of_pieces(old, sampled.pieces_P, sampled.token_P, sampled.tokens) for name, old in frozen.old.items()
    }
    found = frozen.loss(objective, made, sampled.examples, sampled.same_N)
    network = model.network()
    expected = Transformer(replace(network.architecture, vocabulary_size=special + sampled.tokens))
    given = dict(network.named_parameters())
    with torch.no_grad():
        for name, parameter in expected.named_parameters():
            if parameter.shape == given[name].shape:
                parameter.copy_(given[name])
        for name, path in (("input", expected.embedding), ("output", expected.output_embedding)):
            if name in made and path is not None:
                path.weight.copy_(torch.cat((given[TABLES[name]][frozen.special], made[name])))
        if expected.output_bias is not None:
            old = given["output_bias"][: before.size]
            rows = [old[index] if index >= 0 else old.mean() for index in sampled.same_N.tolist()]
            expected.output_bias.copy_(torch.cat((old[frozen.special], torch.stack(rows))))
        wanted = objective.loss(expected, sampled.examples)
    assert found.count == wanted.count > 5
    assert float(found.sum) == pytest.approx(float(wanted.sum), rel=1e-5)
    assert not any(parameter.requires_grad for parameter in frozen.network.parameters())


def test_rows_are_framed_and_cut_down(candidates: Candidates, tmp_path: Path) -> None:
    tokenizer = make_tokenizer(tmp_path / "t", "wordpiece", TEXTS, "encoder")
    model = make_model(tmp_path / "model", "encoder", tokenizer)
    frozen = fitting.Frozen(model, torch.device("cpu"), lambda line: None)
    seen: dict[str, Any] = {}

    class Look:
        def bind(self, vocabulary: Any) -> None:
            seen["vocabulary"] = vocabulary

        def corrupt(self, batch: Any, **_: Any) -> Any:
            seen["batch"] = batch
            return torch.zeros(1)

    how = fitting.How(2, 0, 1e-3, 6, 24, 400, 150, Noise(1e-5, 0.0), 0.5, 3)
    sampled = fitting.draw(frozen, Look(), candidates, Windows(TEXTS), how, 1)  # type: ignore[arg-type]
    vocabulary, batch = seen["vocabulary"], seen["batch"]
    assert sampled.tokens == 150 == vocabulary.size - len(frozen.special)
    windows = Windows(TEXTS).draw(3, 1, 6, 8 * 24)
    for row, ids in enumerate(batch.tokens_BL):
        kept = ids[batch.segments_BL[row] >= 0].tolist()
        assert kept[0] == vocabulary.cls and kept[-1] == vocabulary.sep
        text = "".join(vocabulary.tokens[index] for index in kept[1:-1])
        assert windows[row].startswith(text) and len(text) > 5
    assert [vocabulary.tokens[vocabulary.mask], vocabulary.tokens[vocabulary.unk]] == ["[MASK]", "[UNK]"]
    bounds = torch.searchsorted(sampled.token_P, torch.arange(sampled.tokens + 1)).tolist()
    plain = vocabulary.tokens[len(frozen.special) :]
    for number, text in enumerate(plain):
        pieces = sampled.pieces_P[bounds[number] : bounds[number + 1]].tolist()
        assert tuple(pieces) == frozen.pieces(text)
        if int(sampled.same_N[number]) >= 0:
            assert pieces == [int(sampled.same_N[number])]
    assert 10 < int((sampled.same_N >= 0).sum()) < 150


def test_sentinels_stay_in_every_vocabulary(candidates: Candidates, tmp_path: Path) -> None:
    """Behind the roles, in order, as special tokens with their old rows; a text ends as the encoder knows it to."""
    tokenizer = make_tokenizer(tmp_path / "t", "bpe", TEXTS, "seq2seq", 460)
    model = make_model(tmp_path / "model", "encoder_decoder", tokenizer)
    objective = objectives.create("span_corruption")
    frozen = fitting.Frozen(model, torch.device("cpu"), lambda line: None, objective.wanted_tokens())
    vocabulary = tokenizer.vocabulary()
    assert frozen.special == [vocabulary.pad, vocabulary.unk, vocabulary.eos, *vocabulary.sentinels]
    assert frozen.frame == ([], [frozen.special.index(vocabulary.eos)])
    how = fitting.How(2, 0, 1e-3, 4, 24, 400, 80, Noise(1e-4, 1.0), 0.5, 3)
    sampled = fitting.draw(frozen, objective, candidates, Windows(TEXTS), how, 1)
    examples, first = sampled.examples, frozen.special.index(vocabulary.sentinels[0])
    assert bool((examples.targets_T == first).any()) and bool((examples.tokens_BL == first).any())
    assert bool((examples.targets_T >= len(frozen.special)).any()), "and ordinary tokens of the sampled vocabulary"
    assert 4 * 12 < sampled.read <= 4 * 24
    without = fitting.Frozen(model, torch.device("cpu"), lambda line: None)
    with pytest.raises(InputError, match="the tokenizer has no sentinels"):
        fitting.draw(without, objective, candidates, Windows(TEXTS), how, 1)
