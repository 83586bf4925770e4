"""Arrays as the bytes that lie in a plane, and back as views of them: nothing is copied, nothing is unpickled.

safetensors    8 bytes: length of the header; the header as JSON, padded to 8 bytes; the arrays, widest numbers first
horae          `pure.codec`, for what safetensors does not know (complex numbers)

The layout is the one that the library `safetensors` reads and writes; it copies, which a model of 2 GB does not allow.
"""

from __future__ import annotations

import json
import math
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from horae.errors import WireError, one_line
from horae.pure.codec import pack, unpack
from horae.types import Arrays

__all__ = ["checksum", "decode", "encode"]

DTYPES = {
    "<f8": "F64", "<f4": "F32", "<f2": "F16", "<i8": "I64", "<i4": "I32", "<i2": "I16", "|i1": "I8",
    "<u8": "U64", "<u4": "U32", "<u2": "U16", "|u1": "U8", "|b1": "BOOL",
}  # fmt: skip
NAMES = {name: np.dtype(code) for code, name in DTYPES.items()}
LONGEST = 100_000_000  # bytes of a header, as in the library
Part = bytes | memoryview


def encode(arrays: Arrays) -> tuple[list[Part], str]:
    """The arrays as pieces to be written one after the other, and the name of the codec. Errors: WireError."""
    plain = {name: _little(array) for name, array in arrays.items()}
    if "__metadata__" in plain:
        raise WireError("an array cannot be named __metadata__; choose another name")
    if any(array.dtype.str not in DTYPES for array in plain.values()):
        return [pack(dict(plain), 0)], "horae"
    order = sorted(plain, key=lambda name: -plain[name].itemsize)
    ends = np.cumsum([plain[name].nbytes for name in order]).tolist()
    spans = {name: [end - plain[name].nbytes, end] for name, end in zip(order, ends, strict=True)}
    header = json.dumps(
        {
            name: {"dtype": DTYPES[a.dtype.str], "shape": list(a.shape), "data_offsets": spans[name]}
            for name, a in plain.items()
        },
        separators=(",", ":"),
    ).encode()
    header += b" " * (-len(header) % 8)
    pieces: list[Part] = [plain[name].reshape(-1).view(np.uint8).data for name in order if plain[name].nbytes]
    return [len(header).to_bytes(8, "little") + header, *pieces], "safetensors"


def decode(data: Any, codec: str) -> Arrays:
    """Read-only arrays, as views of the bytes where the codec allows. Errors: WireError."""
    arrays: Arrays
    if codec == "horae":
        arrays = unpack(data, {})[0]
        if not isinstance(arrays, dict):
            raise WireError("corrupt payload: an array without a name")
    elif codec == "safetensors":
        arrays = _views(memoryview(data).cast("B"))
    else:
        raise WireError(f"unknown codec {one_line(codec, 40)!r}; known: horae, safetensors")
    for array in arrays.values():
        array.flags.writeable = False
    return arrays


def checksum(parts: list[Part]) -> int:
    """CRC32 over all pieces; never 0, which stands for "not checked"."""
    crc = 0
    for part in parts:
        crc = zlib.crc32(part, crc)
    return crc or 1


def _little(array: Any) -> NDArray[Any]:
    array = np.asarray(array)
    if array.dtype.hasobject:
        raise WireError(f"an array of {one_line(array.dtype, 40)} does not travel; send numbers")
    return np.asarray(array, array.dtype.newbyteorder("<"), order="C")


def _views(data: memoryview) -> Arrays:
    """Arrays over the bytes of a safetensors file; whatever does not fit exactly is refused."""
    n = int.from_bytes(data[:8], "little")
    if len(data) < 8 or n > min(LONGEST, len(data) - 8):
        raise WireError(f"corrupt payload: {len(data)} bytes are too few for its header")
    try:
        header = json.loads(bytes(data[8 : 8 + n]))
        header.pop("__metadata__", None)
        rows = {name: (NAMES[e["dtype"]], tuple(e["shape"]), tuple(e["data_offsets"])) for name, e in header.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise WireError("corrupt payload: its header cannot be read") from None
    if any(_odd(shape) or _odd(span) or len(span) != 2 for _, shape, span in rows.values()):
        raise WireError("corrupt payload: a shape or a place that is none")
    at = 0
    for dtype, shape, (begin, end) in sorted(rows.values(), key=lambda row: row[2]):
        if begin != at or end - begin != math.prod(shape) * dtype.itemsize:
            raise WireError("corrupt payload: its arrays do not follow each other")
        at = end
    if at != len(data) - 8 - n:
        raise WireError(f"corrupt payload: {len(data) - 8 - n} bytes of arrays, where its header says {at}")
    body = data[8 + n :]
    return {name: _array(body[begin:end], dtype, shape) for name, (dtype, shape, (begin, end)) in rows.items()}


def _odd(numbers: tuple[Any, ...]) -> bool:
    """Whether these are not some whole numbers from 0 to 2^62."""
    return len(numbers) > 32 or not all(type(x) is int and 0 <= x < 2**62 for x in numbers)


def _array(piece: memoryview, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    flat = np.frombuffer(piece, np.uint8)
    if dtype.kind == "b" and flat.size and flat.max() > 1:
        raise WireError("corrupt payload: a truth value that is neither 0 nor 1")
    return flat.view(dtype).reshape(shape)
