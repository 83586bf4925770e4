"""What runs in an aggregator: it holds one cohort's model and states, and takes its server steps."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from threadpoolctl import threadpool_limits

from horae.errors import one_line
from horae.federate import aggregate
from horae.pure.packing import pack, unpack
from horae.supervised.carrying import back
from horae.types import Cohort, Outcome, Path, Server

HELD = ("params", "buffers", "algorithm", "selector")  # fields of a cohort that a server step reads and changes


@dataclass(frozen=True)
class Request:
    """A server step to take. held: the fields of the cohort that the aggregator does not have, by name. server: with
    the first request; None afterwards.
    """

    path: Path
    number: int
    held: dict[str, Any]
    outcome: Outcome
    server: Server | None = None


@dataclass(frozen=True)
class Step:
    """A server step was taken. changed: the fields of the cohort that are others now, by name."""

    changed: dict[str, Any]


@dataclass(frozen=True)
class Failed:
    """It could not be taken. kind: in a word; why: in a line."""

    kind: str
    why: str


class Host:
    """One cohort's aggregator. search: where modules are looked for, beside where this process does."""

    def __init__(self, search: Sequence[str] = ()) -> None:
        sys.path += [place for place in search if place not in sys.path]
        self._server: Server | None = None
        self._held: dict[str, Any] = {}

    def answer(self, request: bytes) -> bytes:
        """A packed `Step`, or `Failed` whatever somebody else's rule raises. Takes a packed `Request`."""
        try:
            with threadpool_limits(limits=1):  # the same bits as in the loop
                return pack(self._step(loaded(request)))
        except Exception as error:
            kind = one_line(type(error).__name__, 40)
            return pack(Failed(kind, one_line(error, 160) or kind))

    def _step(self, request: Request) -> Step:
        self._server = request.server or self._server
        assert self._server is not None  # it comes with the first request
        self._held = {**self._held, **request.held}
        before = Cohort(request.path, round=request.number, **self._held)
        outcome = request.outcome
        seen = None if outcome.seen is None else back(outcome.seen)
        after = aggregate(self._server, before, replace(outcome, updates=back(outcome.updates), seen=seen))
        self._held = {name: getattr(after, name) for name in HELD}
        changed = (name for name in (*HELD, "round") if getattr(after, name) is not getattr(before, name))
        return Step({name: getattr(after, name) for name in changed})


def loaded(data: bytes) -> Any:
    """The packed value, its dataclasses' modules imported first: for bytes from the loop that this process serves."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    for name, _ in header["classes"]:
        import_module(name.partition(":")[0])
    return unpack(data)
