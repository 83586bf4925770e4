"""A census between operating-system processes: the operator here, members in others, TCP on 127.0.0.1 between them.

Keys are always the operating system's; what repeats with a seed is who holds what and who drops out where.
"""

from __future__ import annotations

import json
import os
import resource
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from horae.census.auditor import Log
from horae.census.client import Member
from horae.census.frames import framed
from horae.census.hub import Event, Hub
from horae.census.keys import Identity
from horae.census.messages import VERSION, Kind
from horae.census.result import ABORTED, RELEASED, Result
from horae.census.server import Coordinator, Outgoing
from horae.census.terms import Terms
from horae.errors import require

ARRIVAL_S, LATE_S = 60.0, 3.0  # for all processes to start and connect; for answers that come after the end
_OPENING = bytes([VERSION, Kind.OPENING])
Told = Callable[[int, str, int], None]  # epoch, stage, messages so far


@dataclass(frozen=True)
class Fault:
    """A member drops out when it hears a message of this kind; its connection is cut, or it says nothing any more."""

    kind: Kind
    epoch: int = 1
    silent: bool = False


def processes_of(wanted: int, clients: int) -> int:
    """How many processes have the members between them: at least two, and none without a member.

    >>> processes_of(5, 60), processes_of(1, 60), processes_of(99, 60)
    (5, 2, 60)
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(max(wanted or cores, 2), clients)


def across(
    counts: Mapping[int, ArrayLike],
    terms: Terms,
    *,
    processes: int = 0,
    epochs: int = 1,
    faults: Mapping[int, Fault] | None = None,
    told: Told | None = None,
) -> list[Result]:
    """One census in each epoch among these clients, until one is aborted. processes: 0 is one for each core.

    Errors: ConfigError, RunError. No process is left behind, however this ends.
    """
    _check(terms, counts, epochs)
    run, token, log = secrets.token_bytes(16), secrets.token_bytes(32), Log()
    near = min(terms.degree, len(counts) - 1)
    up = 1024 + 8 * terms.width + 82 * near
    down = up + 136 * len(counts) + 4 * epochs * (len(counts) + 1)
    plan: dict[str, Any] = {"token": token.hex(), "run": run.hex(), "terms": asdict(terms), "most": down}
    plan["shares"] = _shares(counts, faults or {}, processes_of(processes, len(counts)))
    results: list[Result] = []
    with Hub(token, up) as hub, _crew({**plan, "port": hub.port}) as ended:
        directory = hub.admit(counts, ARRIVAL_S, ended)
        for epoch in range(1, epochs + 1):
            driver = _Epoch(hub, Coordinator(terms, run, directory, epoch, log), told)
            results.append(driver.run())
            directory = {client: key for client, key in directory.items() if client not in driver.gone}
            if results[-1].status == ABORTED:
                break
        hub.drain(1.0)
    return results


class _Epoch:
    """One epoch: moves bytes until it is over. `gone` are those whose connections were cut meanwhile."""

    def __init__(self, hub: Hub, operator: Coordinator, told: Told | None) -> None:
        self.gone = set[int]()
        self._hub, self._operator, self._told = hub, operator, told
        self._opened, self._heard = set[int](), 0

    def run(self) -> Result:
        began, operator = time.monotonic(), self._operator
        self._send(operator.start(began))
        while operator.result is None:
            events = self._hub.poll(operator.deadline - time.monotonic())
            self._hear(events)
            # what has arrived is heard before anybody is late, unless somebody never stops talking
            if not events or time.monotonic() > operator.deadline + operator.terms.hop_s:
                self._send(operator.tick(time.monotonic()))
            if self._told is not None:
                self._told(operator.epoch, operator.stage, self._heard)
        result = operator.result.took(time.monotonic() - began)
        if result.status == RELEASED:
            self._late(set(result.survivors) - {client for client, *_ in result.refusals})
        return result

    def _hear(self, events: list[Event]) -> None:
        for client, data in events:
            now = time.monotonic()
            if data is None:
                self.gone.add(client)
                self._send(self._operator.gone(client, now))
                continue
            self._heard += 1
            if data.startswith(_OPENING):
                self._opened.add(client)
            self._send(self._operator.receive(client, data, now))

    def _late(self, members: set[int]) -> None:
        """Wait a little for shares that were not needed any more: they are bytes of this epoch, not of the next."""
        end = time.monotonic() + LATE_S
        while members - self._opened - self.gone and time.monotonic() < end:
            self._hear(self._hub.poll(end - time.monotonic()))

    def _send(self, outgoing: Outgoing) -> None:
        for client, data in outgoing:
            self._hub.send(client, data)


def _shares(counts: Mapping[int, ArrayLike], faults: Mapping[int, Fault], processes: int) -> list[list[Any]]:
    """For each process its members: client, counts, and where it drops out."""
    rows: list[list[Any]] = [[] for _ in range(processes)]
    for place, (client, held) in enumerate(counts.items()):
        fault = faults.get(client)
        falls = None if fault is None else [fault.epoch, fault.kind.name, fault.silent]
        rows[place % processes].append([client, np.asarray(held).tolist(), falls])
    return rows


def _check(terms: Terms, counts: Mapping[int, ArrayLike], epochs: int) -> None:
    clients, nobody = len(counts), Identity()
    require(clients >= terms.n_min, "census.clients", f"be at least n_min = {terms.n_min}", clients)
    require(terms.fits(clients), "census.clients", "be few enough for a sum below 2^63", clients)
    require(epochs >= 1, "census.epochs", "be at least 1", epochs)
    for client, held in counts.items():
        Member(client, nobody, terms, b"", {}, held)  # which refuses what it cannot count
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = clients + 64
    if hard != resource.RLIM_INFINITY:
        remedy = "raise the limit of open files (ulimit -Hn)"
        require(needed <= hard, "census.clients", f"be at most {hard - 64} on this machine", clients, remedy)
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


@contextmanager
def _crew(plan: dict[str, Any]) -> Iterator[Callable[[], bool]]:
    """The members' processes, in a session of their own, so that Ctrl-C comes here; killed together at the end.

    The callable says whether they have ended before.
    """
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "horae.census.crew"]
    first = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment, start_new_session=True
    )

    def ended() -> bool:
        return os.waitid(os.P_PID, first.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    pipe = first.stdin
    assert pipe is not None
    try:
        with suppress(BrokenPipeError):  # it ended, and said why on stderr
            pipe.write(framed(json.dumps(plan).encode()))
            pipe.flush()
        yield ended
    finally:
        os.killpg(first.pid, signal.SIGKILL)  # the number cannot be another's before it is waited for
        first.wait()
        with suppress(BrokenPipeError):
            pipe.close()
