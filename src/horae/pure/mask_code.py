"""A mask as bytes: one bit per weight, or the gaps between living weights where that is less; and its name."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from horae.errors import WireError

Bools = NDArray[np.bool_]

SPAN = 1024  # weights per byte of a gap-coded mask, at most: few bytes must not ask for much memory


def version_of(mask: Bools) -> bytes:
    """The name of a mask: the first 16 bytes of BLAKE2b over its length and its bits."""
    return blake2b(mask.size.to_bytes(8, "little") + np.packbits(mask).tobytes()).digest()[:16]


def mask_nbytes(mask: Bools) -> int:
    """Bytes of a mask that rides along: one bit per weight, or the gaps between living weights where that is less."""
    return _gaps_of(mask)[1]


def coded_mask(mask: Bools) -> tuple[bytes, bool]:
    """The mask's bytes, and whether they are gaps."""
    gaps, _ = _gaps_of(mask)
    return (np.packbits(mask).tobytes(), False) if gaps is None else (_varints(gaps), True)


def read_mask(coded: memoryview, params: int, version: bytes, *, gaps: bool) -> Bools:
    """The mask that rode along, if it is the one that its version names. Errors: WireError."""
    if gaps and params <= SPAN * len(coded):
        dropped = _read_varints(coded)
        if dropped.sum(dtype=np.float64) + dropped.size > params:
            raise WireError("corrupt payload: its mask is longer than its model")
        mask = np.zeros(params, bool)
        mask[np.cumsum(dropped + 1) - 1] = True
    elif not gaps and len(coded) == -(-params // 8):
        mask = np.unpackbits(np.frombuffer(coded, np.uint8), count=params).astype(bool)
    else:
        raise WireError(f"corrupt payload: {len(coded)} bytes of mask for {params} weights")
    if version_of(mask) != version:
        raise WireError(f"corrupt payload: its mask is not {short(version)}, as it says")
    return mask


def short(version: bytes) -> str:
    """A version as messages say it."""
    return f"{version.hex()[:8]}..."


def _gaps_of(mask: Bools) -> tuple[NDArray[np.int64] | None, int]:
    """Dropped weights before each living one, or None where a bit per weight is no longer; and the bytes of either."""
    bits = -(-mask.size // 8)
    if np.count_nonzero(mask) >= bits:
        return None, bits
    gaps = np.diff(np.flatnonzero(mask), prepend=-1) - 1
    size = int(_widths(gaps).sum())
    return (gaps, size) if size < bits and mask.size <= SPAN * size else (None, bits)


def _widths(gaps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bytes of each number at seven bits a byte."""
    widths = np.ones(gaps.size, np.int64)
    for bits in range(7, 49, 7):
        widths += gaps >= 1 << bits
    return widths


def _varints(gaps: NDArray[np.int64]) -> bytes:
    """Seven bits a byte, the lowest first; the eighth says that more follow."""
    widths = _widths(gaps)
    starts, out = np.cumsum(widths) - widths, np.empty(int(widths.sum()), np.uint8)
    for digit in range(int(widths.max(initial=0))):
        rows = widths > digit
        out[starts[rows] + digit] = (gaps[rows] >> 7 * digit & 127) | (widths[rows] > digit + 1) * 128
    return out.tobytes()


def _read_varints(coded: memoryview) -> NDArray[np.int64]:
    data = np.frombuffer(coded, np.uint8)
    last = np.flatnonzero(data < 128)
    if not last.size or last[-1] != data.size - 1:
        raise WireError("corrupt payload: its mask breaks off")
    starts = np.concatenate([[0], last[:-1] + 1])
    digit = np.arange(data.size) - np.repeat(starts, last - starts + 1)
    if digit.max() > 6:
        raise WireError("corrupt payload: a gap in its mask is too wide")
    gaps: NDArray[np.int64] = np.add.reduceat((data & 127).astype(np.int64) << 7 * digit, starts)
    return gaps
