"""What exploring clients tell of each weight, and what a weight is worth by it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.pruning.common import normalised
from horae.types import Anatomy, Doubles, Exploration, Floats

MODES = ("weighted", "square", "agreement", "paper")


@dataclass(frozen=True)
class Guidance:
    """Means over n explorers of the squared and the signed deviation of each weight, `(params,)`."""

    square: Floats
    signed: Floats
    n: int

    @classmethod
    def of(cls, found: Exploration) -> Guidance:
        """From what came back."""
        square, signed = (found.mean(name).astype(np.float32) for name in ("square", "signed"))
        return cls(square, signed, found.clients.size)

    def towards(self, other: Guidance, shrink: float) -> Guidance:
        """λ self + (1 - λ) other, with λ = n / (n + shrink): few explorers tell little by themselves."""
        own = np.float32(self.n / (self.n + shrink)) if self.n + shrink else np.float32(0)
        rest = np.float32(1) - own
        return Guidance(own * self.square + rest * other.square, own * self.signed + rest * other.signed, self.n)

    def agreement(self) -> Doubles:
        """a = (Σ δ)² / (n Σ δ²) in [0, 1]: do the explorers move a weight the same way? 0 where none moves it."""
        square = self.square.astype(np.float64)
        return np.divide(self.signed.astype(np.float64) ** 2, square, out=np.zeros(square.size), where=square > 0)

    def scores(self, params: Floats, anatomy: Anatomy, mode: str, normalisation: str) -> Doubles:
        """What each weight is worth, `(params,)`; g = mean δ².

        weighted    |θ| √g             a weight's size, and how far clients move it
        square      g
        agreement   a g = (mean δ)²    what they move together
        paper       g by itself in each tensor (`normalisation`)
        """
        square = self.square.astype(np.float64)
        if mode == "weighted":
            return np.abs(params.astype(np.float64)) * np.sqrt(square)
        if mode == "agreement":
            return self.signed.astype(np.float64) ** 2
        return normalised(anatomy, square, normalisation) if mode == "paper" else square
