"""A payload of a masked model as the bytes that travel, and back: the same bits, or one clear refusal.

    4   "HRP1"
    4   CRC32 of everything else
    1   flags: 1 the mask rides along, 2 it is gap-coded, 4 the payload is a dictionary
    1   number of arrays
    6   weights of the whole model
    16  version of the mask; zeros where nothing is masked
    4   bytes of the mask
        for each array: (length of its name, its name,) dtype, number of dimensions, and 8 bytes each
        the mask, then the arrays, one after the other

All numbers are little-endian. One array of one dimension has 46 bytes before its first value.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from horae.errors import WireError, one_line
from horae.pure.mask_code import Bools, coded_mask, mask_nbytes, read_mask, short, version_of

__all__ = ["DENSE", "mask_nbytes", "pack", "packed_nbytes", "unpack", "version_of"]

Array = np.ndarray[Any, Any]
Payload = Any  # an array, or a flat dictionary of arrays

DENSE = bytes(16)  # the version where nothing is masked
DTYPES = ("<f4", "<f2", "<f8", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "|b1", "<c8", "<c16")
_MAGIC, _HEAD = b"HRP1", struct.Struct("<BB6s16sI")
_START = len(_MAGIC) + 4 + _HEAD.size
_RIDES, _GAPS, _DICT = 1, 2, 4


def packed_nbytes(payload: Payload, mask_nbytes: int = 0) -> int:
    """`len(pack(...))` of any payload of these dtypes and shapes. mask_nbytes: of the mask that rides along."""
    named, as_dict = _named(payload)
    return _START + mask_nbytes + sum(len(_row(n, a, as_dict)) + a.nbytes for n, a in named.items())


def pack(payload: Payload, n_params: int, version: bytes = DENSE, mask: Bools | None = None) -> bytes:
    """The payload as bytes. n_params: of the whole model. mask: rides along; None: the receiver knows the version.

    Errors: WireError, for what cannot travel.
    """
    named, as_dict = _named(payload)
    coded, flags = b"", _DICT if as_dict else 0
    if mask is not None:
        if mask.size != n_params:
            raise WireError(f"this payload is of a model of {n_params} weights, not {mask.size}")
        if version != version_of(mask):
            raise WireError(f"{short(version)} is not the version of this mask; pass version_of(mask)")
        coded, gaps = coded_mask(mask)
        flags |= _RIDES | (_GAPS if gaps else 0)
    if len(version) != 16 or not 0 <= n_params < 2**48 or len(coded) >= 2**32 or len(named) > 255:
        raise WireError("a payload has a version of 16 bytes, fewer than 2^48 weights, and at most 255 arrays")
    parts: list[Any] = [_HEAD.pack(flags, len(named), n_params.to_bytes(6, "little"), version, len(coded))]
    parts += [_row(name, array, as_dict) for name, array in named.items()]
    parts += [coded, *(np.ascontiguousarray(array).reshape(-1).view(np.uint8) for array in named.values())]
    return b"".join((_MAGIC, _checksum(parts).to_bytes(4, "little"), *parts))


def unpack(data: bytes, masks: Mapping[bytes, Bools], n_params: int = 0) -> tuple[Payload, bytes, Bools | None]:
    """Payload, version and mask (None where nothing is masked); arrays are fresh and writable.

    masks: those that the receiver knows, by version. n_params: of the receiver's model; 0 is any. Errors: WireError.
    """
    reader = _Reader(memoryview(data))
    magic, sent = bytes(reader.take(4)), int.from_bytes(reader.take(4), "little")
    if magic != _MAGIC:
        raise WireError("corrupt payload: it does not begin as one")
    if _checksum([reader.data[8:]]) != sent:
        raise WireError("corrupt payload: its checksum is another")
    flags, n_arrays, counted, version, mask_bytes = _HEAD.unpack(reader.take(_HEAD.size))
    params = int.from_bytes(counted, "little")
    if n_params and params != n_params:
        raise WireError(f"this payload is of a model of {params} weights, not {n_params}")
    if flags & ~7 or (flags & _GAPS and not flags & _RIDES) or (mask_bytes and not flags & _RIDES):
        raise WireError("corrupt payload: unknown flags")
    if n_arrays != 1 and not flags & _DICT:
        raise WireError(f"corrupt payload: {n_arrays} arrays without names")
    rows = [_read_row(reader, bool(flags & _DICT)) for _ in range(n_arrays)]
    if len({row.name for row in rows}) != n_arrays:
        raise WireError("corrupt payload: two arrays of one name")
    due = reader.at + mask_bytes + sum(row.nbytes for row in rows)
    if due != len(reader.data):
        raise WireError(f"corrupt payload: {len(reader.data)} bytes, where its header says {due}")
    coded = reader.take(mask_bytes)
    if flags & _RIDES:
        mask: Bools | None = read_mask(coded, params, version, gaps=bool(flags & _GAPS))
    else:
        mask = _known(masks, version, params)
    arrays = {row.name: _read_array(reader.take(row.nbytes), row) for row in rows}
    return (arrays if flags & _DICT else arrays[""]), version, mask


# ---------------------------------------------------------------- arrays


@dataclass(frozen=True)
class _Row:
    """What the header says of one array."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return self.dtype.itemsize * math.prod(self.shape)


