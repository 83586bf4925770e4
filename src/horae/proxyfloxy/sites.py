"""Where endpoints run: each a thread or a process of this machine, all behind one executor, or Globus Compute's."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any

from horae.errors import ConfigError, did_you_mean, one_line
from horae.proxyfloxy.endpoints import Endpoints

OWN = ("thread", "process")
SHARED = ("parsl", "ray")
GLOBUS, EMULATED = "globus", "globus-emulated"
SDK, WORKER = "globus_compute_sdk", "globus_compute_endpoint"


class Sites:
    """One executor for each endpoint, or one for all of them. A context manager: it ends what it started."""

    def __init__(self, starters: list[Callable[[], Executor]], shared: bool = False) -> None:
        self._starters, self._shared = starters, shared
        self._executors: dict[int, Executor] = {}

    def submit(self, endpoint: int, function: Callable[[Any], Any], task: object) -> Future[Any]:
        """Have an endpoint do something; where its process was lost it gets another one."""
        try:
            return self._at(endpoint).submit(function, task)
        except BrokenExecutor:
            self.renew(endpoint, broken=True)
            return self._at(endpoint).submit(function, task)

    def renew(self, endpoint: int, *, broken: bool) -> None:
        """The next task of this endpoint finds a fresh executor, unless the old one is shared and still works."""
        if broken or not self._shared:
            old = self._executors.pop(0 if self._shared else endpoint, None)
            if old is not None:
                end(old)

    def _at(self, endpoint: int) -> Executor:
        place = 0 if self._shared else endpoint
        if place not in self._executors:
            self._executors[place] = self._starters[place]()
        return self._executors[place]

    def __enter__(self) -> Sites:
        return self

    def __exit__(self, *error: object) -> None:
        for executor in self._executors.values():
            if error[0] is None:
                executor.shutdown(wait=True)
            else:
                end(executor)
        self._executors.clear()


def end(executor: Executor) -> None:
    """End an executor without waiting for what it is doing; processes of ours are killed."""
    if isinstance(executor, ProcessPoolExecutor):
        for process in list((executor._processes or {}).values()):
            process.kill()
    executor.shutdown(wait=False, cancel_futures=isinstance(executor, ProcessPoolExecutor | ThreadPoolExecutor))


def executor_name(given: str | None, endpoints: Endpoints) -> str:
    """The executor that goes with these endpoints. Errors: ConfigError."""
    known = (*OWN, *SHARED, GLOBUS, EMULATED)
    name = given or ("process" if endpoints.local else GLOBUS)
    if name not in known and ":" not in name:
        raise ConfigError(
            f"--executor should be one of {', '.join(known)}, or package.module:function, got {one_line(name, 40)}; "
            f"{did_you_mean(name, known)}"
        )
    fits = name != GLOBUS if endpoints.local else name in (GLOBUS, EMULATED)  # who is emulated may have ids
    if not fits:
        which = "null, which means this machine" if endpoints.local else "those of Globus Compute's endpoints"
        remedy = (
            "write the endpoints' ids into the file" if endpoints.local else "leave --executor out, or set all null"
        )
        raise ConfigError(f"--executor {one_line(name, 40)} does not go with ids that are {which}; {remedy}")
    return name


def sites(name: str, endpoints: Endpoints) -> Sites:
    """The executors of that name, which start when they are first used. Errors: ConfigError."""
    n = len(endpoints.workers)
    if name == "thread":
        return Sites([lambda: ThreadPoolExecutor(1)] * n)
    if name == "process":
        return Sites([_process] * n)
    if name == GLOBUS:
        if find_spec(SDK) is None:
            remedy = "pip install globus-compute-sdk, or set all ids to null for endpoints of this machine"
            raise ConfigError(f"endpoints with ids need the Globus Compute SDK, which is not installed; {remedy}")
        return Sites([_globus(endpoint.compute or "") for endpoint in endpoints.workers])
    if name == EMULATED:
        if find_spec(WORKER) is None:
            raise ConfigError(f"--executor {name} needs its worker; pip install globus-compute-endpoint")
        from horae.engines.backends import Emulated

        return Sites([Emulated] * n)
    from horae.training.executors import starter

    try:
        return Sites([starter(name, n)], shared=True)
    except ConfigError as error:
        raise ConfigError(str(error).replace("pool", "--executor", 1)) from None


def _process() -> Executor:
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _begin)


def _globus(endpoint: str) -> Callable[[], Executor]:
    def start() -> Executor:
        from horae.engines.globus import reached

        return reached(endpoint)

    return start


def _begin() -> None:
    """An endpoint's first act as a process: Ctrl-C is the controller's to answer, and who has lost it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = os.getppid()

    def outlive_nobody() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=outlive_nobody, daemon=True).start()
