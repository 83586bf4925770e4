"""An update's way through the channels: encoded by the client in order, decoded by the server in reverse."""

from __future__ import annotations

import numpy as np

from horae.types import Channel, Floats, Payload


def send(channels: tuple[Channel, ...], update: Floats, rng: np.random.Generator) -> tuple[Floats, int]:
    """What the server reads of `update (kept,)`, and the bytes that travelled."""
    payload: Payload = update
    for channel in channels:
        payload = channel.encode(payload, rng)
    size = nbytes(payload)
    for channel in reversed(channels):
        payload = channel.decode(payload)
    return np.asarray(payload, np.float32), size


def wire_nbytes(channels: tuple[Channel, ...], kept: int) -> int:
    """Bytes of an update of that many weights, known before it is trained: a payload's size does not depend on its
    values.
    """
    if not channels:
        return 4 * kept
    return send(channels, np.zeros(kept, np.float32), np.random.default_rng(0))[1]


def nbytes(payload: Payload) -> int:
    """Bytes of a payload: an array, or a flat dictionary of arrays."""
    arrays = payload.values() if isinstance(payload, dict) else (payload,)
    return sum(np.asarray(array).nbytes for array in arrays)
