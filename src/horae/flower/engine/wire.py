"""The engine's messages as Flower's: a head of plain values, and the arrays as one record of bytes.

Flower cuts arrays into chunks that are named by their content, so a model that many nodes get is uploaded once.
A node that starts for every message imports this module and little else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict

from horae.errors import WireError

HEAD, ARRAYS, PAYLOAD = "horae", "horae.arrays", "payload"


class Parts(NamedTuple):
    """A message on its way: its head, packed, and the bytes that go with it."""

    head: bytes
    payload: bytes = b""


@dataclass
class Node:
    """What Flower tells a ClientApp of its node: its configuration, and what it keeps for this run, by record."""

    config: dict[str, Any]
    state: dict[str, dict[str, bytes]] = field(default_factory=dict)


def closed(parts: Parts, arrays: ArrayRecord | None = None) -> RecordDict:
    """What Flower carries. arrays: of the payload, where that was made before."""
    found = RecordDict({HEAD: ConfigRecord({"head": parts.head})})
    if parts.payload:
        found[ARRAYS] = arrays if arrays is not None else array_record(parts.payload)
    return found


def array_record(payload: bytes) -> ArrayRecord:
    """Bytes as arrays, which Flower moves in chunks."""
    return ArrayRecord({PAYLOAD: Array(np.frombuffer(payload, np.uint8))})


def opened(found: RecordDict, most: int) -> Parts:
    """What Flower carried. most: bytes that the payload may have. Errors: WireError."""
    head = found.get(HEAD)
    if not isinstance(head, ConfigRecord) or not isinstance(head.get("head"), bytes):
        raise WireError("it is no message of horae's; is the ClientApp horae.flower.client_app?")
    arrays = found.get(ARRAYS)
    if not isinstance(arrays, ArrayRecord):
        return Parts(head["head"])
    if set(arrays) != {PAYLOAD} or sum(len(a.data) for a in arrays.values()) > most + 1024:
        raise WireError(f"it is larger than {most:,} bytes, or of another form")
    flat = arrays[PAYLOAD].numpy()
    if flat.dtype != np.uint8 or flat.ndim != 1:
        raise WireError("its arrays are of another form")
    return Parts(head["head"], flat.tobytes())
