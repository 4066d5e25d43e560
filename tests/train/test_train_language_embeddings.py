"""Embeddings of language and script before the head: whose token gets which, what they do, what is saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from interruption import resumed_equals_whole
from pretrain_world import ENCODER, SMALL, World
from train_world import LENGTH, SPECIALS, TOKENIZER, MadeStream, batch_of, make_loop, make_run, train

from seedbed.core.errors import InputError
from seedbed.data.artifact import TokenFile
from seedbed.data.batch import Batch
from seedbed.models.languages import FILE, Languages
from seedbed.objectives.prediction import target_states
from seedbed.train import interventions
from seedbed.train.sampled import with_sampled_targets
from seedbed.train.sources import Sources

LABELS = ["aa_Latn", "bb", "aa_Cyrl"]


def file_of(labels: list[str]) -> TokenFile:
    """A document of ten tokens for each label."""
    count = len(labels)
    tokens = np.tile(np.arange(SPECIALS, SPECIALS + 10), count)
    return TokenFile(
        tokens, np.arange(count) * 10, np.full(count, 10), np.full(count, 10), [f"d{i}" for i in range(count)], labels
    )


def sources_of(labels: list[str], held_out: list[str]) -> Sources:
    return Sources({"made": file_of(labels)}, {"made": 1.0}, {"made": file_of(held_out)}, {"made": "made"}, {})


def by_domain(labels: list[str] = LABELS, held_out: tuple[str, ...] = ("cc",)) -> Any:
    made = interventions.create("language_embeddings", column="domain")
    made.on_data(sources_of(labels, list(held_out)), TOKENIZER)
    return made


class Labelled(MadeStream):
    """The made stream, whose documents have the languages in turn."""

    files = (file_of([LABELS[index % 3] for index in range(20_000)]),)

    def next(self, num_rows: int) -> Batch:
        batch = super().next(num_rows)
        batch.files = self.files
        return batch


def settings(objective: str = "mlm") -> dict[str, Any]:
    return {"objective": objective, "steps": 8, "stream": Labelled(3), "interventions": [Prepared()]}


class Prepared(type(interventions.create("language_embeddings"))):  # type: ignore[misc]
    """With data of several languages in place of the one that `make_run` shows."""

    def __init__(self) -> None:
        super().__init__("domain")

    def on_data(self, sources: Sources, tokenizer: Any) -> None:
        super().on_data(sources_of(LABELS, ["cc"]), tokenizer)


def test_rows_of_the_table() -> None:
    """Languages in their order, scripts after them; what stands behind the label's last dash is a script's name."""
    hook = by_domain()
    assert hook._rows == {"aa_Latn": (0, 3), "aa_Cyrl": (0, 3), "bb": (1, 3), "cc": (2, 3)}
    run = make_run()
    hook.prepare(run.network, 3)
    table = run.network.added_embedding.weight
    assert table.shape == (4, 32) and 0.01 < float(table.detach().std()) < 0.03


@pytest.mark.parametrize("objective", ["mlm", "clm"])
def test_every_target_has_its_own_documents_rows(objective: str) -> None:
    """Against a loop over rows, pieces and columns; also of some of the rows, and with lines behind the documents."""
    run = make_run(objective, stream=Labelled(3), interventions=[Prepared()])
    (hook,) = run.interventions
    plain = run.stream.next(6)
    count = len(plain.pieces_N6)
    for batch in (plain, plain.select(slice(2, 5)), plain.framed([[]] * count, [[50, 51]] * count)):
        examples = run.objective.corrupt(batch, seed=1, progress=0.0)
        hook.on_examples(run, batch, examples)
        width = batch.tokens_BL.shape[1]
        wanted = {}
        for row, start, _, _, document, _ in batch.pieces_N6.tolist():
            for column in range(start, width):  # later pieces write over it
                wanted[row * width + column] = hook._rows[LABELS[document % 3]]
        assert [tuple(pair) for pair in examples.added_TK.tolist()] == [wanted[where] for where in examples.where_T]
        assert len({tuple(pair) for pair in examples.added_TK.tolist()}) > 1


def test_the_loss_is_that_of_hidden_states_with_both_vectors_added() -> None:
    """And the gradient of a row of the table is the sum of the gradients of its targets' states."""
    run = make_run(stream=Labelled(3), interventions=[Prepared()])
    loop = make_loop(run, None, micro_tokens=1000)
    ((_, examples),) = loop.passes.examples(run.stream.next(8), slice(0, 8), 0, 0.0)
    examples = examples.to("cpu")
    network = run.network
    loss = run.objective.loss(network, examples)
    loss.sum.backward()
    hidden = network.hidden(examples.tokens_BL, examples.segments_BL, examples.positions_BL).detach().flatten(0, 1)
    table = network.added_embedding.weight.detach()
    states = torch.stack(
        [
            hidden[int(where)] + table[int(language)] + table[int(script)]
            for where, (language, script) in zip(examples.where_T, examples.added_TK, strict=True)
        ]
    ).requires_grad_()
    by_hand = torch.nn.functional.cross_entropy(network.logits(states), examples.targets_T, reduction="sum")
    assert float(loss.sum.detach()) == pytest.approx(float(by_hand.detach()), rel=1e-5)
    by_hand.backward()
    wanted = torch.zeros_like(table)
    for gradient, rows in zip(states.grad, examples.added_TK, strict=True):
        for row in rows:
            wanted[row] += gradient
    torch.testing.assert_close(network.added_embedding.weight.grad, wanted, rtol=1e-4, atol=1e-5)
    assert not wanted[2].any() and wanted[0].any(), "cc stands in held-out documents only"
    torch.testing.assert_close(target_states(network, examples), states.detach())
    drawn = with_sampled_targets(network, examples, 1)
    assert drawn.added_TK is examples.added_TK


