"""Affinity records and messages of one client as bytes: fixed-width fields behind a checksum, and nothing to execute.

    4 bytes   what it is
    4 bytes   CRC32 of the rest
    record    client, serial, cohorts; per cohort: path, reward, cluster, visits, heard
    messages  count; per message: serial, path, reward, cluster, towards, visit, leaves

A path is its length and its steps, a byte each. Numbers are little-endian; rewards keep all 64 bits.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterable

import numpy as np

from horae.cohorts.records import DEEPEST, recall
from horae.errors import WireError
from horae.pure.affinity import labelled
from horae.types import UNKNOWN, Feedback, Path, Records

RECORD, MESSAGES = b"HAR1", b"HAM1"
_HEAD, _ROW, _TOLD = struct.Struct("<qQH"), struct.Struct("<dhI?"), struct.Struct("<dhhB")


def record_bytes(records: Records, serial: int, most: int = 0) -> bytes:
    """One client's record. serial: of the last message it heard. most: bytes that there may be, 0 for any number; the
    cohorts that matter least are left out: those never visited, of lowest reward.
    """
    rows, size = [], len(RECORD) + 4 + _HEAD.size
    for i in _by_weight(records):
        path, visits = records.paths[i], min(int(records.visits[0, i]), 2**32 - 1)
        reward, heard = float(records.reward[0, i]), bool(records.heard[0, i])
        row = _path(path) + _ROW.pack(reward, int(records.cluster[0, i]), visits, heard)
        if most and size + len(row) > most:
            break
        size += len(row)
        rows.append((i, row))
    body = _HEAD.pack(int(records.clients[0]), serial, len(rows)) + b"".join(row for _, row in sorted(rows))
    return _sealed(RECORD, body)


def read_record(data: bytes) -> tuple[Records, int]:
    """A client's record and the serial of the last message it heard. Errors: WireError."""
    reader = _Reader(data, RECORD)
    client, serial, n = reader.take(_HEAD)
    rows = [(reader.path(), *reader.take(_ROW)) for _ in range(n)]
    reader.end()
    paths, rewards, clusters, visits, heard = tuple(zip(*rows, strict=True)) if rows else ((),) * 5
    if client < 0 or len(set(paths)) != n or not all(map(math.isfinite, rewards)) or min(clusters, default=0) < UNKNOWN:
        raise WireError("an affinity record has a client < 0, a cohort twice, a reward that is no number or a cluster "
                        "< -1")  # fmt: skip
    return Records(
        np.array([client]), paths, np.array([rewards], float), np.array([clusters], np.int64),
        np.array([visits], np.int64), np.array([heard], bool), np.array([UNKNOWN]),
    ), serial  # fmt: skip


def message_bytes(messages: Iterable[tuple[int, Feedback]]) -> bytes:
    """Messages to one client, each with its serial number."""
    parts = []
    for serial, told in messages:
        numbers = _TOLD.pack(float(told.reward[0]), int(told.cluster[0]), int(told.towards[0]), told.visit)
        leaves = struct.pack("<H", len(told.leaves)) + b"".join(map(_path, told.leaves))
        parts.append(struct.pack("<Q", serial) + _path(told.path) + numbers + leaves)
    return _sealed(MESSAGES, struct.pack("<H", len(parts)) + b"".join(parts))


def read_messages(data: bytes, client: int) -> list[tuple[int, Feedback]]:
    """The messages to this client, by serial number. Errors: WireError."""
    reader = _Reader(data, MESSAGES)
    found, who = [], np.array([client])
    for _ in range(reader.take(struct.Struct("<H"))[0]):
        (serial,) = reader.take(struct.Struct("<Q"))
        path, (reward, cluster, towards, visit) = reader.path(), reader.take(_TOLD)
        leaves = tuple(reader.path() for _ in range(reader.take(struct.Struct("<H"))[0]))
        good = (math.isnan(reward) or (math.isfinite(reward) and reward <= 1)) and cluster >= UNKNOWN
        if not good or not UNKNOWN <= towards < len(leaves) or visit > 1 or len(set(leaves)) != len(leaves):
            raise WireError("an affinity message has a reward above 1, a cluster < -1, a leaf twice or one too many")
        told = Feedback(path, who, np.array([reward]), np.array([cluster]), leaves, np.array([towards]), visit)
        found.append((serial, told))
    reader.end()
    return found


def _by_weight(records: Records) -> list[int]:
    """Columns, those first without which a client would not find home again."""
    column = {path: i for i, path in enumerate(records.paths)}
    told = labelled(records.paths, records.cluster)[0]
    matters = {i for i in range(len(column)) if records.visits[0, i] > 0 or told[i]}
    matters |= {column[p[:depth]] for i in matters for p in [records.paths[i]] for depth in range(len(p))
                if p[:depth] in column}  # fmt: skip
    return sorted(column.values(), key=lambda i: (i not in matters, -records.reward[0, i], records.paths[i]))


def _path(path: Path) -> bytes:
    if len(path) > DEEPEST or not all(0 <= step <= 255 for step in path):
        raise WireError(f"cohort {path} cannot be named in an affinity message: at most {DEEPEST} steps up to 255")
    return bytes([len(path), *path])


def _sealed(kind: bytes, body: bytes) -> bytes:
    return kind + zlib.crc32(body).to_bytes(4, "little") + body


class _Reader:
    """Takes bytes apart from the front; whatever is wrong with them is a WireError."""

    def __init__(self, data: bytes, kind: bytes) -> None:
        self._data, self._at = data, 8
        if data[:4] != kind or zlib.crc32(data[8:]) != int.from_bytes(data[4:8], "little"):
            what = "record" if kind == RECORD else "message"
            raise WireError(f"{len(data)} bytes are no affinity {what}, or damaged")

    def take(self, layout: struct.Struct) -> tuple[int, ...]:
        end = self._at + layout.size
        if end > len(self._data):
            raise WireError(f"an affinity record or message ends too soon, after {len(self._data)} bytes")
        found = layout.unpack(self._data[self._at : end])
        self._at = end
        return found

    def path(self) -> Path:
        (depth,) = self.take(struct.Struct("B"))
        if depth > DEEPEST:
            raise WireError(f"a cohort {depth} deep in an affinity message, where {DEEPEST} is the most")
        return self.take(struct.Struct(f"{depth}B"))

    def end(self) -> None:
        if self._at != len(self._data):
            raise WireError(f"an affinity record or message has {len(self._data) - self._at} bytes too many")


def blank_record(client: int) -> Records:
    """What a client remembers that never took part: nothing."""
    return recall(np.array([client]), [])
