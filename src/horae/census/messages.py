"""Messages as bytes: version, kind, epoch, attempt, body; one encoding for each value, and everything checked.

byte 0     version 1
byte 1     kind
bytes 2-5  epoch, little-endian like all numbers here
bytes 6-7  attempt
the rest   body
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise

import numpy as np

from horae.census.keys import KEY, SIGNATURE, Words
from horae.errors import WireError, one_line

VERSION = 1
OPERATOR = 2**32 - 1  # the operator's place in a chain
NOBODY = 2**32 - 2  # whom the first of a chain hears from
CLIENTS = 2**32 - 2  # client numbers are below
MOST = 2**28  # bytes of the longest message

_HEAD = struct.Struct("<BBIH")
_TWO = struct.Struct("<II")
_SEAT = struct.Struct(f"<I{KEY}s{KEY}s{SIGNATURE}s")
_ROW = np.dtype([("client", "<u4"), ("keys", "V", _SEAT.size - 4)])
_KEYS = struct.Struct(f"<I{KEY}s{KEY}s{SIGNATURE}s")


class Kind(IntEnum):
    """Odd messages go up to the operator, even ones down to a member; CLOSE ends an attempt."""

    INVITE = 2
    KEYS = 3
    ROSTER = 4
    SHARES = 5
    INBOX = 6
    TURN = 8
    CARRY = 9
    RESEAL = 10
    OUTCOME = 12
    SIGNED = 13
    WITNESSES = 14
    OPENING = 15
    CLOSE = 16
    REFUSE = 17


class Why(IntEnum):
    """Why a member leaves an attempt."""

    TERMS = 1
    ROSTER = 2
    SHARES = 3
    CHAIN = 4
    OUTCOME = 5
    AUDIT = 6
    WITNESSES = 7


@dataclass(frozen=True)
class Message:
    kind: Kind
    epoch: int
    attempt: int
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Seat:
    """A member on the roster: its public keys of this attempt, signed."""

    client: int
    mask: bytes
    channel: bytes
    signature: bytes

    def signed(self, context: bytes, epoch: int, attempt: int) -> bytes:
        """The text that the member signed."""
        return b"keys" + context + struct.pack("<IHI", epoch, attempt, self.client) + self.mask + self.channel


class Roster(Mapping[int, Seat]):
    """Everybody's seat, in order of client number; a seat is read when it is asked for. Errors: WireError."""

    def __init__(self, body: bytes) -> None:
        if not body or len(body) % _SEAT.size:
            raise WireError(f"a roster of {len(body)} bytes")
        self.body = body
        self.clients: tuple[int, ...] = tuple(np.frombuffer(body, _ROW)["client"].tolist())
        if any(a >= b for a, b in pairwise(self.clients)) or self.clients[-1] >= CLIENTS:
            raise WireError("a roster that is not in order")
        self._place = {client: place for place, client in enumerate(self.clients)}

    @classmethod
    def of(cls, seats: Iterable[Seat]) -> Roster:
        rows = sorted((s.client, s.mask, s.channel, s.signature) for s in seats)
        return cls(b"".join(_SEAT.pack(*row) for row in rows))

    def __getitem__(self, client: int) -> Seat:
        return Seat(*_SEAT.unpack_from(self.body, self._place[client] * _SEAT.size))

    def __iter__(self) -> Iterator[int]:
        return iter(self.clients)

    def __len__(self) -> int:
        return len(self.clients)


def write(kind: Kind, epoch: int, attempt: int, body: bytes = b"") -> bytes:
    return _HEAD.pack(VERSION, kind, epoch, attempt) + body


def read(data: bytes) -> Message:
    """The message. Errors: WireError, in one line."""
    if not _HEAD.size <= len(data) <= MOST:
        raise WireError(f"a census message of {len(data)} bytes")
    version, kind, epoch, attempt = _HEAD.unpack_from(data)
    if version != VERSION:
        raise WireError(f"census protocol {version}, this is {VERSION}; update the older side")
    if kind not in Kind.__members__.values():
        raise WireError(f"unknown kind {kind} of census message")
    return Message(Kind(kind), epoch, attempt, bytes(data[_HEAD.size :]))