def test_a_batch_without_documents_or_targets_is_no_special_case() -> None:
    run = make_run(stream=Labelled(3), interventions=[Prepared()])
    empty = batch_of([[]])
    examples = run.objective.corrupt(empty, seed=0, progress=0.0)
    run.interventions[0].on_examples(run, empty, examples)
    assert examples.added_TK.shape == (0, 2)
    loss = run.objective.loss(run.network, examples.to("cpu"))
    loss.sum.backward()
    assert float(loss.sum.detach()) == 0 and loss.count == 0


@pytest.mark.parametrize("killed_at", [3, 7])
def test_resume(killed_at: int, tmp_path: Path) -> None:
    run = resumed_equals_whole(tmp_path, settings, killed_at)
    begun = make_run(**settings()).network.added_embedding.weight
    trained = run.network.added_embedding.weight
    assert not torch.equal(trained[[0, 1, 3]], begun[[0, 1, 3]])
    assert torch.equal(trained[2], begun[2]), "what no target uses stays, so nothing decays"


def test_accumulation_equals_the_large_batch() -> None:
    small = train(None, **settings(), micro_tokens=2 * LENGTH)
    large = train(None, **settings(), micro_tokens=100 * LENGTH)
    torch.testing.assert_close(
        small.network.added_embedding.weight, large.network.added_embedding.weight, rtol=1e-3, atol=1e-5
    )


