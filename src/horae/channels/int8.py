"""Eight bits on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from horae.channels.values import values_of, with_values
from horae.errors import WireError, require
from horae.types import Floats, Payload


@dataclass(frozen=True)
class Int8:
    """One byte a weight: a whole number of 127ths of the largest of its block, rounded up or down by chance.

        s_b = max |u_i|,     q_i = ⌊y⌋ + Bernoulli(y - ⌊y⌋),  y = 127 u_i / s_b,     u_i ← s_b q_i / 127

    The mean of what the server reads is u. block: weights that share one scale s_b, four bytes; 0: all of them.

    Source: Alistarh et al. (QSGD, NeurIPS 2017), 3.1. Reading: the largest number, not the 2-norm, is the scale, and
    only what travels has a say in it. A block that is not finite stays so, whole.
    """

    block: int = 256

    def __post_init__(self) -> None:
        require(0 <= self.block <= 2**32, "channels.block", "be in [0, 2^32]", self.block, "0 is one scale for all")

    def encode(self, payload: Payload, rng: np.random.Generator) -> Payload:
        """{"values": int8, "scales": float32}, and other arrays as they are."""
        values, rest = values_of(payload, "int8")
        sizes = np.abs(values)
        starts = np.arange(0, values.size, self.block or max(values.size, 1))
        scales: Floats = np.maximum.reduceat(sizes, starts) if values.size else np.zeros(0, np.float32)
        scales = np.where(np.isfinite(scales), scales, np.float32(np.nan))  # inf times 0 would warn
        whole = (np.isfinite(scales) & (scales > 0)).astype(bool)
        each = self._each(np.where(whole, scales, np.float32(1)), values.size)
        steps = np.where(self._each(whole, values.size), values, np.float32(0)) / each * np.float32(127)
        down = np.floor(steps)
        codes = down + (rng.random(values.size, np.float32) < steps - down)
        return {**rest, "values": codes.astype(np.int8), "scales": scales}

    def decode(self, payload: Payload) -> Payload:
        """The values as float32. Errors: WireError."""
        codes, scales = payload["values"], payload["scales"]
        if scales.size != (-(-codes.size // self.block) if self.block else min(codes.size, 1)):
            raise WireError(f"corrupt payload: {scales.size} scales for {codes.size} values")
        values = codes.astype(np.float32) / np.float32(127) * self._each(scales, codes.size)
        rest = {name: array for name, array in payload.items() if name not in ("values", "scales")}
        return with_values(values, rest)

    def _each(self, blocks: np.ndarray[Any, Any], n: int) -> np.ndarray[Any, Any]:
        """Each weight's, from its block's."""
        return np.repeat(blocks, self.block)[:n] if 0 < self.block < n else np.repeat(blocks, n if blocks.size else 0)
