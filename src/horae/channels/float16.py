"""Half precision on the wire."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.channels.values import values_of, with_values
from horae.types import Floats, Payload

LARGEST = np.float32(65504)  # of half precision


@dataclass(frozen=True)
class Float16:
    """Two bytes a weight: the nearest number of half precision, eleven significant bits.

        u ← half(min(max(u, -65504), 65504))

    Below 6e-8 half precision has nothing but zero.

    Source: IEEE 754-2019, binary16. Reading: what is beyond its range becomes its largest number, not infinity; what
    was not finite stays so, for the server to refuse.
    """

    def encode(self, payload: Payload, rng: np.random.Generator) -> Payload:
        """The values as float16; other arrays as they are."""
        values, rest = values_of(payload, "float16")
        finite = np.isfinite(values)
        held: Floats = np.where(finite, np.clip(values, -LARGEST, LARGEST), values)
        return with_values(held.astype(np.float16), rest)

    def decode(self, payload: Payload) -> Payload:
        """The values as float32."""
        if not isinstance(payload, dict):
            return payload.astype(np.float32)
        return {**payload, "values": payload["values"].astype(np.float32)}