def test_with_a_network_without_them_nothing_changes() -> None:
    """Of a single language with rows of zeros that stay there, training is what it was."""
    plain = train(None, "mlm", steps=3)
    hook = interventions.create("language_embeddings")
    run = make_run("mlm", steps=3, interventions=[hook])
    with torch.no_grad():
        run.network.added_embedding.weight.zero_()
    run.network.added_embedding.weight.requires_grad_(False)
    run.optimizer.param_groups[-1]["params"] = [
        p
        for p in run.network.parameters()
        if p.requires_grad and any(p is q for q in run.optimizer.param_groups[-1]["params"])
    ]
    make_loop(run, None).train()
    hook.export(run.network)
    for (name, mine), (other, theirs) in zip(
        run.network.named_parameters(), plain.network.named_parameters(), strict=True
    ):
        assert name == other and torch.equal(mine, theirs)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A model of two languages in two scripts, through the steps."""
    world = World(tmp_path_factory.mktemp("languages"))
    there = {ord(a): b for a, b in zip("abcdefghij", "абцдефгхик", strict=True)}
    rows = [json.loads(line) for line in (world.root / "news.jsonl").read_text().splitlines()]
    rows = [{"id": row["id"], "text": row["text"].translate(there)} for row in rows]
    (world.root / "vesti.jsonl").write_text("\n".join(map(json.dumps, rows)))
    made = world.run(
        {
            **{
                name: {
                    "build_corpus": {
                        "read": [{"jsonl": {"path": str(world.root / f"{name}.jsonl"), "domain": name}}],
                        "split": {"validation": 0.2},
                    }
                }
                for name in ("news", "vesti")
            },
            "both": {"train_tokenizer": {"corpus": ["news", "vesti"], "size": 200}},
            "encoder": {
                "pretrain": {
                    "model": {
                        "encoder": {
                            **ENCODER["encoder"],
                            "norm": "post",
                            "positions": "learned",
                            "gated": False,
                            "bias": True,
                        }
                    },
                    "tokenizer": "both",
                    "data": {"news": 0.5, "vesti": 0.5},
                    "budget": "8 steps",
                    "validate_every": "4 steps",
                    "interventions": ["language_embeddings"],
                    **SMALL,
                }
            },
            "scores": {"evaluate": {"model": "encoder", "baselines": False, "tasks": ["donor_languages"]}},
        }
    )
    return made


def test_the_saved_model_is_its_stock_class(two: Any) -> None:
    from transformers import AutoModelForMaskedLM

    model = two["encoder"]
    theirs = AutoModelForMaskedLM.from_pretrained(model.path).eval()
    assert type(theirs).__name__ == "BertForMaskedLM"
    tokens = torch.arange(5, 25)[None]
    ours = model.network()
    with torch.no_grad():
        torch.testing.assert_close(theirs(tokens).logits[0], ours.logits(ours.hidden(tokens)[0]), rtol=1e-4, atol=1e-4)
    assert ours.added_embedding is None
    assert "added_embedding.weight" not in {name for name, _ in ours.named_parameters()}


def test_the_embeddings_are_kept_beside_it(two: Any) -> None:
    """As the last checkpoint has them."""
    from seedbed.train.checkpoint import Checkpoints

    folder = two["encoder"].path
    known = Languages.read(folder)
    assert known.written == {"news": ["latin"], "vesti": ["cyrillic"]}
    checkpoints = Checkpoints(folder / "checkpoints", run=two["encoder"].fingerprint)
    table = checkpoints.at(8).tensors("model")["added_embedding.weight"].numpy()
    vectors = [*known.languages.values(), *known.scripts.values()]
    assert list(known.languages) == ["news", "vesti"] and list(known.scripts) == ["cyrillic", "latin"]
    assert np.array_equal(np.stack(vectors), table)
    assert FILE in two["encoder"].manifest["files"]


def test_donors(two: Any) -> None:
    items = two["scores"].items("donor_languages")
    assert [(row["item"], row["prediction"]) for row in items] == [("news", "vesti"), ("vesti", "news")]
    first, second = Languages.read(two["encoder"].path).languages.values()
    cosine = float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))
    assert items[0]["score"] == pytest.approx(cosine, rel=1e-5)
    assert two["scores"].value("donor_languages", "cosine") == pytest.approx(cosine, rel=1e-5)
    assert two["scores"].value("donor_languages", "same_script") == 0


def test_bad_input() -> None:
    with pytest.raises(InputError, match="1 of 2 documents of made have no domain"):
        by_domain(["aa", ""])
    with pytest.raises(InputError, match="column"):
        interventions.create("language_embeddings", column="color")
