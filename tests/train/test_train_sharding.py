"""Weights, gradients and optimizer states in shards compute what whole ones do, and checkpoints are the same."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from interruption import Killed, Killer
from pretrain_world import SMALL, World
from processes import launch
from safetensors.torch import load_file
from test_train_distributed import assert_close, end, last, start
from train_world import MadeStream, log_without_times, make_loop, make_run

from seedbed.core import distributed
from seedbed.core.errors import InputError
from seedbed.objectives import objectives
from seedbed.optim import optimizers
from seedbed.train import interventions
from seedbed.train.intervention import Intervention
from seedbed.train.network import check_sharding
from seedbed.train.run import Run


def train_sharded(folder: Path | None, objective: str | Any = "mlm", **extra: Any) -> Run:
    """As `train` of train_world, in shards where there are several processes; one layer's norms are frozen."""
    of_loop = {name: extra.pop(name) for name in ("micro_tokens", "save_every", "clip", "precision") if name in extra}
    run = make_run(objective, **extra)
    run.network.layers[0].feedforward_norm.weight.requires_grad_(False)
    if distributed.world_size() > 1:
        from seedbed.train.sharding import Sharding

        of_loop["sharding"] = Sharding(run.network, run.objective, run.device)
    run.optimizer = optimizers.create("adamw", lr=3e-3).build(run.network)
    loop = make_loop(run, folder, **of_loop)
    with distributed.together():
        loop.train(loop.checkpoints.newest() if loop.checkpoints else None)
    return run


def settings(policy: str = "stop", *others: Intervention) -> dict[str, Any]:
    """An odd number of rows, so that processes differ in their number of micro-batches, and one held-out row, so that
    only the first has any."""
    chosen = [interventions.create("validate", every=3), interventions.create("non_finite", policy=policy)]
    chosen += [interventions.create("language_embeddings"), *others]  # which has parameters of its own
    return {"rows": 7, "steps": 9, "interventions": chosen, "held_out": lambda rows: [MadeStream(9).next(1)]}


def few_targets() -> Any:
    """Most rows have no target, and some processes have none in a step: there the head is not used."""
    return objectives.create("mlm", rate=0.02)


TWO = """
    import sys
    from pathlib import Path
    import torch
    torch.set_num_threads(1)
    from seedbed.core import distributed
    from interruption import Killed, Killer
    from test_train_non_finite import Poisoned
    from test_train_sharding import few_targets, settings, train_sharded
    place = Path(sys.argv[1])
    distributed.setup()
    try:
        train_sharded(place / "cut", **settings("stop", Killer("before_step", 7)))
    except Killed:
        pass
    train_sharded(place / "cut", **settings("stop", Killer("never", 0)))
    train_sharded(place / "mlm", **settings("stop", Killer("never", 0)))
    train_sharded(place / "clm", "clm", **settings())
    train_sharded(place / "few", few_targets(), **settings())
    train_sharded(place / "begun", **settings("stop", Killer("never", 0)))
    poisoned = train_sharded(place / "poisoned", Poisoned({50}), **settings("rollback"))
    print("counts", distributed.rank(), poisoned.counts)
    """


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of two processes; "begun" was begun by one."""
    place = tmp_path_factory.mktemp("two")
    with pytest.raises(Killed):
        train_sharded(place / "run" / "begun", **settings("stop", Killer("before_step", 7)))
    launch(TWO, place, place / "run")
    return place


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same runs in one process, where nothing is in shards."""
    place = tmp_path_factory.mktemp("one")
    train_sharded(place / "mlm", **settings("stop", Killer("never", 0)))
    train_sharded(place / "clm", "clm", **settings())
    train_sharded(place / "few", few_targets(), **settings())
    return place


@pytest.mark.parametrize("name", ["mlm", "clm", "few"])
def test_shards_equal_one_process(name: str, one: Path, two: Path) -> None:
    """Losses, validation, gradient norms, weights and the optimizer's states, up to the order of additions."""
    assert_close(one / name, two / "run" / name, steps=9)
    a, b = (load_file(last(place / name) / "optimizer.safetensors") for place in (one, two / "run"))
    assert a.keys() == b.keys()
    for key, value in a.items():
        torch.testing.assert_close(value, b[key], rtol=1e-3, atol=1e-6)


def test_a_resumed_run_in_shards_ends_with_the_same_bytes(two: Path) -> None:
    whole, cut = two / "run" / "mlm", two / "run" / "cut"
    assert log_without_times(whole) == log_without_times(cut)
    for part in ("model", "optimizer"):
        assert (last(whole) / f"{part}.safetensors").read_bytes() == (last(cut) / f"{part}.safetensors").read_bytes()


