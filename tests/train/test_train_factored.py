"""Training of networks whose token embeddings are coordinates over primitives: resumed, forgotten, planned."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from interruption import resumed_equals_whole
from pretrain_world import SMALL, World
from processes import launch
from test_train_distributed import assert_close
from test_train_sharding import train_sharded
from train_world import make_loop, make_run, network_of, objective_of, vocabulary_for, weights

from seedbed.core.counters import key
from seedbed.models.initialize import initialize
from seedbed.models.transformer import Transformer
from seedbed.optim import optimizers
from seedbed.recipe.execute import Workspace, run_plan
from seedbed.recipe.plan import make_plan
from seedbed.recipe.recipe import Recipe
from seedbed.train import Intervention, interventions
from seedbed.train.run import Run
from seedbed.vectors.table import WordTable

PRIMITIVES = 6


def factored(attention: str, *, tied: bool = True) -> dict[str, Any]:
    """A network for `train`, with its optimizer."""
    given = network_of(attention, 3).architecture
    architecture = replace(given, primitives=PRIMITIVES, tied=tied, scaled_output=given.scaled_output and tied)
    network = Transformer(architecture, seed=3, kernel="products")
    return {"network": network, "optimizer": optimizers.create("adamw", lr=3e-3).build(network)}


@pytest.mark.parametrize(("objective", "tied"), [("mlm", True), ("clm", False), ("infilling", True)])
def test_a_run_resumes_bitwise(objective: str, tied: bool, tmp_path: Path) -> None:
    attention = objective_of(objective).attention

    def settings() -> dict[str, Any]:
        return {"objective": objective, "steps": 8, **factored(attention, tied=tied)}

    run = resumed_equals_whole(tmp_path, settings, 5, 7)
    before = dict(factored(attention, tied=tied)["network"].named_parameters())
    for name, value in weights(run).items():
        if "primitives" in name or name.endswith("embedding.weight"):
            assert not torch.equal(value, before[name]), name
    assert run.network.vocabulary_size == vocabulary_for(attention).size


def test_forgetting_draws_both_factors_anew() -> None:
    """As a new network would have them."""
    given, seen = factored("causal", tied=False), dict[str, torch.Tensor]()
    method = interventions.create("active_forgetting", every=3)
    method.prepare(given["network"], 3)

    class Look(Intervention):
        def on_batch(self, run: Run) -> None:
            if run.step == 3:
                seen.update(weights(run))

    run = make_run("clm", steps=4, interventions=[], **given)
    run.interventions = [method, Look()]
    make_loop(run, None).train(None)
    for table in ("embedding", "output_embedding"):
        for factor in ("weight", "primitives"):
            name = f"{table}.{factor}"
            drawn = torch.empty_like(seen[name])
            initialize(name, drawn, key(run.seed, "active_forgetting", 3), run.network.architecture)
            assert torch.equal(seen[name], drawn), name


TWO = """
    import sys
    from pathlib import Path
    import torch
    torch.set_num_threads(1)
    from test_train_factored import factored
    from test_train_sharding import train_sharded
    train_sharded(Path(sys.argv[1]), rows=7, steps=5, **factored("bidirectional", tied=False))
    """


def test_shards_equal_one_process(tmp_path: Path) -> None:
    """Primitives are asked for apart from their table, by the head."""
    train_sharded(tmp_path / "one", rows=7, steps=5, **factored("bidirectional", tied=False))
    launch(TWO, tmp_path, tmp_path / "two")
    assert_close(tmp_path / "one", tmp_path / "two", steps=5)


@pytest.fixture(scope="module")
def vectors(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the words of the corpus, in both languages."""
    folder = tmp_path_factory.mktemp("vectors") / "aligned"
    folder.mkdir()
    rows = map(json.loads, (world.root / "news.jsonl").read_text().splitlines())
    words = sorted({word for row in rows for word in row["text"].split()})
    matrix = np.random.default_rng(0).standard_normal((len(words), 8)).astype(np.float32)
    for name in ("source", "target"):
        WordTable(words, matrix, np.ones(len(words), np.int64), "", True).save(folder / name)
    manifest = {"format": 1, "kind": "aligned_vectors", "fingerprint": "made", "files": {}, "counts": {}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_a_plan_foresees_kept_factors(tied: bool, world: World, vectors: Path, tmp_path: Path) -> None:
    """Before anything is made; training goes on with the factors, and they are in the last model."""
    options = {"layers": 2, "width": 32, "heads": 2, "kernel": "products", "tied": tied}
    common = {**SMALL, "data": {str(world["news"].path): 1.0}, "validate_every": "never", "objective": "mlm"}
    ofa = {"vectors": str(vectors), "primitives": PRIMITIVES, "factors": "kept"}
    steps: dict[str, Any] = {
        "base": {
            "pretrain": {
                **common,
                "model": {"encoder": options},
                "tokenizer": str(world["vocabulary"].path),
                "budget": "2 steps",
            }
        },
        "changed": {
            "change_vocabulary": {
                "model": "base",
                "tokenizer": str(world["larger"].path),
                "method": {"overlap": {"rest": {"ofa": ofa}}},
            }
        },
        "on": {"pretrain": {**common, "model": "changed", "budget": "3 steps"}},
    }
    plan = make_plan(Recipe("planned", steps, seed=3), Workspace(tmp_path).store)
    foreseen = {name: plan.estimate(plan[name]) for name in ("changed", "on")}
    made = run_plan(plan, say=lambda line: None)
    assert foreseen["changed"].parameters == made["changed"].counts["parameters"]
    whole = replace(made["on"].network().architecture, primitives=None)  # type: ignore[attr-defined]
    size, tables = whole.vocabulary_size, 1 if tied else 2
    fewer = tables * (32 * size - PRIMITIVES * (size + 32))
    assert foreseen["on"].parameters == made["on"].counts["parameters"] == whole.num_parameters() - fewer
    assert foreseen["on"].flops == pytest.approx(made["on"].counts["flops"], rel=0.1)
    before, after = (made[name].network() for name in ("changed", "on"))  # type: ignore[attr-defined]
    assert after.architecture.primitives == PRIMITIVES
    assert not torch.equal(before.embedding.primitives, after.embedding.primitives)
    without = made["on"].counts["parameters_without_embeddings"]
    assert without == made["base"].counts["parameters_without_embeddings"]
