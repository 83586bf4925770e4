"""Tasks on their way to an executor and back: so many at once, each for so long, again where a worker was lost."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from horae.engines.backends import Backend
from horae.engines.messages import Answer, ClientFailure, Message, Reply, Said
from horae.engines.site import Site
from horae.errors import HoraeError

GONE = "worker lost"
LATE = "timed out"


@dataclass(frozen=True)
class Errand:
    """A task of some round, for the row-th of its invited, or one of several questions. tries: how often it was begun
    without an answer.
    """

    flight: int
    row: int
    task: Message
    tries: int = 0


@dataclass(frozen=True)
class Answered:
    """What came back, and how long it took from when it was sent."""

    errand: Errand
    answer: Said
    lasted_s: float


@dataclass
class Dispatch:
    """At most as many tasks are out as there are workers, so that a task's time begins when somebody can begin it.

    After a worker was lost, those tasks that were out with it are done one by one: the task that kills is found out,
    and the others do not suffer for it. forget: called with a task whose update nobody waits for any more.
    """

    backend: Backend
    site: Site
    forget: Callable[[Message], None]
    _waiting: deque[Errand] = field(default_factory=deque, init=False)
    _out: dict[Future[Any], tuple[Errand, float]] = field(default_factory=dict, init=False)
    _stray: set[int] = field(default_factory=set, init=False)

    @property
    def idle(self) -> bool:
        """Nothing is out, and nothing waits."""
        return not self._waiting and not self._out

    def add(self, errands: list[Errand], *, first: bool = False) -> None:
        """Send them when there is room; first: before those that wait already."""
        if first:
            self._waiting.extendleft(reversed(errands))
        else:
            self._waiting.extend(errands)

    def drop(self, flight: int) -> tuple[list[Errand], list[tuple[Errand, float]]]:
        """A round is over: its errands that were never sent, and those that are out, with the seconds since then."""
        unsent = [e for e in self._waiting if e.flight == flight]
        self._waiting = deque(e for e in self._waiting if e.flight != flight)
        now = time.monotonic()
        out = [(e, now - since) for e, since in self._out.values() if e.flight == flight]
        if out:
            self._stray.add(flight)
        return unsent, out

    def at_work(self) -> set[int]:
        """Clients of rounds that are over whose tasks are still out."""
        return {e.task.client for e, _ in self._out.values() if e.flight in self._stray}

    def step(self, most_s: float) -> list[Answered]:
        """Send what there is room for, and wait for the first answers, at most so long. In the order of the clients."""
        lost = self._send()
        if self._out and not lost:
            oldest = min(since for _, since in self._out.values())
            patience_s = min(most_s, max(0.0, oldest + self.site.timeout_s - time.monotonic()))
            wait(self._out, patience_s, FIRST_COMPLETED)
        done = [future for future in self._out if future.done()]
        found: list[Answered] = []
        for future in done:
            found += self._taken(future)
        found += self._overdue()
        kept = [a for a in found if a.errand.flight not in self._stray]
        for answered in (a for a in found if a.errand.flight in self._stray):
            self.forget(answered.errand.task)
        self._stray &= {e.flight for e, _ in self._out.values()}
        return [*lost, *sorted(kept, key=lambda a: a.errand.task.client)]

    def close(self) -> None:
        """Nobody waits for anything any more."""
        out = [errand for errand, _ in self._out.values()]
        self._waiting.clear()
        self._out.clear()
        if out:
            self.backend.renew()
        self.backend.close()
        for errand in out:
            self.forget(errand.task)

    def _send(self) -> list[Answered]:
        lost: list[Answered] = []
        while self._waiting and len(self._out) < self._room():
            errand = self._waiting.popleft()
            since = time.monotonic()
            try:
                future = self.backend.submit(errand.task)
            except HoraeError:
                raise
            except Exception as error:
                lost += self._again(errand, ClientFailure.of(errand.task.client, error), 0.0)
                self.backend.renew()
                break
            self._out[future] = (errand, since)
        return lost

    def _room(self) -> int:
        """Tasks that may be out: one, while one of them is under suspicion."""
        suspects = any(e.tries for e, _ in self._out.values()) or (bool(self._waiting) and self._waiting[0].tries > 0)
        return 1 if suspects else self.backend.workers

    def _taken(self, future: Future[Any]) -> list[Answered]:
        """The answer of a future that is done; none where the task will be done again."""
        if future not in self._out:  # it was lost together with another
            return []
        errand, since = self._out.pop(future)
        lasted_s = time.monotonic() - since
        error = None if future.cancelled() else future.exception()
        if error is None and not future.cancelled():
            answer = future.result()
            if not isinstance(answer, Reply | Answer | ClientFailure):
                answer = ClientFailure(errand.task.client, "no reply", f"the executor returned {type(answer).__name__}")
            return [Answered(errand, answer, lasted_s)]
        broken = error is None or isinstance(error, BrokenExecutor)
        kind = GONE if broken else type(error).__name__
        failure = replace(ClientFailure.of(errand.task.client, error or BrokenExecutor("cancelled")), kind=kind)
        found = self._again(errand, failure, lasted_s)
        if broken and self.backend.renew():
            others, self._out = self._out, {}
            for other, began in others.values():
                found += self._again(other, replace(failure, client=other.task.client), time.monotonic() - began)
        return found

    def _again(self, errand: Errand, failure: ClientFailure, lasted_s: float) -> list[Answered]:
        """Once more, first of all; or the failure, where that was tried often enough."""
        errand = replace(errand, tries=errand.tries + 1)
        if errand.tries < self.site.attempts and errand.flight not in self._stray:
            self._waiting.appendleft(errand)
            return []
        return [Answered(errand, failure, lasted_s)]

    def _overdue(self) -> list[Answered]:
        """Tasks that have lasted too long are given up. Processes are ended for it; the others' tasks begin anew."""
        now, limit = time.monotonic(), self.site.timeout_s
        late = [future for future, (_, since) in self._out.items() if now - since >= limit]
        found = []
        for future in late:
            errand, since = self._out.pop(future)
            why = f"no answer within site.timeout_s = {limit:g} s"
            found.append(Answered(errand, ClientFailure(errand.task.client, LATE, why), now - since))
            if not _cancelled(future):
                future.add_done_callback(lambda _, task=errand.task: self.forget(task))  # type: ignore[misc]
        if late and self.backend.renew():
            others, self._out = self._out, {}
            self._waiting.extendleft(e for e, _ in reversed(others.values()) if e.flight not in self._stray)
        return found


def _cancelled(future: Future[Any]) -> bool:
    """True where the task will never begin. Not every executor's futures can be cancelled: Parsl's raise."""
    with suppress(NotImplementedError):
        return future.cancel()
    return False
