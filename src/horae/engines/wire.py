"""A model's way down and an update's way up: through the channels, encoded by the client in order and decoded by the
server in reverse; where weights were dropped, as packed bytes.
"""

from __future__ import annotations

import numpy as np

from horae.pure.codec import mask_nbytes, pack, packed_nbytes, unpack
from horae.types import Channel, Floats, Payload, Submodel


def send(
    channels: tuple[Channel, ...], update: Floats, rng: np.random.Generator, submodel: Submodel | None = None
) -> tuple[Floats, int]:
    """What the server reads of `update (kept,)`, and the bytes that travelled. submodel: whose weights these are."""
    payload: Payload = update
    for channel in channels:
        payload = channel.encode(payload, rng)
    if submodel is None:
        size = nbytes(payload)
    else:
        data = pack(payload, submodel.keep.size, submodel.version)
        size, (payload, _, _) = len(data), unpack(data, {submodel.version: submodel.keep}, submodel.keep.size)
    for channel in reversed(channels):
        payload = channel.decode(payload)
    return np.asarray(payload, np.float32), size


def wire_nbytes(channels: tuple[Channel, ...], kept: int, *, packed: bool = False) -> int:
    """Bytes of an update of that many weights, known before it is trained: a payload's size does not depend on its
    values. packed: with the codec's header, which names the mask.
    """
    if not channels and not packed:
        return 4 * kept
    payload: Payload = np.zeros(kept, np.float32)
    rng = np.random.default_rng(0)
    for channel in channels:
        payload = channel.encode(payload, rng)
    return packed_nbytes(payload) if packed else nbytes(payload)


def model_nbytes(submodel: Submodel, *, new: bool) -> int:
    """Bytes of a model's living weights on the way down. new: with the mask, for a client that has another one."""
    values = np.broadcast_to(np.float32(0), (submodel.kept,))
    return packed_nbytes(values, mask_nbytes(submodel.keep) if new else 0)


def nbytes(payload: Payload) -> int:
    """Bytes of a payload: an array, or a flat dictionary of arrays."""
    arrays = payload.values() if isinstance(payload, dict) else (payload,)
    return sum(np.asarray(array).nbytes for array in arrays)