def write_keys(have: int, seat: Seat) -> bytes:
    return _KEYS.pack(have, seat.mask, seat.channel, seat.signature)


def read_keys(body: bytes, client: int) -> tuple[int, Seat]:
    """How many rows of the log a member has, and its signed keys."""
    _long(body, _KEYS.size, "keys")
    have, mask, channel, signature = _KEYS.unpack(body)
    return have, Seat(client, mask, channel, signature)


def write_items(items: Sequence[bytes]) -> bytes:
    return b"".join(items)


def read_items(body: bytes, size: int, count: int) -> list[bytes]:
    _long(body, size * count, f"{count} items")
    return [body[i : i + size] for i in range(0, len(body), size)]


def write_flags(flags: Iterable[bool]) -> bytes:
    return np.packbits(np.fromiter(flags, bool), bitorder="little").tobytes()


def read_flags(body: bytes, count: int) -> list[bool]:
    _long(body, (count + 7) // 8, "flags")
    bits = np.unpackbits(np.frombuffer(body, np.uint8), bitorder="little")
    if bits[count:].any():
        raise WireError("flags for nobody")
    return [bool(bit) for bit in bits[:count]]


def write_slots(items: Sequence[bytes | None]) -> bytes:
    """Items of which some are missing."""
    return write_flags(item is not None for item in items) + b"".join(item for item in items if item is not None)


def read_slots(body: bytes, size: int, count: int) -> list[bytes | None]:
    head = (count + 7) // 8
    flags = read_flags(body[:head], count)
    items = iter(read_items(body[head:], size, sum(flags)))
    return [next(items) if flag else None for flag in flags]


def write_turn(before: int, after: int, sealed: bytes) -> bytes:
    return _TWO.pack(before, after) + sealed


def read_turn(body: bytes) -> tuple[int, int, bytes]:
    if len(body) < _TWO.size:
        raise WireError("a turn that was cut short")
    before, after = _TWO.unpack_from(body)
    return before, after, body[_TWO.size :]


def write_place(client: int, rest: bytes = b"") -> bytes:
    return client.to_bytes(4, "little") + rest


def read_place(body: bytes) -> tuple[int, bytes]:
    if len(body) < 4:
        raise WireError("an address that was cut short")
    return int.from_bytes(body[:4], "little"), body[4:]


def write_words(values: Words) -> bytes:
    return values.astype("<u8").tobytes()


def read_words(body: bytes, count: int) -> Words:
    _long(body, 8 * count, f"{count} words")
    return np.frombuffer(body, "<u8").astype(np.uint64)


def write_rows(rows: Iterable[Iterable[int]]) -> bytes:
    """Participation rows: for each the number of clients, and the clients in order."""
    return b"".join(np.array([len(ids := sorted(row)), *ids], "<u4").tobytes() for row in rows)


def read_rows(body: bytes) -> list[frozenset[int]]:
    if len(body) % 4:
        raise WireError("participation rows that were cut short")
    numbers, rows, at = np.frombuffer(body, "<u4").tolist(), [], 0
    while at < len(numbers):
        ids = numbers[at + 1 : at + 1 + numbers[at]]
        if len(ids) != numbers[at] or not ids or any(a >= b for a, b in pairwise(ids)):
            raise WireError("a participation row that is not in order")
        rows.append(frozenset(ids))
        at += 1 + len(ids)
    return rows


def write_refusal(why: Why, words: str) -> bytes:
    return bytes([why]) + one_line(words).encode()[:240]


def read_refusal(body: bytes) -> tuple[Why, str]:
    if not 1 <= len(body) <= 241 or body[0] not in Why.__members__.values():
        raise WireError("a refusal that says nothing")
    return Why(body[0]), one_line(body[1:].decode(errors="replace"))


def _long(body: bytes, size: int, what: str) -> None:
    if len(body) != size:
        raise WireError(f"{what} should have {size} bytes, got {len(body)}")
