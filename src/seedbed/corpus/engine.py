"""Daft, with its usage statistics and progress bars switched off. Import it from here, and only in functions.

Where it computes is no parameter of a step, since it changes no result: `SEEDBED_ENGINE=ray` (or `seedbed run --engine
ray`) gives the work to a Ray cluster, the one that RAY_ADDRESS names, else one that runs on this machine, else a new
one of all its cores. docs/cluster.md says how to start one.
"""

import logging
import os

# Before the imports: Daft reports its import as an event.
os.environ["DO_NOT_TRACK"] = "true"
os.environ["SCARF_NO_ANALYTICS"] = "true"
os.environ["DAFT_ANALYTICS_ENABLED"] = "0"
os.environ["DAFT_PROGRESS_BAR"] = "0"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import daft
from daft import functions

from seedbed.core.errors import InputError, missing_extra

ENGINE = "SEEDBED_ENGINE"
_ENGINES = ("native", "ray")


def _start(engine: str) -> None:
    """Daft takes its runner once in a process."""
    if engine not in _ENGINES:
        raise InputError(ENGINE, "there is no such engine", value=engine, allowed=_ENGINES)
    if engine == "native":
        return
    try:
        import ray
    except ImportError as error:
        raise missing_extra("ray", "ray", "the engine 'ray'") from error
    try:
        ray.init(ignore_reinit_error=True, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        problem = f"no Ray cluster can be reached: {str(error).splitlines()[0]}"
        raise InputError("RAY_ADDRESS", problem, value=os.environ.get("RAY_ADDRESS")) from None
    daft.set_runner_ray(noop_if_initialized=True)


if "DAFT_FLOTILLA_WORKER" not in os.environ:  # a worker of the cluster computes by itself
    _start(os.environ.get(ENGINE) or "native")

__all__ = ["daft", "functions"]
