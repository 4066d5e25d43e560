"""Checkpoints that exist whole or not at all.

checkpoints/step-00000100/   model.safetensors, optimizer.safetensors, state.json, ...; manifest.json last
checkpoints/.step-00000100.tmp   one in the making; removed when a run starts
checkpoints/damaged-step-...     one that failed its check, put aside

A checkpoint is written into a temporary folder, every file fsynced; then the manifest with sizes and hashes; then
the folder is renamed. Whatever moment a kill or a power cut chooses, the newest folder `step-*` is whole, unless
the disk loses what it had promised to keep; that is why loading checks every byte.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seedbed.core.errors import InputError, StorageError
from seedbed.core.files import hash_file, read_json, storage_errors, sync_folder, write_json
from seedbed.train.tensorfile import read_tensors, write_tensors

if TYPE_CHECKING:
    import torch

FORMAT = 2
MANIFEST = "manifest.json"
STATE = "state.json"


@dataclass(frozen=True)
class Checkpoint:
    """One whole checkpoint on disk."""

    path: Path
    step: int

    def state(self) -> dict[str, Any]:
        return dict(read_json(self.path / STATE))

    def tensors(self, part: str) -> dict[str, torch.Tensor]:
        """The tensors of one part ("model", "optimizer" ...); {} for a part that had none."""
        path = self.path / f"{part}.safetensors"
        return read_tensors(path) if path.is_file() else {}


class Checkpoints:
    """The checkpoints of one run. `run` is its fingerprint: those of another run are refused."""

    def __init__(
        self, folder: Path, *, run: str = "", keep: int = 2, say: Callable[[str], None] = lambda line: None
    ) -> None:
        assert keep >= 1
        self.folder, self.run, self.keep, self.say = folder, run, keep, say

    def steps(self) -> list[int]:
        """Steps of the checkpoints there are, oldest first; nothing is checked."""
        names = [path.name for path in self.folder.glob("step-*") if path.is_dir()]
        return sorted(int(name[5:]) for name in names if name[5:].isdigit())

    def at(self, step: int) -> Checkpoint:
        return Checkpoint(self.folder / f"step-{step:08d}", step)

    def newest(self) -> Checkpoint | None:
        """The newest whole checkpoint; None if there has never been one. Damaged ones are named and put aside.

        Raises InputError if there are checkpoints but none is whole: to begin anew is not for us to decide.
        """
        for leftover in self.folder.glob(".*.tmp"):
            shutil.rmtree(leftover, ignore_errors=True)
        damaged: list[tuple[Path, str]] = []
        for step in reversed(self.steps()):
            checkpoint = self.at(step)
            problem = self.problem(checkpoint)
            if problem is None:
                for path, why in damaged:
                    self._put_aside(path)
                    self.say(f"the checkpoint {path.name} is damaged ({why}): going on from {checkpoint.path.name}")
                return checkpoint
            damaged.append((checkpoint.path, problem))
        if damaged:
            path, why = damaged[0]
            raise InputError(
                str(path), f"no whole checkpoint is left: {why}", fix=f"to begin anew, remove the folder {self.folder}"
            )
        return None

    def problem(self, checkpoint: Checkpoint) -> str | None:
        """Why a checkpoint cannot be used; None if every file is as it was written."""
        try:
            manifest = read_json(checkpoint.path / MANIFEST)
            step, run, files = manifest["step"], manifest["run"], dict(manifest["files"])
            format_, state = manifest["format"], files[STATE]
        except FileNotFoundError:
            return f"{MANIFEST} is missing"
        except (OSError, ValueError, KeyError, TypeError):
            return f"{MANIFEST} is not whole"
        if format_ != FORMAT:
            return f"it has format {format_}, not {FORMAT}"
        if step != checkpoint.step:
            return f"it holds step {step}"
        if run != self.run:
            return "it belongs to another run"
        assert state
        for name, facts in files.items():
            path = checkpoint.path / name
            if not path.is_file():
                return f"{name} is missing"
            if path.stat().st_size != facts["size"]:
                return f"{name} has {path.stat().st_size} bytes, not {facts['size']}"
            if hash_file(path) != facts["xxh3"]:
                return f"{name} has other contents than when it was written"
        return None

    def save(
        self, step: int, parts: dict[str, dict[str, torch.Tensor]], state: dict[str, Any], *, kept: bool = False
    ) -> Checkpoint:
        """Write one, then remove those beyond the newest `keep`. Raises StorageError; older ones stay untouched. One
        that is `kept` says so in its manifest, and is never removed."""
        target = self.at(step).path
        temporary = self.folder / f".{target.name}.tmp"
        with self._clear_errors(temporary):
            self.folder.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
            files = {
                f"{part}.safetensors": write_tensors(temporary / f"{part}.safetensors", tensors)
                for part, tensors in parts.items()
                if tensors
            }
            write_json(temporary / STATE, state)
            files[STATE] = {"size": (temporary / STATE).stat().st_size, "xxh3": hash_file(temporary / STATE)}
            manifest = {"format": FORMAT, "step": step, "run": self.run, "kept": kept, "files": files}
            write_json(temporary / MANIFEST, manifest)
            sync_folder(temporary)
            assert not target.exists(), f"{target.name} is there already"
            os.rename(temporary, target)
            sync_folder(self.folder)
        self.prune(self.keep)
        return Checkpoint(target, step)

    def prune(self, keep: int) -> None:
        """Remove all but the newest `keep`, and those that are kept for good."""
        for step in self.steps()[:-keep]:
            if not self._is_kept(self.at(step)):
                self._remove(self.at(step).path)

    def _is_kept(self, checkpoint: Checkpoint) -> bool:
        try:
            return bool(read_json(checkpoint.path / MANIFEST).get("kept"))
        except (OSError, ValueError):
            return False  # it is damaged

    def remove_damaged(self) -> None:
        """Remove what was put aside, once the run has ended well."""
        for path in self.folder.glob("damaged-*"):
            shutil.rmtree(path, ignore_errors=True)

    def _remove(self, path: Path) -> None:
        """Rename first: a half-removed checkpoint must not look like a damaged one."""
        if path.exists():
            doomed = path.with_name(f".{path.name}.old.tmp")
            shutil.rmtree(doomed, ignore_errors=True)
            os.rename(path, doomed)
            shutil.rmtree(doomed, ignore_errors=True)

    def _put_aside(self, path: Path) -> None:
        aside = path.with_name(f"damaged-{path.name}")
        with storage_errors(path):
            shutil.rmtree(aside, ignore_errors=True)
            os.rename(path, aside)

    @contextlib.contextmanager
    def _clear_errors(self, temporary: Path) -> Iterator[None]:
        """What the file system refuses, as one error that also says where the run can go on."""
        try:
            with storage_errors(self.folder):
                yield
        except (OSError, StorageError) as error:
            shutil.rmtree(temporary, ignore_errors=True)
            kept = f"; the checkpoint {self.at(self.steps()[-1]).path.name} stays" if self.steps() else ""
            if isinstance(error, StorageError):
                raise StorageError(error.key, error.problem + kept, fix=error.fix) from error
            raise
