"""Texts written for texts: the losses, what is written, and the scores."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from seedbed.core.errors import InputError
from seedbed.evaluate import tasks
from seedbed.evaluate.finetuning import Training
from seedbed.evaluate.overlap import rouge_1, rouge_l, words
from seedbed.evaluate.task import EvaluationContext
from seedbed.evaluate.writing import Writer
from seedbed.models import backbones, save_model
from seedbed.models.artifact import Model
from seedbed.models.network import Ranks
from seedbed.objectives.denoising.pairs import Marks
from seedbed.vocabulary.methods.bytes import bytes_
from seedbed.vocabulary.save import finish, special_tokens, write_folder

SIZE = 40
MARKS = Marks(end=1, pad=0, sentinels=(3, 4), special_V=np.arange(SIZE) < 5)
KINDS: dict[str, tuple[str, dict[str, str]]] = {
    "encoder-decoder": ("encoder_decoder", {}),
    "prefix": ("decoder", {"attention": "prefix"}),
    "causal": ("decoder", {}),
}


def writer_of(kind: str) -> Writer:
    name, settings = KINDS[kind]
    sizes = {"layers": 2, "width": 32, "heads": 2, "max_length": 64, "kernel": "products"}
    return Writer(backbones.create(name, **sizes, **settings).network(SIZE + 2, 5, pad=0), MARKS)


def slow_logits(writer: Writer, source: list[int], shown: list[int]) -> torch.Tensor:
    """Of the next token, one pair alone and nothing padded."""
    network, read = writer.network, [*source, MARKS.end]
    with torch.no_grad():
        if writer.kind == "encoder-decoder":
            from seedbed.objectives.base import Outputs

            tokens = torch.tensor([[MARKS.pad, *shown]])
            zeros, places = torch.zeros_like(tokens), torch.arange(tokens.shape[1])[None]
            given = torch.tensor([read])
            hidden = network.decoded(given, torch.zeros_like(given), None, Outputs(tokens, zeros, places))
        else:
            tokens = torch.tensor([[*read, *shown]])
            ranks = Ranks.of_prefix(np.arange(tokens.shape[1])[None] < len(read))
            more = (
                (Ranks(torch.tensor(ranks.shown_BL), torch.tensor(ranks.sees_BL)),)
                if network.attention == "prefix"
                else ()
            )
            hidden = network.hidden(tokens, None, None, *more)
        return network.logits(hidden[:, -1]).double()[0]


@pytest.mark.parametrize("kind", KINDS)
def test_losses_and_what_is_written_one_by_one(kind: str) -> None:
    writer = writer_of(kind)
    random_ = np.random.default_rng(0)
    sources = [random_.integers(5, SIZE, size).tolist() for size in (0, 3, 9, 4)]
    targets = [random_.integers(5, SIZE, size).tolist() for size in (2, 0, 7, 4)]
    nats = writer.nats(list(zip(sources, targets, strict=True)))
    for source, target, found in zip(sources, targets, nats, strict=True):
        whole = [*target, MARKS.end]
        slow = sum(-slow_logits(writer, source, whole[:n]).log_softmax(-1)[whole[n]].item() for n in range(len(whole)))
        assert found == pytest.approx(slow, rel=1e-5)
    allowed = torch.zeros(SIZE + 2, dtype=torch.bool)  # two rows of the embedding have no token
    allowed[5:SIZE] = allowed[MARKS.end] = True
    for source, found in zip(sources, writer.write(sources, 6), strict=True):
        said: list[int] = []
        while len(said) < 6:
            token = int(slow_logits(writer, source, said).masked_fill(~allowed, -torch.inf).argmax())
            if token == MARKS.end:
                break
            said.append(token)
        assert found == said
    assert MARKS.special_V[MARKS.end], "the marks are left as they were"


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_what_all_targets_have_in_common(kind: str) -> None:
    writer, random_ = writer_of(kind), np.random.default_rng(1)
    pairs = [(source, [7]) for source in random_.integers(5, 12, (64, 3)).tolist()]
    before = writer.nats(pairs[48:]).mean()
    writer.fit(pairs[:48], training=Training(epochs=10, batch_size=8, lr=4e-3), seed=0)
    assert writer.nats(pairs[48:]).mean() < 0.3 * before
    assert writer.write([source for source, _ in pairs[48:]], 4) == [[7]] * 16


def test_rouge_by_hand() -> None:
    assert words("The Cat's 2 Žabe!") == ["the", "cat", "s", "2", "žabe"]
    # Lin (2004), section 3.1: subsequences of police killed the gunman
    assert rouge_l("police kill the gunman", "police killed the gunman") == 0.75
    assert rouge_l("the gunman kill police", "police killed the gunman") == 0.5
    assert rouge_1("the gunman kill police", "police killed the gunman") == 0.75
    assert rouge_1("the the the", "the cat") == pytest.approx(2 / 5)
    assert (rouge_l("", "a"), rouge_l("", ""), rouge_1("a", "a")) == (0.0, 0.0, 1.0)


def model_of(backbone: str, folder: Path) -> Model:
    tokenizer = bytes_([], 360, special_tokens("seq2seq", ["[S]"]))
    roles = finish(tokenizer, "seq2seq", ["[S]"])
    for name in ("tokenizer", "model"):
        (folder / name).mkdir()
    write_folder(folder / "tokenizer", tokenizer, roles)
    made = backbones.create(backbone, layers=1, width=16, heads=2, max_length=64)
    card = {"name": "m", "description": "", "details": {}}
    save_model(made.network(tokenizer.get_vocab_size(), 1, pad=0), folder / "tokenizer", folder / "model", card)
    return Model.open(folder / "model")


def test_the_task(tmp_path: Path) -> None:
    model = model_of("encoder_decoder", tmp_path)
    lines = [{"source": f"{n} is a number of some size", "target": "yes" if n % 4 else "no no"} for n in range(60)]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    task = tasks.create("text_to_text", data=tmp_path / "data.jsonl", epochs=1.0, max_target=6, mode="[S]")
    result = task.run(EvaluationContext(model, seeds=1))
    runs = {run.system: run for run in result.runs}
    assert set(runs) == {"model", "untrained", "lead", "frequent"}
    truth = runs["frequent"].items.truth
    assert runs["frequent"].measures["exact"].value == truth.count("yes") / len(truth)
    assert runs["lead"].items.prediction[0] == runs["lead"].items.prediction[0].split()[0]
    bits = runs["model"].measures["bits_per_byte"]
    assert bits.denominators_UK[:, 0].tolist() == [len(text) for text in truth]
    assert 0 < bits.value < math.log2(400) * 2 and result.counts["test"] == len(truth)
    untouched = tasks.create("text_to_text", data=tmp_path / "data.jsonl", epochs=0.0, max_target=6, mode="[S]")
    zero = {run.system: run for run in untouched.run(EvaluationContext(model, seeds=1)).runs}["model"]
    coder = model.tokenizer().load()
    pairs = [
        (
            coder.encode(line["source"], add_special_tokens=False).ids,
            coder.encode(line["target"], add_special_tokens=False).ids,
        )
        for line in lines
        if line["source"] in {text for _, text in result.test_texts}
    ]
    vocabulary = model.tokenizer().vocabulary()
    marks = Marks.of(vocabulary)
    nats = Writer(model.network(), marks, marks.mode(vocabulary, "[S]")).nats(pairs)
    assert zero.measures["bits_per_byte"].value == pytest.approx(
        nats.sum() / math.log(2) / sum(map(len, truth)), rel=1e-5
    )
    with pytest.raises(InputError, match="has no such token"):
        tasks.create("text_to_text", data=tmp_path / "data.jsonl", mode="[Q]").run(EvaluationContext(model, seeds=1))


def test_an_encoder_does_not_write(tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text('{"source": "a", "target": "b"}\n')
    with pytest.raises(InputError, match="needs a model that writes"):
        tasks.create("text_to_text", data=tmp_path / "data.jsonl").run(EvaluationContext(model_of("encoder", tmp_path)))
