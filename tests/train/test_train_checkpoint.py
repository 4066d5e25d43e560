"""Checkpoints exist whole or not at all, whatever happens to the disk."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from seedbed.core.errors import InputError, StorageError
from seedbed.core.files import hash_file
from seedbed.train import checkpoint as module
from seedbed.train.checkpoint import Checkpoints
from seedbed.train.state import pack, unpack
from seedbed.train.tensorfile import read_tensors, write_tensors


def parts(step: int) -> dict[str, dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(step)
    return {
        "model": {"w": torch.randn(40, 30, generator=generator)},
        "optimizer": {
            "state.w.exp_avg": torch.randn(40, 30, generator=generator),
            "state.w.step": torch.tensor(float(step)),
        },
        "interventions": {},
    }


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def checkpoints(tmp_path: Path, said: list[str]) -> Checkpoints:
    return Checkpoints(tmp_path / "checkpoints", run="this", keep=3, say=said.append)


def test_what_was_saved_comes_back(checkpoints: Checkpoints) -> None:
    checkpoints.save(7, parts(7), {"step": 7, "stream": {"row": 3}})
    found = checkpoints.newest()
    assert found is not None and found.step == 7
    assert found.state() == {"step": 7, "stream": {"row": 3}}
    assert torch.equal(found.tensors("model")["w"], parts(7)["model"]["w"])
    assert found.tensors("optimizer")["state.w.step"].item() == 7.0
    assert found.tensors("interventions") == {}


def test_the_newest_are_kept(checkpoints: Checkpoints) -> None:
    for step in (1, 2, 30, 400):
        checkpoints.save(step, parts(step), {})
    assert checkpoints.steps() == [2, 30, 400]
    assert sorted(path.name for path in checkpoints.folder.iterdir()) == [
        "step-00000002",
        "step-00000030",
        "step-00000400",
    ]


def test_none_yet(checkpoints: Checkpoints) -> None:
    assert checkpoints.newest() is None


def truncate(folder: Path) -> None:
    with open(folder / "model.safetensors", "r+b") as file:
        file.truncate(100)


def flip(folder: Path) -> None:
    content = bytearray((folder / "optimizer.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "optimizer.safetensors").write_bytes(content)


def swap_part(folder: Path) -> None:
    shutil.copy(folder.parent / "step-00000001" / "model.safetensors", folder / "model.safetensors")


def swap_all(folder: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(folder.parent / "step-00000001", folder)


def break_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"format": 1, "fil')


def other_run(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "run": "another"}))


def without_state(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["files"]["state.json"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "state.json").unlink()


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "truncated": (truncate, "model.safetensors has 100 bytes, not "),
    "one bit": (flip, "optimizer.safetensors has other contents"),
    "model missing": (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors is missing"),
    "optimizer missing": (
        lambda folder: (folder / "optimizer.safetensors").unlink(),
        "optimizer.safetensors is missing",
    ),
    "state missing": (lambda folder: (folder / "state.json").unlink(), "state.json is missing"),
    "state not declared": (without_state, "manifest.json is not whole"),
    "manifest missing": (lambda folder: (folder / "manifest.json").unlink(), "manifest.json is missing"),
    "manifest broken": (break_manifest, "manifest.json is not whole"),
    "part of another step": (swap_part, "model.safetensors has other contents"),
    "another step's folder": (swap_all, "it holds step 1"),
    "another run's": (other_run, "it belongs to another run"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_named_and_left_for_the_one_before(
    damage: str, checkpoints: Checkpoints, said: list[str]
) -> None:
    for step in (1, 2):
        checkpoints.save(step, parts(step), {"step": step})
    change, message = DAMAGES[damage]
    change(checkpoints.folder / "step-00000002")
    found = checkpoints.newest()
    assert found is not None and found.state() == {"step": 1}
    assert len(said) == 1
    assert "step-00000002 is damaged" in said[0] and message in said[0] and "going on from step-00000001" in said[0]
    assert checkpoints.steps() == [1], "it is put aside, so that retention does not count it"
    checkpoints.save(2, parts(2), {"step": 2})
    assert checkpoints.newest().step == 2


def test_to_begin_anew_is_for_the_user_to_decide(checkpoints: Checkpoints) -> None:
    checkpoints.save(1, parts(1), {})
    truncate(checkpoints.folder / "step-00000001")
    with pytest.raises(InputError, match="no whole checkpoint is left") as caught:
        checkpoints.newest()
    assert "remove the folder" in (caught.value.fix or "")


def test_a_kill_while_saving_leaves_nothing_that_looks_like_a_checkpoint(
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stop at each call that reaches the disk in turn; the checkpoint before must always be found."""

    class Killed(BaseException):
        pass

    checkpoints.save(1, parts(1), {"step": 1})
    names = ["write_tensors", "write_json", "hash_file", "sync_folder"]
    real = {name: getattr(module, name) for name in names}
    calls = 0
    for moment in range(12):
        calls = 0

        def counted(name: str) -> Callable[..., Any]:
            def call(*args: Any) -> Any:
                nonlocal calls
                calls += 1
                if calls > moment:  # noqa: B023
                    raise Killed
                return real[name](*args)

            return call

        with monkeypatch.context() as patch:
            for name in names:
                patch.setattr(module, name, counted(name))
            try:
                checkpoints.save(2, parts(2), {"step": 2})
            except Killed:
                pass
            else:
                break
        found = checkpoints.newest()
        renamed = moment == 6  # all but the last sync of the folder above had been done
        assert found is not None and found.step == (2 if renamed else 1), moment
        assert not list(checkpoints.folder.glob(".*")), "leftovers are removed"
        if renamed:
            shutil.rmtree(found.path)
    assert moment == 7, "the test stopped at every moment there is"


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_full_disk_is_one_clear_error(error: int, checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints.save(1, parts(1), {"step": 1})

    def full(descriptor: int) -> None:
        raise OSError(error, os.strerror(error))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StorageError) as caught:
            checkpoints.save(2, parts(2), {"step": 2})
    assert "the checkpoint step-00000001 stays" in str(caught.value)
    assert caught.value.fix
    assert [path.name for path in checkpoints.folder.iterdir()] == ["step-00000001"], "half a file takes no space"
    assert checkpoints.newest().step == 1


