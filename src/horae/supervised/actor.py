"""An aggregator as a Ray actor. Ray is imported when one is wanted."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from horae.engines.dispatch import GONE, LATE
from horae.errors import RunError, one_line
from horae.supervised.host import Host
from horae.supervised.supervisor import Crash


class Actor:
    """A Ray actor with a `Host`. Ray does not restart it: that is the supervisor's to do, with the cohort's state."""

    def __init__(self, ray: Any) -> None:
        search = [place or os.getcwd() for place in sys.path]
        self._ray, self.actor = ray, ray.remote(num_cpus=0, max_restarts=0, max_task_retries=0)(Host).remote(search)

    def ask(self, request: bytes, timeout_s: float) -> bytes:
        """The host's answer. Errors: Crash where the actor is gone or too late."""
        try:
            answer: bytes = self._ray.get(self.actor.answer.remote(request), timeout=timeout_s)
            return answer
        except self._ray.exceptions.GetTimeoutError:
            raise Crash(LATE, f"no answer within site.timeout_s = {timeout_s:g} s") from None
        except self._ray.exceptions.RayError as error:
            raise Crash(GONE, one_line(f"{type(error).__name__}: {error}", 120)) from None

    def end(self) -> None:
        """Kill it: what it knows the loop knows."""
        if self._ray.is_initialized():
            with suppress(Exception):  # whatever Ray says of an actor that is gone
                self._ray.kill(self.actor)


@contextmanager
def actors(workers: int) -> Iterator[Callable[[], Actor]]:
    """What starts an actor: in the cluster that RAY_ADDRESS names, in the one that this process is in already, or in
    one of its own with `workers` CPUs, which ends afterwards. Errors: RunError.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    joins = not ray.is_initialized()
    if joins:
        own: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False}
        try:
            ray.init(log_to_driver=False, **({} if "RAY_ADDRESS" in os.environ else own))
        except Exception as error:  # whatever Ray has to say
            why = one_line(f"{type(error).__name__}: {error}", 160)
            raise RunError(f"site.aggregation: ray did not start ({why})") from None
    try:
        yield lambda: Actor(ray)
    finally:
        if joins:
            ray.shutdown()
