"""No pruning."""

from __future__ import annotations

from dataclasses import dataclass

from horae.types import Floats, Outcome, Path


@dataclass(frozen=True)
class Dense:
    """Every weight is trained and sent."""

    def init(self, params: Floats, seed: int) -> None:
        """No state."""

    def plan(self, state: None, path: Path, number: int) -> None:
        """The whole model."""

    def learn(self, state: None, outcome: Outcome) -> None:
        """Nothing to learn."""
