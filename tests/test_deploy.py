"""The files in deploy/ are what their tools expect: shell, Slurm's directives, Kubernetes' schemas. No cluster here."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

DEPLOY = Path(__file__).parent.parent / "deploy"
SBATCH = sorted(DEPLOY.glob("slurm/*.sbatch"))
MANIFESTS = sorted(DEPLOY.glob("kubernetes/*.yaml"))


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


def test_there_are_files() -> None:
    assert SBATCH and MANIFESTS


@pytest.mark.parametrize("path", SBATCH, ids=lambda path: path.name)
def test_shellcheck_finds_nothing(path: Path) -> None:
    tool = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert tool, "shellcheck comes with the extra `test`"
    result = subprocess.run([tool, "--shell=bash", str(path)], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("path", SBATCH, ids=lambda path: path.name)
def test_directives_stand_before_the_first_command(path: Path) -> None:
    """Slurm reads no further; a directive behind is silently ignored."""
    lines = path.read_text().splitlines()
    first = next(index for index, line in enumerate(lines) if line and not line.startswith("#"))
    assert lines[0] == "#!/bin/bash"
    assert not any(line.startswith("#SBATCH") for line in lines[first:])
    assert any(line.startswith("#SBATCH --signal=B:TERM@") for line in lines[:first])


class Slurm:
    """Stand-ins for Slurm's commands, which write down how they were called."""

    def __init__(self, root: Path) -> None:
        self.log, self.bin = root / "calls", root / "bin"
        self.bin.mkdir()
        self.log.touch()
        self.command("scontrol", '[ "$1" = show ] && printf "node1\\nnode2\\n"; exit 0')
        self.command("scancel", f'kill -TERM "$(cat {root}/srun)"')

    def command(self, name: str, body: str) -> None:
        path = self.bin / name
        path.write_text(f'#!/bin/bash\necho {name} "$@" >> {self.log}\n{body}\n')
        path.chmod(0o755)

    def start(self, path: Path, *arguments: str) -> subprocess.Popen:
        job = {"SLURM_JOB_ID": "17", "SLURM_JOB_NODELIST": "node[1-2]", "SLURM_NNODES": "2", "SLURM_GPUS_ON_NODE": "4"}
        environment = {**os.environ, **job, "PATH": f"{self.bin}:{os.environ['PATH']}"}
        return subprocess.Popen(["bash", str(path), *arguments], env=environment, stderr=subprocess.PIPE, text=True)

    def calls(self) -> list[str]:
        return self.log.read_text().splitlines()


@pytest.mark.parametrize("path", SBATCH, ids=lambda path: path.name)
def test_a_slurm_job_that_ends_by_itself(path: Path, tmp_path: Path) -> None:
    slurm = Slurm(tmp_path)
    slurm.command("srun", "exit 7")
    job = slurm.start(path, "recipe.yaml", "encoder.seed=3")
    assert job.wait(20) == 7, "the job has the code of its steps"
    show, srun = slurm.calls()
    assert show == "scontrol show hostnames node[1-2]"
    for part in (
        "torchrun --nnodes=2 --nproc-per-node=4",
        "--rdzv-endpoint=node1:29500 --rdzv-id=17",
        "--max-restarts=",
    ):
        assert part in srun
    assert srun.endswith(" -m seedbed run recipe.yaml encoder.seed=3")


@pytest.mark.parametrize("path", SBATCH, ids=lambda path: path.name)
def test_a_slurm_job_whose_time_is_over_saves_and_is_queued_again(path: Path, tmp_path: Path) -> None:
    slurm = Slurm(tmp_path)
    slurm.command(
        "srun",
        f'trap "sleep 0.3; echo saved >> {slurm.log}; exit 1" TERM\necho $$ > {tmp_path}/srun\n'
        "for _ in {1..200}; do sleep 0.1; done",
    )
    job = slurm.start(path, "recipe.yaml")
    while not (tmp_path / "srun").exists():
        assert job.poll() is None
        time.sleep(0.02)
    job.send_signal(signal.SIGTERM)
    job.wait(20)
    assert slurm.calls()[2:] == ["scancel --signal=TERM 17.0", "saved", "scontrol requeue 17"]


@pytest.mark.parametrize("path", SBATCH, ids=lambda path: path.name)
def test_a_slurm_job_without_a_recipe_says_how(path: Path, tmp_path: Path) -> None:
    job = Slurm(tmp_path).start(path)
    _, message = job.communicate(timeout=20)
    assert job.returncode == 2 and message.startswith("usage: sbatch")


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_manifests_follow_the_published_schemas(path: Path) -> None:
    """Of the oldest and the newest version that the package knows and that has what we use; unknown keys are errors."""
    for document in documents(path):
        for version in ("1.29", kubernetes_validate.latest_version()):
            kubernetes_validate.validate(document, version, strict=True)
    broken = documents(path)[-1]
    broken["spec"]["complete"] = broken["spec"].pop("completions")
    with pytest.raises(kubernetes_validate.ValidationError, match="complete"):
        kubernetes_validate.validate(broken, "1.29", strict=True)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_what_stands_twice_in_a_manifest_agrees(path: Path) -> None:
    service, job = documents(path)
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    command = container["args"][0]
    name, domain, machines = job["metadata"]["name"], service["metadata"]["name"], spec["completions"]
    assert spec["completionMode"] == "Indexed" and spec["parallelism"] == machines
    assert pod["subdomain"] == domain and service["spec"]["selector"]["batch.kubernetes.io/job-name"] == name
    assert f"--nnodes={machines} " in command
    assert f"--nproc-per-node={container['resources']['limits']['nvidia.com/gpu']} " in command
    port = container["ports"][0]["containerPort"]
    assert f"--rdzv-endpoint={name}-0.{domain}:{port} " in command
    patience = {entry["name"]: entry["value"] for entry in container["env"]}["TORCH_ELASTIC_SHUTDOWN_TIMEOUT"]
    assert int(patience) < pod["terminationGracePeriodSeconds"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    syntax = subprocess.run(["sh", "-n", "-c", command], capture_output=True, text=True)
    assert syntax.returncode == 0, syntax.stderr
