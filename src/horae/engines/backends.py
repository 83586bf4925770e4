"""Executors by name, for tasks of a round: whose workers train. Another one is a function of the number of workers.

| name | workers |
|---|---|
| inline | this thread, at once |
| thread | threads of this process; one trains at a time, the others wait for arrays |
| process | processes of this machine |
| parsl, ray | theirs (`training.executors`) |
| globus | a Globus Compute endpoint's |
| globus-emulated | this process, through the code of an endpoint's worker: real serialiser and limits, no network |
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from typing import Any
from uuid import uuid4

from horae.engines.globus import Several, check_size, reached
from horae.engines.site import KNOWN, Site
from horae.errors import ConfigError, HoraeError, RunError, brief, did_you_mean, one_line
from horae.settings import imported
from horae.training.executors import EXECUTORS

NEAR = ("inline", "thread")  # they see this process's memory
NEEDS = {
    "parsl": "parsl", "ray": "ray", "globus": "globus_compute_sdk", "globus-emulated": "globus_compute_endpoint",
}  # fmt: skip
PACKAGES = {"globus": "globus-compute-sdk", "globus-emulated": "globus-compute-endpoint"}


def run_task(task: Any) -> Any:
    """What is sent to workers. It finds everything by importing: some executors send a function's text alone."""
    from horae.engines.worker import work

    return work(task)


@dataclass
class Backend:
    """An executor that is started with the first task, and started again when it broke."""

    name: str
    workers: int
    start: Callable[[], Executor]
    _executor: Executor | None = field(default=None, init=False, repr=False)

    @property
    def near(self) -> bool:
        """Whether tasks see this process's memory."""
        return self.name in NEAR

    def submit(self, task: Any, run: Callable[[Any], Any] = run_task) -> Future[Any]:
        """Have a task done. Errors: RunError where the executor does not start or the task is too large for it, else
        whatever it raises.
        """
        if self.name in ("globus", "globus-emulated"):
            check_size(task)
        if self._executor is None:
            self._executor = self.start()
        return self._executor.submit(run, task)

    def renew(self) -> bool:
        """A worker died, or hangs: processes are ended, threads are left to themselves, others see to it themselves.

        True where all tasks that were out ended with it.
        """
        if not isinstance(self._executor, ProcessPoolExecutor | ThreadPoolExecutor):
            return False
        executor, self._executor = self._executor, None
        ended = isinstance(executor, ProcessPoolExecutor)
        for process in list((getattr(executor, "_processes", None) or {}).values()):
            process.kill()
        executor.shutdown(wait=ended, cancel_futures=ended)
        return ended

    def close(self) -> None:
        """End it; twice is no error."""
        executor, self._executor = self._executor, None
        if executor is None:
            return
        try:
            if isinstance(executor, ProcessPoolExecutor | ThreadPoolExecutor):
                executor.shutdown(wait=isinstance(executor, ProcessPoolExecutor), cancel_futures=True)
            else:  # nobody waits for what is still out; Parsl cannot cancel, and warns
                executor.shutdown(wait=False)
        except Exception as error:  # the run is over: whatever it says is no reason to lose it
            logging.getLogger(__name__).warning("%s did not end well: %s", self.name, one_line(error))


class Inline(Executor):
    """Tasks are done at once, by whoever submits them."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do it."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Emulated(ThreadPoolExecutor):
    """Globus Compute without its service: every task goes through its serialiser and its worker's `execute_task`.

    No network, no queue: what is measured with it should be called emulated.
    """

    def __init__(self) -> None:
        super().__init__(1)
        from globus_compute_sdk.serialize import ComputeSerializer

        self._serializer, self._folder = ComputeSerializer(), tempfile.mkdtemp(prefix="horae-globus-")

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do it in a thread."""
        return super().submit(self._through, fn, args, kwargs)

    def _through(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        from globus_compute_common import messagepack
        from globus_compute_endpoint.engines.helper import execute_task

        parts = [self._serializer.serialize(part) for part in (fn, args, kwargs)]
        body = self._serializer.pack_buffers(parts)
        task = messagepack.message_types.Task(task_id=uuid4(), task_buffer=body)
        found = execute_task(messagepack.pack(task), uuid4(), run_dir=self._folder)
        result = messagepack.unpack(found["packed_result"] if isinstance(found, dict) else found)
        if getattr(result, "is_error", False):
            raise RunError(f"emulated Globus Compute: {one_line(result.error_details, 160)}")
        return self._serializer.deserialize(result.data)


def backend_of(site: Site) -> Backend:
    """The executor that a site names. Errors: ConfigError where there is none, or its library is not installed."""
    name = site.executor
    if name in NEEDS:
        if find_spec(NEEDS[name]) is None:
            raise ConfigError(f"site.executor: {name} is not installed; pip install {PACKAGES.get(name, name)}")
    elif name not in KNOWN and ":" not in name:
        known = f"one of {', '.join(KNOWN)}, or package.module:function"
        raise ConfigError(f"site.executor should be {known}, is {brief(name, 40)}; {did_you_mean(name, KNOWN)}")
    made = _OWN[name] if name in _OWN else partial(_elsewhere, name)
    return Backend(name, 1 if name == "inline" else site.workers, partial(_started, name, partial(made, site)))


def _processes(site: Site) -> Executor:
    from torch import multiprocessing

    from horae.engines.worker import begin

    return ProcessPoolExecutor(site.workers, multiprocessing.get_context("spawn"), begin)


def _globus(site: Site) -> Executor:
    ids = [one.uuid or site.endpoint for one in site.endpoints]
    return Several(ids) if ids else reached(site.endpoint)


def _elsewhere(name: str, site: Site) -> Executor:
    made = EXECUTORS[name] if name in EXECUTORS else imported(name, "site.executor")
    if not callable(made):
        raise ConfigError(f"site.executor: {brief(name)} cannot be called; name a function of the number of workers")
    executor: Executor = made(site.workers)
    return executor


_OWN: dict[str, Callable[[Site], Executor]] = {
    "inline": lambda site: Inline(),
    "thread": lambda site: ThreadPoolExecutor(site.workers, "horae-site"),
    "process": _processes,
    "globus": _globus,
    "globus-emulated": lambda site: Emulated(),
}


def _started(name: str, made: Callable[[], Executor]) -> Executor:
    try:
        executor = made()
    except HoraeError:
        raise
    except Exception as error:  # whatever somebody else's executor has to say
        raise RunError(f"site {name} did not start ({one_line(f'{type(error).__name__}: {error}', 160)})") from None
    if not isinstance(executor, Executor):
        found = type(executor).__name__
        raise ConfigError(f"site.executor: {brief(name)} should return a concurrent.futures.Executor, not {found}")
    return executor
