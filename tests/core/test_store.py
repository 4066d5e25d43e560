"""Artifacts exist whole or not at all."""

import errno
import json
import os
import subprocess
import sys

import pytest

from seedbed.core import files
from seedbed.core.artifact import Artifact, open_any
from seedbed.core.errors import BusyError, InputError, StorageError
from seedbed.core.store import Store


class Note(Artifact):
    kind = "test-note"


def make(store: Store, fingerprint: str = "f" * 32, text: str = "hello") -> Artifact:
    with store.work("note", fingerprint, resumable=False) as folder:
        (folder / "part").mkdir()
        (folder / "part" / "a.txt").write_text(text)
        manifest = {"step": "note", "kind": "test-note", "fingerprint": fingerprint, "inputs": {}, "counts": {"n": 1}}
        return store.commit(folder, manifest)


def test_a_committed_artifact_is_found_whole(tmp_path):
    store = Store(tmp_path)
    artifact = make(store)
    found = store.find("note", "f" * 32)
    assert found == artifact and isinstance(found, Note)
    assert found.counts == {"n": 1}
    assert found.problems(contents=True) == []
    assert store.find("note", "0" * 32) is None
    assert not list((tmp_path / "unfinished").iterdir())


def test_a_folder_without_a_manifest_does_not_exist(tmp_path):
    store = Store(tmp_path)
    artifact = make(store)
    (artifact.path / "manifest.json").unlink()
    assert store.find("note", "f" * 32) is None
    with pytest.raises(InputError, match="not a whole test-note"):
        Note.open(artifact.path)


@pytest.mark.parametrize("damage", ["truncate", "remove", "half-manifest", "other-fingerprint", "newer"])
def test_damage_is_refused(tmp_path, damage):
    store = Store(tmp_path)
    artifact = make(store)
    file, manifest = artifact.path / "part" / "a.txt", artifact.path / "manifest.json"
    content = json.loads(manifest.read_text())
    if damage == "truncate":
        file.write_text("hel")
    elif damage == "remove":
        file.unlink()
    elif damage == "half-manifest":
        manifest.write_text(manifest.read_text()[:50])
    elif damage == "other-fingerprint":
        manifest.write_text(json.dumps({**content, "fingerprint": "e" * 32}))
    else:
        manifest.write_text(json.dumps({**content, "format": 99}))
    with pytest.raises(InputError):
        store.find("note", "f" * 32)


def test_changed_contents_of_the_same_size_are_seen_by_hash(tmp_path):
    artifact = make(Store(tmp_path))
    (artifact.path / "part" / "a.txt").write_text("HELLO")
    again = open_any(artifact.path)
    assert again.problems() == []
    assert again.problems(contents=True) == ["part/a.txt has other contents than when it was written"]


def test_a_working_folder_stays_for_the_next_try_only_if_the_step_resumes(tmp_path):
    store = Store(tmp_path)
    for resumable in (True, False):
        with pytest.raises(RuntimeError), store.work("note", "a" * 32, resumable=True) as folder:
            (folder / "half").write_text("x")
            raise RuntimeError
        with store.work("note", "a" * 32, resumable=resumable) as folder:
            assert (folder / "half").exists() == resumable


def test_a_second_process_is_refused(tmp_path):
    code = (
        "import sys; from seedbed.core.store import Store\n"
        f"with Store({str(tmp_path)!r}).work('note', 'a' * 32, resumable=True):\n"
        "    print('in', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout and other.stdout.readline() == "in\n"
    with pytest.raises(BusyError, match="another process"), Store(tmp_path).work("note", "a" * 32, resumable=True):
        pass
    other.kill()  # a killed process leaves no lock behind
    other.wait()
    with Store(tmp_path).work("note", "a" * 32, resumable=True):
        pass


def test_a_full_disk_is_one_clear_error_and_the_old_file_stays(tmp_path, monkeypatch):
    target = tmp_path / "state.json"
    files.write_json(target, {"good": 1})

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(StorageError, match="no space left"):
        files.write_json(target, {"good": 2})
    assert json.loads(target.read_text()) == {"good": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_ancestors_follow_the_manifests(tmp_path):
    store = Store(tmp_path)
    first = make(store)
    with store.work("note", "b" * 32, resumable=False) as folder:
        (folder / "x").write_text("x")
        inputs = {"first": {"fingerprint": first.fingerprint, "kind": "test-note", "path": f"../{first.path.name}"}}
        second = store.commit(
            folder, {"step": "note", "kind": "test-note", "fingerprint": "b" * 32, "inputs": inputs, "counts": {}}
        )
    assert second.ancestors() == [first]
