"""What channels read of each other's payloads: an array, or a dictionary whose array "values" holds the numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from horae.errors import require
from horae.types import Floats, Payload

Arrays = dict[str, np.ndarray[Any, Any]]


def values_of(payload: Payload, who: str) -> tuple[Floats, Arrays]:
    """The numbers that a channel is to code, and the arrays that it leaves as they are. Errors: ConfigError."""
    rest = dict(payload) if isinstance(payload, dict) else {}
    values = rest.pop("values", None) if isinstance(payload, dict) else payload
    ok = isinstance(values, np.ndarray) and values.dtype == np.float32
    got = f"{values.dtype} values" if isinstance(values, np.ndarray) else f"a {type(values).__name__}"
    require(ok, "channels", f"hand float32 values to {who}", got, f"put {who} before the channel that codes them")
    floats: Floats = values
    return floats, rest


def with_values(values: np.ndarray[Any, Any], rest: Arrays) -> Payload:
    """The payload with other numbers: an array where there is nothing beside them."""
    return {**rest, "values": values} if rest else values
