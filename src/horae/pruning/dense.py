"""No pruning."""

from __future__ import annotations

from dataclasses import dataclass

from horae.types import Ask, Floats, Ints, Outcome


@dataclass(frozen=True)
class Dense:
    """Every weight is trained and sent."""

    def begin(self, params: Floats, buffers: Floats, seed: int, ask: Ask) -> tuple[Floats, None]:
        """The model as it is."""
        return params, None

    def plan(self, state: None, number: int, invited: Ints, ask: Ask) -> None:
        """The whole model."""

    def learn(self, state: None, params: Floats, outcome: Outcome, ask: Ask, *, frozen: bool) -> tuple[Floats, None]:
        """Nothing to learn."""
        return params, None
