"""Aggregators, one per leaf: begun with it, ended with it, and begun again from the loop's copy when they crash.

The loop has every cohort's state after every round, for it is what checkpoints hold. So an aggregator that is lost
takes nothing with it but the step that it was taking.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from horae.errors import RunError, one_line
from horae.pure.packing import pack
from horae.supervised.carrying import carried
from horae.supervised.host import HELD, Failed, Request, Step, loaded
from horae.types import Cohort, News, Outcome, Path, Server

CRASHES = 3  # of one cohort's aggregator in a row: then it is no accident


class Crash(Exception):
    """An aggregator gives no answer any more. kind: in a word; why: in a line."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind, self.why = kind, why


class Home(Protocol):
    """Where one aggregator lives."""

    def ask(self, request: bytes, timeout_s: float) -> bytes:
        """What its `Host` answers. Errors: Crash."""

    def end(self) -> None:
        """End it, whatever it does; twice is no error."""


@dataclass
class Leaf:
    """One cohort's aggregator. holds: the fields of the cohort that it has, by name; {} when it has just begun."""

    home: Home
    holds: dict[str, Any] = field(default_factory=dict)
    crashes: int = 0


class Supervisor:
    """Server steps by aggregators. start: begins one. timeout_s: the longest that one step may last."""

    def __init__(self, server: Server, start: Callable[[], Home], timeout_s: float) -> None:
        self._server, self._start, self._timeout_s = server, start, timeout_s
        self.leaves: dict[Path, Leaf] = {}

    def keep(self, paths: tuple[Path, ...]) -> None:
        """One for each of these, and no other."""
        for path in self.leaves.keys() - set(paths):
            self.leaves.pop(path).home.end()
        for path in paths:
            if path not in self.leaves:
                self.leaves[path] = Leaf(self._start())

    def step(self, cohort: Cohort, outcome: Outcome) -> tuple[Cohort | None, tuple[News, ...]]:
        """The cohort after its step. Where the aggregator crashed there is another one now, and None is the answer.

        Errors: RunError after CRASHES in a row.
        """
        leaf = self.leaves[cohort.path]
        try:
            changed = self._asked(leaf, cohort, outcome)
        except Crash as crash:
            return None, (self._again(leaf, cohort, outcome, crash),)
        stepped = replace(cohort, **changed)
        leaf.crashes, leaf.holds = 0, {name: getattr(stepped, name) for name in HELD}
        return stepped, ()

    def close(self) -> None:
        """End them all."""
        self.keep(())

    def _asked(self, leaf: Leaf, cohort: Cohort, outcome: Outcome) -> dict[str, Any]:
        """The fields that the step changed. What the aggregator has is not sent: states are values, never changed."""
        fresh = not leaf.holds
        own = {name: getattr(cohort, name) for name in HELD}
        held = {name: value for name, value in own.items() if fresh or leaf.holds[name] is not value}
        seen = None if outcome.seen is None else carried(outcome.seen)
        sent = replace(outcome, updates=carried(outcome.updates), seen=seen, news=())
        request = Request(cohort.path, cohort.round, held, sent, self._server if fresh else None)
        answer = loaded(leaf.home.ask(pack(request), self._timeout_s))
        if isinstance(answer, Failed):
            raise Crash(answer.kind, answer.why)
        assert isinstance(answer, Step)  # a host says nothing else
        return answer.changed

    def _again(self, leaf: Leaf, cohort: Cohort, outcome: Outcome, crash: Crash) -> News:
        """Begin another one, and say so. Errors: RunError."""
        leaf.home.end()
        leaf.crashes += 1
        name = ".".join(map(str, (0, *cohort.path)))
        if leaf.crashes >= CRASHES:
            raise RunError(
                f"the aggregator of cohort {name} crashed {CRASHES} times in a row ({crash.kind}: {crash.why}); "
                "mend what it runs, then go on with --resume"
            )
        leaf.home, leaf.holds = self._start(), {}
        return {
            "event": "failure", "cohort": cohort.path, "number": cohort.round, "client": int(outcome.clients[0]),
            "aggregator": name, "kind": crash.kind,
            "why": one_line(f"cohort {name}: {crash.why}; its round is lost and begun again", 200),
        }  # fmt: skip
