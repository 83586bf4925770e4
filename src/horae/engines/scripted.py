"""An engine that tells a prepared story: for tests of the loop, with no model, no data and no randomness."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from horae.types import Bools, Charge, CohortTree, Doubles, Feedback, Floats, Ints, Outcome, Path, Round, State, Updates

Script = Callable[[Round], Floats]


class Scripted:
    """Every round lasts one second, and everybody invited up to the quorum replies.

    script: a round's `(quorum, params)` updates. present: clients that check in, for every cohort; they wish for the
    cohort that asks. answers: what `ask` hands back, by type of work. told, rounds: what was heard.
    """

    def __init__(self, script: Script, present: Ints, answers: dict[type, Any] | None = None) -> None:
        self._script, self._present, self._answers = script, present, answers or {}
        self._running: list[tuple[float, Round]] = []
        self._now_s = 0.0
        self.told: list[Feedback] = []
        self.rounds: list[Round] = []

    @property
    def now_s(self) -> float:
        """Seconds since the run began."""
        return self._now_s

    @property
    def opens_s(self) -> float:
        """At once."""
        return self._now_s

    def check_in(self, tree: CohortTree, path: Path, wanted: int, number: int) -> tuple[Ints, Doubles, Bools]:
        """Everybody, claiming nothing."""
        return self._present, np.full(self._present.size, np.nan), np.zeros(self._present.size, bool)

    def start(self, round: Round) -> None:
        """Note the round; it ends a second from now."""
        self._running.append((self._now_s + 1.0, round))

    def finished(self) -> Iterator[Outcome]:
        """Rounds in the order in which they were started."""
        while self._running:
            self._now_s, round = self._running.pop(0)
            self.rounds.append(round)
            kept, q = round.invited[: round.quorum], min(round.quorum, round.invited.size)
            yield Outcome(
                round, self._now_s - 1.0, self._now_s, kept, Updates(self._script(round)[:q]), np.zeros(0, np.float32),
                np.ones(q, np.int64), np.zeros(q), np.ones(q), round.claims[:q], round.exploring[:q],
                held=None if round.held is None else round.held.only(np.arange(q)),
            )  # fmt: skip

    def ask(self, work: Any, *, charge: bool = True) -> Any:
        """The prepared answer."""
        return self._answers[type(work)]

    def settle(self) -> tuple[Charge, ...]:
        """Nothing costs anything."""
        return ()

    def tell(self, feedback: Feedback | None) -> None:
        """Note what was said."""
        if feedback is not None:
            self.told.append(feedback)

    def snapshot(self) -> State:
        """The clock and what is running."""
        return (self._now_s, list(self._running))

    def restore(self, state: State) -> None:
        """Back to that moment; what was told and heard stays."""
        self._now_s, running = state
        self._running = list(running)

    def homes(self, tree: CohortTree, clients: Ints) -> tuple[tuple[Path, ...], Ints]:
        """Everybody is at home in the first leaf."""
        return tree.paths(), np.zeros(clients.size, np.int64)
