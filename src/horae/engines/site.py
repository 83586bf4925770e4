"""The `[site]` table: which executor's workers train, in place of the simulation."""

from __future__ import annotations

from dataclasses import dataclass

from horae.errors import require

KNOWN = ("inline", "thread", "process", "parsl", "ray", "globus", "globus-emulated")


@dataclass(frozen=True)
class Site:
    """Where training happens, on the wall clock.

    executor: "" is the simulation; "inline", "thread", "process", "parsl", "ray", "globus" or "package.module:function"
    for a function of the number of workers that returns a concurrent.futures.Executor. workers: tasks at once.
    timeout_s: the longest that one task may last. attempts: how often a client's task is begun before the round goes on
    without it. endpoint: the Globus Compute endpoint's UUID. topology: a YAML file of aggregators that add
    up updates ("": the controller alone does).
    """

    executor: str = ""
    workers: int = 1
    timeout_s: float = 600.0
    attempts: int = 2
    endpoint: str = ""
    topology: str = ""

    def __post_init__(self) -> None:
        require(1 <= self.workers <= 1024, "site.workers", "be in [1, 1024]", self.workers)
        require(0 < self.timeout_s <= 1e7, "site.timeout_s", "be in (0, 1e7]", self.timeout_s)
        require(1 <= self.attempts <= 100, "site.attempts", "be in [1, 100]", self.attempts)
        named = self.executor != "globus" or bool(self.endpoint)
        require(named, "site.endpoint", "be a UUID with globus", self.endpoint, "globus-compute-endpoint list names it")
