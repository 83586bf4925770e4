"""Random numbers that depend on what they are for, never on who drew before.

One purpose never draws from another's stream, so a method that draws more cannot change who is selected.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)


def stream(seed: int, purpose: str, number: int = 0, *path: int) -> np.random.Generator:
    """A generator for one purpose, one round and one cohort (or client).

    spawn_key and not a list: numpy pads lists with zeros, so that [0, 3] and [0, 3, 0] are the same stream.

    >>> stream(0, "select", 3).integers(100) == stream(0, "select", 3, 0).integers(100)
    np.False_
    """
    key = (zlib.crc32(purpose.encode()), number, *path)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def uniforms(seed: int, purpose: str, ids: ArrayLike, counter: ArrayLike = 0) -> NDArray[np.float64]:
    """One number in [0, 1) per id and counter, the same whoever else is asked about.

    A counter-based hash (splitmix64's mixing function, twice), so a question about 200 of ten million clients costs
    200. ids and counter broadcast against each other.

    >>> uniforms(0, "explore", [7, 8])[1] == uniforms(0, "explore", [8])[0]
    np.True_
    """
    base = np.atleast_1d(np.uint64((zlib.crc32(purpose.encode()) ^ (seed * int(_GOLDEN))) % 2**64))
    first = _mix(np.atleast_1d(ids).astype(np.uint64) * _GOLDEN + _mix(base))
    bits = _mix(first ^ (np.atleast_1d(counter).astype(np.uint64) * _MIX2 + _GOLDEN))
    unit: NDArray[np.float64] = (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return unit


def _mix(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    bits = (bits ^ (bits >> np.uint64(30))) * _MIX1
    bits = (bits ^ (bits >> np.uint64(27))) * _MIX2
    mixed: NDArray[np.uint64] = bits ^ (bits >> np.uint64(31))
    return mixed