def test_two_go_on_where_one_was(one: Path, two: Path) -> None:
    assert_close(one / "mlm", two / "run" / "begun", steps=9)


def test_a_loss_that_is_not_finite_rolls_back_and_names_the_documents(two: Path) -> None:
    output = (two / "output").read_text()
    assert output.count("{'skipped_steps': 1, 'rollbacks': 1}") == 2


def test_one_and_three_go_on_where_two_were(one: Path, two: Path, tmp_path: Path) -> None:
    for name in ("alone", "three"):
        shutil.copytree(two / "run" / "cut", tmp_path / name)
        shutil.rmtree(last(tmp_path / name))  # back to step 8
    train_sharded(tmp_path / "alone", **settings("stop", Killer("never", 0)))
    assert_close(one / "mlm", tmp_path / "alone", steps=9)
    script = """
        import sys
        from pathlib import Path
        import torch
        torch.set_num_threads(1)
        from interruption import Killer
        from test_train_sharding import settings, train_sharded
        train_sharded(Path(sys.argv[1]), say=print, **settings("stop", Killer("never", 0)))
        """
    output = launch(script, tmp_path, tmp_path / "three", processes=3)
    assert "going on from step-00000008" in output
    assert_close(one / "mlm", tmp_path / "three", steps=9)


def test_a_killed_process_is_started_anew_by_torchrun(two: Path, tmp_path: Path) -> None:
    """SIGKILL of one of two in the middle: the other ends with a message, torchrun restarts both, and they end with the
    bytes of a run that was left alone."""
    script = """
        import os, signal, sys
        from pathlib import Path
        import torch
        torch.set_num_threads(1)
        from seedbed.core import distributed
        from interruption import Killer
        from test_train_sharding import settings, train_sharded

        class Killer(Killer):
            def after_step(self, run):
                first = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
                if first and run.step == 6 and distributed.rank() == 1:
                    os.kill(os.getpid(), signal.SIGKILL)

        train_sharded(Path(sys.argv[1]), say=print, **settings("stop", Killer("never", 0)))
        """
    # Had torchrun looked at once, it might have ended the other one before that could say a word.
    code, output = end(start(script, tmp_path, tmp_path / "cut", restarts=1, watch=3.0), tmp_path)
    assert code == 0, output
    assert "stopped, for the connection to another process broke" in output
    assert "going on from step-00000004" in output
    whole = two / "run" / "mlm"
    assert log_without_times(whole) == log_without_times(tmp_path / "cut")
    for part in ("model.safetensors", "optimizer.safetensors"):
        assert (last(whole) / part).read_bytes() == (last(tmp_path / "cut") / part).read_bytes()


def test_the_step_pretrain_in_shards(world: World, tmp_path: Path) -> None:
    """Through the recipe's step: the same fingerprint for any number of processes, and the same model in the end."""
    script = f"""
        import sys
        from pathlib import Path
        import torch
        from pretrain_world import ENCODER
        from seedbed import workspace
        from seedbed.corpus.artifact import Corpus
        from seedbed.train.pretrain import pretrain
        from seedbed.vocabulary.artifact import Tokenizer
        root, corpus, tokenizer = sys.argv[1:]
        with workspace(root):
            made = pretrain(model=ENCODER, tokenizer=Tokenizer.open(tokenizer), data={{Corpus.open(corpus): 1.0}},
                            budget="12 steps", sharding="full", **{SMALL!r})
        print("made", made.path.name)
        """
    output = launch(script, tmp_path, tmp_path / "runs", world["news"].path, world["vocabulary"].path)
    alone = world.pretrain(tmp_path / "alone", sharding="full")
    assert output.count(f"made {alone.path.name}\n") == 2
    a, b = (
        load_file(path / "model.safetensors") for path in (alone.path, tmp_path / "runs" / "store" / alone.path.name)
    )
    assert a.keys() == b.keys()
    for key, value in a.items():
        torch.testing.assert_close(value, b[key], rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("name", ["muon", "soap", "adafactor"])
def test_optimizers_of_whole_matrices_are_refused(name: str, world: World, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sharding: is not for the optimizer .* whole matrices"):
        world.pretrain(tmp_path, optimizer=name, sharding="full")


def test_what_works_elementwise_may_say_so() -> None:
    class Mine:
        elementwise = True

    adamw = optimizers.create("adamw")
    check_sharding(Mine(), [Mine()])
    check_sharding(adamw, [interventions.create("validate"), interventions.create("non_finite")])
    with pytest.raises(InputError, match="sharding: is not for the intervention Intervention"):
        check_sharding(adamw, [Intervention()])
    compressed = optimizers.create("adamw", state="int8")  # scales of blocks of elements
    with pytest.raises(InputError, match="sharding: is not for the optimizer AdamW"):
        check_sharding(compressed, [])
