"""Executors by name: whose workers train when one machine is not enough. Another one is a function in EXECUTORS."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from horae.errors import ConfigError, RunError, brief, did_you_mean, one_line
from horae.settings import imported

LOCAL = "local"


def ray(workers: int) -> Executor:
    """Ray: the cluster that RAY_ADDRESS names, otherwise one of its own on this machine with `workers` CPUs."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    class Workers(Executor):
        """Ray's tasks as futures."""

        def __init__(self) -> None:
            own: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False}
            ray.init(log_to_driver=False, ignore_reinit_error=True, **({} if "RAY_ADDRESS" in os.environ else own))

        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            """A task that takes one CPU."""
            future: Future[Any] = ray.remote(num_cpus=1, max_retries=0)(fn).remote(*args, **kwargs).future()
            return future

        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            """Leave the cluster."""
            ray.shutdown()

    return Workers()


def parsl(workers: int) -> Executor:
    """Parsl: `workers` processes of its own on this machine. For a site write a function like this, with its Config."""
    from parsl.concurrent import ParslPoolExecutor
    from parsl.config import Config
    from parsl.executors import HighThroughputExecutor

    class Workers(ParslPoolExecutor):  # type: ignore[misc]
        """Parsl's, and the directory that it writes to."""

        def __init__(self) -> None:
            self._folder = tempfile.mkdtemp(prefix="horae-parsl-")
            # Parsl begins no more workers than there are cores for, with a core for each unless told otherwise.
            sizes = {"max_workers_per_node": workers, "cores_per_worker": 1e-3}
            here = HighThroughputExecutor(label="horae", address="127.0.0.1", **sizes)
            try:
                super().__init__(Config([here], run_dir=self._folder, usage_tracking=0, initialize_logging=False))
            except BaseException:
                shutil.rmtree(self._folder, ignore_errors=True)
                raise

        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            """End its processes; nothing of it is left afterwards."""
            try:
                super().shutdown(wait=wait, cancel_futures=cancel_futures)
            finally:
                shutil.rmtree(self._folder, ignore_errors=True)

    # Parsl looks for its own programs along PATH, which leads to them only in an activated environment.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return Workers()


EXECUTORS: dict[str, Callable[[int], Executor]] = {"ray": ray, "parsl": parsl}


def starter(name: str, workers: int) -> Callable[[], Executor]:
    """What starts the executor of that name, or of "package.module:function"; the function takes the number of workers.

    Errors: ConfigError where there is none, or where its library is not installed.
    """
    if name in EXECUTORS:
        if find_spec(name) is None:
            raise ConfigError(f'pool: {name} is not installed; pip install "horae[{name}]"')
        return partial(_started, name, EXECUTORS[name], workers)
    if ":" not in name:
        known = (LOCAL, *EXECUTORS)
        which = f"one of {', '.join(known)}, or package.module:function"
        raise ConfigError(f"pool should be {which}, is {brief(name, 40)}; {did_you_mean(name, known)}")
    function = imported(name, "pool")
    if not callable(function):
        raise ConfigError(f"pool: {brief(name)} cannot be called; name a function that takes the number of workers")
    return partial(_started, name, function, workers)


def _started(name: str, function: Callable[[int], Executor], workers: int) -> Executor:
    try:
        executor = function(workers)
    except Exception as error:  # whatever somebody else's executor has to say
        raise RunError(f"pool {name} did not start ({one_line(f'{type(error).__name__}: {error}', 160)})") from None
    if not isinstance(executor, Executor):
        found = type(executor).__name__
        raise ConfigError(f"pool: {brief(name)} should return a concurrent.futures.Executor, not {found}")
    return executor
