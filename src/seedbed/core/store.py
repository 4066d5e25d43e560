"""The store: finished artifacts by fingerprint, and the working folders of those in the making.

store/pretrain-3f0c.../      a finished artifact (its manifest names everything in it)
store/unfinished/pretrain-3f0c.../ one in the making; a killed step finds here what it had done
store/unfinished/pretrain-3f0c....lock
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .artifact import FORMAT, MANIFEST, Artifact, describe_files, open_any
from .errors import BusyError, InputError
from .files import storage_errors, sync_folder, sync_tree, write_json


class Store:
    """A folder of artifacts."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def path(self, step: str, fingerprint: str) -> Path:
        return self.root / f"{step}-{fingerprint[:16]}"

    def find(self, step: str, fingerprint: str) -> Artifact | None:
        """The finished artifact with this fingerprint; None if there is none. A damaged one is an error."""
        folder = self.path(step, fingerprint)
        if not (folder / MANIFEST).is_file():
            return None
        artifact = open_any(folder)
        if artifact.fingerprint != fingerprint:
            raise InputError(str(folder), "its manifest belongs to another artifact", fix="remove the folder")
        problems = artifact.problems()
        if problems:
            raise InputError(
                str(folder),
                f"the artifact is damaged: {'; '.join(problems[:3])}",
                fix="remove the folder, or run with --rebuild: the step makes it again",
            )
        return artifact

    @contextlib.contextmanager
    def work(self, step: str, fingerprint: str, *, resumable: bool) -> Iterator[Path]:
        """The working folder of one artifact, locked against other processes; emptied unless the step resumes."""
        folder = self.root / "unfinished" / self.path(step, fingerprint).name
        with storage_errors(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            lock = open(folder.with_name(folder.name + ".lock"), "w")
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BusyError(
                    str(folder), "another process is making this artifact", fix="wait for it, or stop it"
                ) from None
            if not resumable:
                shutil.rmtree(folder, ignore_errors=True)
            with storage_errors(folder):
                folder.mkdir(exist_ok=True)
            yield folder
        finally:
            lock.close()

    def commit(self, work: Path, manifest: dict[str, Any]) -> Artifact:
        """Turn a working folder into an artifact: hash, fsync, manifest last, rename."""
        target = self.path(manifest["step"], manifest["fingerprint"])
        with storage_errors(target):
            sync_tree(work)
            write_json(work / MANIFEST, {"format": FORMAT, **manifest, "files": describe_files(work)})
            if target.exists():
                shutil.rmtree(target)
            os.rename(work, target)
            sync_folder(target.parent)
            lock = work.with_name(work.name + ".lock")
            lock.unlink(missing_ok=True)
        return open_any(target)

    def remove(self, step: str, fingerprint: str) -> None:
        folder = self.path(step, fingerprint)
        (folder / MANIFEST).unlink(missing_ok=True)  # first, so that a half-removed folder does not exist
        shutil.rmtree(folder, ignore_errors=True)
