"""Which site each client is at, and questions on their way there and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from horae.engines.dispatch import Answered, Errand
from horae.engines.errands import address_of
from horae.engines.far import Arrays, Asked
from horae.engines.mailbox import Letter
from horae.engines.messages import Answer, ClientFailure, Question, Recipe
from horae.engines.site import Site
from horae.engines.worker import INLINE
from horae.errors import HoraeError
from horae.pure.packing import PackingError, pack, unpack
from horae.types import ROOT, Ints, Plan, Records, Ref

UNREACHABLE = "unreachable"


class Post(Protocol):
    """What carries messages to sites and back: an executor's workers, or Flower's nodes."""

    @property
    def idle(self) -> bool:
        """Nothing is out, and nothing waits."""

    def add(self, errands: list[Errand], *, first: bool = False) -> None:
        """Send them when there is room; first: before those that wait already."""

    def drop(self, flight: int) -> tuple[list[Errand], list[tuple[Errand, float]]]:
        """A round is over: its errands that were never sent, and those that are out, with the seconds since then."""

    def at_work(self) -> set[int]:
        """Clients of rounds that are over who are still at it."""

    def step(self, most_s: float) -> list[Answered]:
        """Send what there is room for, and wait for the first answers, at most so long."""

    def close(self) -> None:
        """Nobody waits for anything any more."""


class Keeper(Protocol):
    """How clients that keep their own affinity records are told something, and say what they remember."""

    def letters(self, client: int, waiting: tuple[Letter, ...]) -> bytes:
        """What goes with this client's next task."""

    def record(self, data: bytes, client: int) -> Records:
        """What came with its reply. Errors: RunError where that cannot be a record of its."""


@dataclass(frozen=True)
class Routes:
    """Sites whose data are their own. recipes: how each makes its world; firsts `(sites,)`: the number of the first of
    its clients, which are numbered one after the other.
    """

    recipes: tuple[Recipe, ...]
    firsts: Ints

    def owner(self, clients: Ints) -> Ints:
        """The site of each of these, `(q,)`."""
        found: Ints = np.searchsorted(self.firsts, clients, "right") - 1
        return found

    def recipe(self, client: int) -> Recipe:
        """How this client's site makes its world."""
        return self.recipes[int(self.owner(np.array([client]))[0])]


class Models:
    """Models that questions are about: each set of them once on the plane, and once packed. put: what lies there."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._packed: dict[tuple[int, ...], bytes] = {}
        self.put: dict[tuple[int, ...], Ref] = {}

    def ref(self, part: Asked) -> Ref:
        """Where they lie."""
        if (key := _key(part)) not in self.put:
            self.put[key] = self._plan.data_plane.put(dict(part.models), ROOT)
        return self.put[key]

    def payload(self, part: Asked) -> bytes:
        """They themselves."""
        if (key := _key(part)) not in self._packed:
            self._packed[key] = pack(dict(part.models)) if part.models else b""
        return self._packed[key]


def _key(part: Asked) -> tuple[int, ...]:
    return tuple(id(array) for array in part.models.values())


@dataclass
class Errands:
    """Sends a question to each site that has a part in it, and waits for all of them. heard: told what comes back
    meanwhile that belongs to a round. apart: clients who do not reach the data plane. failures: what the log has not
    been told yet.
    """

    plan: Plan
    site: Site
    post: Post
    routes: Routes
    heard: Callable[[Answered], None]
    token: Callable[[], int]
    clock: Callable[[], float]
    apart: set[int]
    failures: list[ClientFailure] = field(default_factory=list)

    def __call__(self, asked: Sequence[Asked]) -> list[Arrays | None]:
        """Answers in the order of the questions."""
        token, models = self.token(), Models(self.plan)
        errands = [Errand(token, row, self._question(part, models)) for row, part in enumerate(asked)]
        found: list[Arrays | None] = [None] * len(errands)
        waiting = set(range(len(errands)))
        self.post.add(errands, first=True)
        while waiting:
            for answered in self.post.step(60.0):
                row, question = answered.errand.row, answered.errand.task
                if answered.errand.flight != token:
                    self.heard(answered)
                elif isinstance(question, Question) and self._apart(question, answered):
                    self.post.add([Errand(token, row, self._question(asked[row], models))], first=True)
                else:
                    waiting.discard(row)
                    found[row] = self._opened(answered)
        for ref in models.put.values():
            self._forget(ref)
        return found

    def _question(self, part: Asked, models: Models) -> Question:
        """What many are asked about alike lies on the plane once; or goes along, where it is small or the client does
        not reach the plane.
        """
        address, client = address_of(self.plan), int(part.work.clients[0])
        small = sum(array.nbytes for array in part.models.values()) <= self.site.reference_above
        near = address.startswith(INLINE) or small or client in self.apart
        return Question(
            self.routes.recipes[part.site], INLINE if near else address, client, pack(part.work),
            None if near or not part.models else models.ref(part), models.payload(part) if near else b"",
            "" if near else str(self.plan.data_plane.reserve(ROOT, f"answer-{client}")), self.clock(),
            self.site.timeout_s,
        )  # fmt: skip

    def _apart(self, question: Question, answered: Answered) -> bool:
        """Whether this client turns out not to reach the data plane: then it is asked again, by message."""
        said = answered.answer
        if not isinstance(said, ClientFailure) or said.kind != UNREACHABLE or question.plane.startswith(INLINE):
            return False
        self._forget(question.out)
        self.apart.add(question.client)
        return True

    def _opened(self, answered: Answered) -> Arrays | None:
        """The arrays that a site answered; None, and a line for the log, where it did not."""
        question, said = answered.errand.task, answered.answer
        try:
            if isinstance(said, Answer):
                arrays: Any = unpack(said.payload) if said.ref is None else dict(self.plan.data_plane.get(said.ref))
                if isinstance(arrays, dict) and all(isinstance(a, np.ndarray) for a in arrays.values()):
                    return arrays
                said = ClientFailure(question.client, "no answer", "what came back is no table of arrays")
        except (HoraeError, PackingError) as error:
            said = ClientFailure.of(question.client, error)
        finally:
            if isinstance(question, Question) and question.out:
                self._forget(question.out)
        if isinstance(said, ClientFailure):
            self.failures.append(said)
        return None

    def _forget(self, ref: Ref | str) -> None:
        with suppress(HoraeError, KeyError):
            self.plan.data_plane.evict(ref)