class _Reader:
    """Bytes from front to back, never beyond the end."""

    def __init__(self, data: memoryview) -> None:
        self.data, self.at = data, 0

    def take(self, n: int) -> memoryview:
        if n > len(self.data) - self.at:
            raise WireError(f"corrupt payload: it ends after {len(self.data)} bytes, too early")
        self.at += n
        return self.data[self.at - n : self.at]


def _checksum(parts: list[Any]) -> int:
    crc = zlib.crc32(_MAGIC)
    for part in parts:
        crc = zlib.crc32(part, crc)
    return crc


def _named(payload: Payload) -> tuple[dict[str, Array], bool]:
    """The payload's arrays by name, little-endian, and whether it is a dictionary."""
    as_dict = isinstance(payload, dict)
    named = {}
    for name, value in payload.items() if as_dict else [("", payload)]:
        array = np.asarray(value)
        if array.dtype.newbyteorder("<").str not in DTYPES:
            raise WireError(f"an array of {one_line(array.dtype, 40)} does not travel; send numbers")
        if not isinstance(name, str) or len(name.encode(errors="replace")) > 255:
            raise WireError(f"{one_line(name, 40)} does not fit: an array's name is a text of at most 255 bytes")
        named[name] = np.asarray(array, array.dtype.newbyteorder("<"))
    return named, as_dict


def _row(name: str, array: Array, as_dict: bool) -> bytes:
    said = name.encode(errors="replace")
    title = bytes([len(said)]) + said if as_dict else b""
    return title + bytes([DTYPES.index(array.dtype.str), array.ndim]) + struct.pack(f"<{array.ndim}Q", *array.shape)


def _read_row(reader: _Reader, as_dict: bool) -> _Row:
    try:
        name = bytes(reader.take(reader.take(1)[0])).decode() if as_dict else ""
    except UnicodeDecodeError:
        raise WireError("corrupt payload: an array's name is no text") from None
    code, ndim = reader.take(2)
    if code >= len(DTYPES) or ndim > 32:
        raise WireError("corrupt payload: an unknown kind of array")
    row = _Row(name, np.dtype(DTYPES[code]), struct.unpack(f"<{ndim}Q", reader.take(8 * ndim)))
    if math.prod(max(side, 1) for side in row.shape) >= 2**58 or row.nbytes > len(reader.data):
        raise WireError(f"corrupt payload: an array of {row.nbytes} bytes among {len(reader.data)}")
    return row


def _read_array(data: memoryview, row: _Row) -> Array:
    flat = np.frombuffer(data, np.uint8).copy()
    if row.dtype.kind == "b" and flat.size and flat.max() > 1:
        raise WireError("corrupt payload: a truth value that is neither 0 nor 1")
    return flat.view(row.dtype).reshape(row.shape)


def _known(masks: Mapping[bytes, Bools], version: bytes, params: int) -> Bools | None:
    """The mask of a version, if the receiver has it."""
    if version == DENSE:
        return None
    mask = masks.get(version)
    if mask is None:
        raise WireError(f"unknown mask version {short(version)}: ask for the mask")
    if mask.size != params:
        raise WireError(f"this payload is of a model of {params} weights, not {mask.size}")
    return mask
