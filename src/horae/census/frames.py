"""Messages on a stream, each after its length; and who is at the other end: both sides prove that they hold a token.

operator -> member   challenge        32 random bytes, for this connection only
member -> operator   greeting         client, identity, HMAC(token, challenge | client | identity)
operator -> member   directory        everybody's identity, HMAC(token, challenge | identities)
then the census's own messages, both ways
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Mapping

from horae.census.keys import KEY
from horae.errors import WireError

CHALLENGE = TAG = 32
_LENGTH = struct.Struct("<I")
_ROW = struct.Struct(f"<I{KEY}s")
GREETING = _ROW.size + TAG


def framed(data: bytes) -> bytes:
    """The bytes that stand for a message.

    >>> framed(b"ab")
    b'\\x02\\x00\\x00\\x00ab'
    """
    return _LENGTH.pack(len(data)) + data


class Frames:
    """Cuts what comes in into messages. One of more than `most` bytes is refused when its length is read."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._kept = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are complete now. Errors: WireError."""
        self._kept += data
        found, at = [], 0
        while len(self._kept) >= at + _LENGTH.size:
            (size,) = _LENGTH.unpack_from(self._kept, at)
            if size > self.most:
                raise WireError(f"a frame of {size} bytes, where {self.most} are the most")
            end = at + _LENGTH.size + size
            if len(self._kept) < end:
                break
            found.append(bytes(self._kept[at + _LENGTH.size : end]))
            at = end
        del self._kept[:at]
        return found


def write_greeting(token: bytes, challenge: bytes, client: int, identity: bytes) -> bytes:
    row = _ROW.pack(client, identity)
    return row + _tag(token, b"greeting", challenge, row)


def read_greeting(token: bytes, challenge: bytes, data: bytes) -> tuple[int, bytes]:
    """A client and its identity. Errors: WireError where whoever says so does not hold the token."""
    row = _proven(token, b"greeting", challenge, data)
    if len(row) != _ROW.size:
        raise WireError(f"a greeting of {len(data)} bytes")
    client, identity = _ROW.unpack(row)
    return client, identity


def write_directory(token: bytes, challenge: bytes, directory: Mapping[int, bytes]) -> bytes:
    rows = b"".join(_ROW.pack(*row) for row in sorted(directory.items()))
    return rows + _tag(token, b"directory", challenge, rows)


def read_directory(token: bytes, challenge: bytes, data: bytes) -> dict[int, bytes]:
    """Everybody's identity. Errors: WireError where it is not from the holder of the token."""
    rows = _proven(token, b"directory", challenge, data)
    if len(rows) % _ROW.size:
        raise WireError(f"a directory of {len(data)} bytes")
    return dict(_ROW.iter_unpack(rows))


def _proven(token: bytes, what: bytes, challenge: bytes, data: bytes) -> bytes:
    rows, tag = data[:-TAG], data[-TAG:]
    if not hmac.compare_digest(tag, _tag(token, what, challenge, rows)):
        raise WireError(f"a {what.decode()} from somebody without the token")
    return rows


def _tag(token: bytes, what: bytes, challenge: bytes, rows: bytes) -> bytes:
    return hmac.digest(token, what + challenge + rows, "sha256")
