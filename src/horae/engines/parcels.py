"""An update on the data plane: encoded by the channels, the living weights alone, as named arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from horae.types import Channel, Floats, Payload, Submodel

UPDATE, PROBE, MASK = "update", "probe", "mask"

Arrays = Mapping[str, np.ndarray[Any, Any]]


def parcel(
    channels: tuple[Channel, ...], update: Floats, rng: np.random.Generator, submodel: Submodel | None = None
) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays that travel for `update (params,)`. Runs at the client."""
    payload: Payload = update if submodel is None else submodel.gather(update)
    for channel in channels:
        payload = channel.encode(payload, rng)
    if isinstance(payload, dict):
        return {f"{UPDATE}/{name}": np.asarray(array) for name, array in payload.items()}
    return {UPDATE: np.asarray(payload)}


def opened(channels: tuple[Channel, ...], arrays: Arrays, submodel: Submodel | None = None) -> Floats:
    """The update `(params,)` as the server reads it."""
    payload: Payload = arrays.get(UPDATE)
    if payload is None:
        parts = {name: array for name, array in arrays.items() if name != PROBE}
        payload = {name.removeprefix(f"{UPDATE}/"): array for name, array in parts.items()}
    for channel in reversed(channels):
        payload = channel.decode(payload)
    read = np.asarray(payload, np.float32)
    return read if submodel is None else submodel.scatter(read)


def with_probe(arrays: Arrays, probe: Floats, submodel: Submodel | None = None) -> dict[str, np.ndarray[Any, Any]]:
    """The same with a second update `(params,)` beside the first: its living weights, which pass no channel."""
    return {**arrays, PROBE: probe if submodel is None else submodel.gather(probe)}


def probe_in(arrays: Arrays, submodel: Submodel | None = None) -> Floats:
    """The second update `(params,)`. Errors: KeyError where there is none."""
    read = np.asarray(arrays[PROBE], np.float32)
    return read if submodel is None else submodel.scatter(read)


def small_model(model: Arrays, submodel: Submodel) -> dict[str, np.ndarray[Any, Any]]:
    """What a client is sent that trains some of the weights: these, in order, the mask as bits, and the buffers."""
    mask = np.packbits(submodel.keep)
    return {"params": submodel.gather(model["params"]), "buffers": model["buffers"], MASK: mask}


def submodel_of(model: Arrays, params: int) -> Submodel | None:
    """Which of the `params` weights there are; None for all."""
    if MASK not in model:
        return None
    return Submodel(np.unpackbits(model[MASK], count=params).astype(bool))
