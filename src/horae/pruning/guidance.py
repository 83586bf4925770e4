"""What exploring clients tell of each weight, and what a weight is worth by it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.errors import ConfigError
from horae.pruning.common import normalised
from horae.types import Anatomy, Doubles, Exploration, Floats

MODES = ("weighted", "square", "agreement", "paper")
UNSIGNED = (
    "pruning.mode should not be agreement beside a guidance that holds no signed sums; explore with "
    "--set pruning.mode=agreement"
)


@dataclass(frozen=True)
class Guidance:
    """Means over n explorers of the squared and the signed deviation of each weight, `(params,)`; signed is None where
    nobody was asked for it.
    """

    square: Floats
    signed: Floats | None
    n: int

    @classmethod
    def of(cls, found: Exploration) -> Guidance:
        """From what came back."""
        signed = found.mean("signed").astype(np.float32) if "signed" in found.sums else None
        return cls(found.mean("square").astype(np.float32), signed, found.clients.size)

    def towards(self, other: Guidance, shrink: float) -> Guidance:
        """λ self + (1 - λ) other, with λ = n / (n + shrink): few explorers tell little by themselves."""
        own = np.float32(self.n / (self.n + shrink)) if self.n + shrink else np.float32(0)
        rest = np.float32(1) - own
        both = self.signed is not None and other.signed is not None
        signed = own * self.signed + rest * other.signed if both else None  # type: ignore[operator]
        return Guidance(own * self.square + rest * other.square, signed, self.n)

    def scores(self, params: Floats, anatomy: Anatomy, mode: str, normalisation: str) -> Doubles:
        """What each weight is worth, `(params,)`; g = mean δ².

        weighted    |θ| √g             a weight's size, and how far clients move it
        square      g
        agreement   a g = (mean δ)²    what they move together, a = (Σ δ)² / (n Σ δ²)
        paper       g by itself in each tensor (`normalisation`)
        """
        square = self.square.astype(np.float64)
        if mode == "weighted":
            return np.abs(params.astype(np.float64)) * np.sqrt(square)
        if mode == "agreement":
            if self.signed is None:
                raise ConfigError(UNSIGNED)
            return self.signed.astype(np.float64) ** 2
        return normalised(anatomy, square, normalisation) if mode == "paper" else square
