"""The steps of all runs as one list of jobs: each distinct step once, done one after the other or side by side.

Steps are the same if their fingerprints are, so what arms and seeds share is made once. Side by side, each process
gets its part of the cores (`SEEDBED_CORES`): small models fill one core better than two half. The last bits of results
depend on the number of cores that a step had.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import active_children, get_context
from pathlib import Path

from seedbed.core.errors import InputError
from seedbed.core.machine import CORES, usable_cores
from seedbed.recipe.execute import Workspace, run_step
from seedbed.recipe.plan import make_plan
from seedbed.recipe.recipe import Recipe

from .arms import ArmRun

Say = Callable[[str], None]
Progress = Callable[[int], None]  # is told how many runs, from the first on, are whole


@dataclass
class Job:
    """One step to make; `runs` are the places of the runs that need it."""

    label: str
    recipe: Recipe
    targets: list[str]  # of the run that it was met in first
    step: str
    fingerprint: str
    waits_for: set[str]
    runs: list[int] = field(default_factory=list)


def jobs_of(runs: Sequence[ArmRun]) -> list[Job]:
    """The steps that are not there yet, each once, in the order of the runs."""
    jobs: dict[str, Job] = {}
    for place, run in enumerate(runs):
        for planned in run.plan:
            if planned.is_cached:
                continue
            if planned.fingerprint not in jobs:
                waits_for = {reference.fingerprint for reference in planned.inputs.values()} & set(jobs)
                label = f"{planned.name} ({run.arm}, seed {run.seed})"
                jobs[planned.fingerprint] = Job(
                    label, run.recipe, run.targets, planned.name, planned.fingerprint, waits_for
                )
            jobs[planned.fingerprint].runs.append(place)
    return list(jobs.values())


def work(runs: Sequence[ArmRun], place: Workspace, processes: int, say: Say, progress: Progress) -> None:
    """Make all that the runs lack. After each step `progress` is told how many runs, from the first on, are whole."""
    jobs = jobs_of(runs)
    waiting = [0] * len(runs)
    for job in jobs:
        for index in job.runs:
            waiting[index] += 1

    def whole() -> int:
        return next((index for index, count in enumerate(waiting) if count), len(runs))

    progress(whole())
    done = _one_by_one(jobs, place, say) if processes == 1 else _side_by_side(jobs, place, processes, say)
    for number, job in enumerate(done, 1):
        for index in job.runs:
            waiting[index] -= 1
        say(f"[{number}/{len(jobs)}] {job.label}")
        progress(whole())


def _one_by_one(jobs: Sequence[Job], place: Workspace, say: Say) -> Iterator[Job]:
    for job in jobs:
        _make(job, place.root, say)
        yield job


def _side_by_side(jobs: Sequence[Job], place: Workspace, processes: int, say: Say) -> Iterator[Job]:
    """Jobs as they end. A failing one lets the running ones end, starts no other, and is raised; when this process is
    told to stop, so are the others, which save what they train."""
    left = {job.fingerprint: job for job in jobs}
    running: dict[Future[None], Job] = {}
    part = max(1, usable_cores() // processes)
    with _terminable():
        pool = ProcessPoolExecutor(processes, get_context("spawn"), initializer=_use_cores, initargs=(part,))
        try:
            while left or running:
                busy = {job.fingerprint for job in running.values()}
                for job in [job for job in left.values() if not job.waits_for & (set(left) | busy)]:
                    if len(running) == processes:
                        break
                    say(f"{job.label} ...")
                    running[pool.submit(_make, job, place.root)] = left.pop(job.fingerprint)
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    job = running.pop(future)
                    _raise_readably(future, job)
                    yield job
        except (KeyboardInterrupt, SystemExit):
            for child in active_children():
                child.terminate()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _use_cores(number: int) -> None:
    """In a process of its own, before it imports what counts the cores."""
    os.environ[CORES] = os.environ["OMP_NUM_THREADS"] = str(number)


def _make(job: Job, root: Path, say: Say = lambda line: None) -> None:
    """Make one step, whose inputs are there; also in a process of its own."""
    run_step(make_plan(job.recipe, Workspace(root).store, job.targets), job.step, say)


def _raise_readably(future: Future[None], job: Job) -> None:
    try:
        future.result()
    except BrokenProcessPool:
        raise InputError(
            job.label,
            "its process has died",
            fix="the same command goes on; with less memory in use, or --jobs 1, if it was killed for memory",
        ) from None


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM as an exception, so that what must be cleaned up is."""

    def stop(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
