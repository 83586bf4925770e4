"""Rounds in flight on the wall clock: who has answered, which is over first, and what they leave on the data plane."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace

from horae.engines.dispatch import Answered, Errand
from horae.engines.errands import by_message
from horae.engines.messages import ClientFailure, Message, Task, Visit
from horae.engines.outcomes import Flight, landed
from horae.engines.routes import UNREACHABLE, Post
from horae.engines.worker import INLINE
from horae.errors import HoraeError
from horae.types import Plan, Ref


@dataclass
class Clock:
    """Seconds since the run began; waiting for nothing is left out."""

    _began: float = field(default_factory=time.monotonic)
    _skipped_s: float = 0.0

    @property
    def now_s(self) -> float:
        """By this clock."""
        return time.monotonic() - self._began + self._skipped_s

    def skip(self, seconds: float) -> None:
        """Put it forward."""
        self._skipped_s += seconds


@dataclass
class Rounds:
    """flights: by number. in_step: they end together, and are told in the order in which they began. retry_s: how far
    the clock is put forward where nobody is there. apart: clients who do not reach the data plane.
    """

    plan: Plan
    post: Post
    clock: Clock
    in_step: bool
    retry_s: float
    apart: set[int] = field(default_factory=set)
    flights: dict[int, Flight] = field(default_factory=dict, init=False)
    _together: list[int] = field(default_factory=list, init=False)  # have ended together and are not told yet

    @property
    def busy(self) -> set[int]:
        """Clients who have not answered."""
        return self.post.at_work().union(*(flight.waited_for for flight in self.flights.values()))

    def ended(self) -> Iterator[tuple[Flight, list[Errand], list[tuple[Errand, float]]]]:
        """Rounds as they end, with the errands of theirs that were never sent, and those that are out since when."""
        while self.flights:
            token = self._next()
            flight = self.flights.pop(token)
            unsent, out = self.post.drop(token)
            for waiting in self.flights.values() if flight.tasks else ():
                waiting.again = True
            yield flight, unsent, out

    def hear(self, answered: Answered) -> None:
        """Note what came back. Inline updates are put on the plane here."""
        errand, task = answered.errand, answered.errand.task
        if errand.flight not in self.flights or not isinstance(task, Task):  # a question that nobody waits for
            self.forget(task)
            return
        answer = landed(self.plan.data_plane, task, answered.answer)
        if isinstance(answer, ClientFailure):
            self.forget(task)
            if answer.kind == UNREACHABLE and not task.plane.startswith(INLINE) and self._in_message(errand, task):
                return
        self.flights[errand.flight].hear(errand.row, answer, answered.lasted_s)

    def release(self, flight: Flight, refs: list[Ref], unsent: list[Message]) -> None:
        """What a round that was learned from leaves on the plane."""
        for ref in (*refs, *flight.models, *([flight.extras] if flight.extras else [])):
            with suppress(HoraeError):
                self.plan.data_plane.evict(ref)
        for task in unsent:
            self.forget(task)

    def forget(self, task: Message) -> None:
        """Nobody waits for what this task would put on the plane."""
        with suppress(HoraeError, KeyError):
            if not isinstance(task, Visit) and task.out and not task.plane.startswith(INLINE):
                self.plan.data_plane.evict(task.out)

    def close(self) -> None:
        """Nobody waits for any of them any more."""
        for flight in self.flights.values():
            self.release(flight, [a.ref for _, a in flight.arrived()], list(flight.tasks.values()))
            self.plan.data_plane.evict(flight.round.model)
        self.flights.clear()

    def _next(self) -> int:
        """The round that is over first."""
        while True:
            if self._together:
                return self._together.pop(0)
            now_s, busy = self.clock.now_s, not self.post.idle
            over = [token for token, flight in self.flights.items() if flight.over(now_s)]
            if self.in_step and len(over) < sum(bool(flight.tasks) for flight in self.flights.values()):
                over = []
            if over:
                self._together = over[1:] if self.in_step else []
                return over[0]
            if not busy:  # there are empty rounds alone, and nobody will come by waiting
                token, flight = next(iter(self.flights.items()))
                self.clock.skip(flight.skip_s or self.retry_s)
                return token
            ends_s = (f.started_s + f.round.deadline_s for f in self.flights.values() if f.tasks)
            left_s = min(ends_s, default=now_s + 60.0) - now_s
            for answered in self.post.step(max(0.0, left_s)):
                self.hear(answered)

    def _in_message(self, errand: Errand, task: Task) -> bool:
        """A client does not reach the data plane: from now on its arrays go in the message. False where the plane is
        gone for us too.
        """
        flight = self.flights[errand.flight]
        with suppress(HoraeError):
            again = by_message(self.plan, flight.round, task)
            self.apart.add(task.client)
            flight.tasks[errand.row] = again
            self.post.add([replace(errand, task=again)])
            return True
        return False