def test_a_limit_on_file_size_is_one_clear_error(tmp_path: Path) -> None:
    """A real refusal by the kernel, in a process of its own."""
    script = textwrap.dedent(
        """
        import resource, sys, torch
        from pathlib import Path
        from seedbed.core.errors import StorageError
        from seedbed.train.checkpoint import Checkpoints
        checkpoints = Checkpoints(Path(sys.argv[1]), run="this")
        checkpoints.save(1, {"model": {"w": torch.zeros(100)}}, {"step": 1})
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            checkpoints.save(2, {"model": {"w": torch.zeros(100_000)}}, {"step": 2})
        except StorageError as error:
            print(error)
        print(checkpoints.newest().step, [path.name for path in checkpoints.folder.iterdir()])
        """
    )
    result = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "c")], capture_output=True, text=True, check=True
    )
    assert "larger than this process may write; the checkpoint step-00000001 stays" in result.stdout
    assert result.stdout.rstrip().endswith("1 ['step-00000001']")


def test_a_really_full_file_system(tmp_path: Path) -> None:
    """A memory file system of one megabyte, where this user may mount one."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a file system; the simulated full disk above is tested everywhere")
    try:
        checkpoints = Checkpoints(place / "checkpoints", run="this")
        checkpoints.save(1, {"model": {"w": torch.zeros(10_000)}}, {"step": 1})
        with pytest.raises(StorageError, match="no space left on the device; the checkpoint step-00000001 stays"):
            checkpoints.save(2, {"model": {"w": torch.zeros(500_000)}}, {"step": 2})
        assert checkpoints.newest().step == 1
        checkpoints.save(3, {"model": {"w": torch.zeros(10_000)}}, {"step": 3})
        assert checkpoints.newest().step == 3
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_folder_that_nobody_may_write_is_one_clear_error(
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints.save(1, parts(1), {"step": 1})
    checkpoints.folder.chmod(0o555)
    if os.access(checkpoints.folder, os.W_OK):  # for root, permissions are no obstacle

        def refuse(*_: Any, **__: Any) -> None:
            raise PermissionError(errno.EACCES, "Permission denied", str(checkpoints.folder))

        monkeypatch.setattr(Path, "mkdir", refuse)
    try:
        with pytest.raises(StorageError, match="no permission to write here; the checkpoint step-00000001 stays"):
            checkpoints.save(2, parts(2), {"step": 2})
    finally:
        checkpoints.folder.chmod(0o755)
    assert checkpoints.newest().step == 1


def test_tensor_files_are_safetensors(tmp_path: Path) -> None:
    tensors = {
        "a": torch.randn(3, 5),
        "b.c": torch.randn(7).to(torch.bfloat16),
        "scalar": torch.tensor(3.0),
        "flags": torch.tensor([True, False, True]),
        "ids": torch.arange(6).reshape(2, 3),
        "turned": torch.randn(4, 6).t(),
        "empty": torch.zeros(0, 3),
        "exact": torch.randn(2, dtype=torch.float64),
    }
    facts = write_tensors(tmp_path / "t.safetensors", tensors)
    path = tmp_path / "t.safetensors"
    assert facts == {"size": path.stat().st_size, "xxh3": hash_file(path)}
    for found in (load_file(path), read_tensors(path)):
        assert found.keys() == tensors.keys()
        for name, tensor in tensors.items():
            assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor), name
    again = write_tensors(tmp_path / "u.safetensors", dict(reversed(tensors.items())))
    assert again == facts


def test_states_pack_tensors_apart() -> None:
    value = {
        "weights": {"text": 0.25, "code": 0.75},
        "mask": torch.tensor([1, 0, 1]),
        "deep": [{"m": torch.ones(2)}, None, True, 3],
        "order": np.arange(5, dtype=np.uint32),
        "row": np.int64(7),
    }
    tensors: dict[str, torch.Tensor] = {}
    packed = json.loads(json.dumps(pack(value, "0", tensors)))
    assert set(tensors) == {"0.mask", "0.deep.0.m"}
    back = unpack(packed, tensors)
    assert back["weights"] == value["weights"] and back["row"] == 7
    assert torch.equal(back["mask"], value["mask"]) and torch.equal(back["deep"][0]["m"], torch.ones(2))
    assert back["order"].dtype == np.uint32 and back["order"].tolist() == [0, 1, 2, 3, 4]
