"""What a census costs a client, against N and the number of labels: python benchmarks/census.py (a quarter of an hour).

All parties in one process, nobody drops out, first epoch. Bytes are lengths of the protocol's messages. Milliseconds
are one thread's processor time in `Member.receive`, the mean over ten members of which nothing is remembered: before
each message what the process shares (signatures checked, ring, weights) is forgotten, as if the member were alone.
The complete graph is Bonawitz's: the same code with everybody as everybody's neighbour. `--page` only writes the page
and the picture again. Flower's SecAgg+ is measured by `benchmarks/census_secaggplus.py`, in an environment of its own.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a file

from benchmarks.census_page import draw, pages
from benchmarks.train.machine import machine
from horae.census import Member, Terms, World, auditor, graph, keys, shamir
from horae.census import messages as m

RESULTS = Path(__file__).parent / "results"
CLIENTS, LABELS, LOOKED_AT = (10, 30, 100, 300, 1000), (10, 100, 1000), 10
FEW, TURNS, MORE = 100, 3, 5  # up to so many clients there are more turns
GRAPHS = {"d = 32": (32, 21, 9), "d = 16": (16, 11, 4)}  # degree, threshold, colluders


@dataclass
class Watched:
    """A member that is timed: its messages are received by a member that shares nothing with the others."""

    member: Member
    alone: bool
    seconds: float = 0.0

    def receive(self, data: bytes) -> list[bytes]:
        """As the member would."""
        if self.alone:
            for shared in (keys.signed_by, graph.ring, shamir.weights, auditor.extended):
                shared.cache_clear()
        started = time.thread_time()
        sent = self.member.receive(data)
        self.seconds += time.thread_time() - started
        return sent


@dataclass
class Row:
    """One way of counting: bytes per client, and the milliseconds of each turn."""

    scheme: str
    clients: int
    labels: int
    up: float = 0.0
    up_most: int = 0
    down: float = 0.0
    down_most: int = 0
    client_ms: list[float] = field(default_factory=list)
    operator_ms: list[float] = field(default_factory=list)
    formula: bool = False


def terms_of(scheme: str, clients: int, labels: int) -> Terms:
    """What is agreed on: transport and graph by name."""
    if scheme == "complete":
        degree = clients + clients % 2
        return Terms(labels, degree=degree, threshold=2 * degree // 3 + 1, colluders=0)
    transport, _, name = scheme.partition(", ")
    degree, threshold, colluders = GRAPHS[name]
    return Terms(labels, degree=degree, threshold=threshold, colluders=colluders, transport=transport)


def counted(row: Row, turn: int) -> None:
    """One census of this kind, added to the row."""
    draw = np.random.default_rng(turn)
    counts = {client: draw.integers(0, 100, row.labels) for client in range(row.clients)}
    world = World(terms_of(row.scheme, row.clients, row.labels), b"benchmark", seed=turn)
    world.hold(counts)
    alone = set(draw.permutation(row.clients)[:LOOKED_AT].tolist())
    watched = {client: Watched(member, client in alone) for client, member in world.members.items()}
    world.members = cast(dict[int, Member], watched)
    started = time.thread_time()
    result = world.count()
    everything = time.thread_time() - started
    assert result.totals is not None and (result.totals == sum(counts.values())).all(), result.reason
    up, down = list(result.bytes_up.values()), list(result.bytes_down.values())
    row.up, row.up_most, row.down, row.down_most = np.mean(up).item(), max(up), np.mean(down).item(), max(down)
    row.client_ms.append(1000 * statistics.mean(watched[client].seconds for client in alone))
    others = everything - sum(one.seconds for one in watched.values())
    row.operator_ms.append(1000 * others / row.clients)


def plain(clients: int, labels: int) -> Row:
    """Sums in the clear: one message of as many words, and nothing else."""
    row = Row("plain", clients, labels)
    values = np.arange(labels, dtype=np.uint64)
    row.up = row.up_most = len(m.write(m.Kind.CARRY, 0, 0, m.write_words(values)))
    for _ in range(turns_of(clients)):
        started = time.thread_time()
        for _ in range(1000):
            m.write(m.Kind.CARRY, 0, 0, m.write_words(values))
        row.client_ms.append(time.thread_time() - started)
        row.operator_ms.append(0.0)
    return row


def complete_at(clients: int, labels: int) -> Row:
    """The complete graph by formula, message by message; nobody drops out, so everybody's bytes are the same."""
    near, flags = clients - 1, (clients + 7) // 8
    slots = (near + 7) // 8
    up = (8 + 132) + (8 + 82 * near) + (8 + 4 + 8 * (labels + 3)) + (8 + 64) + (8 + 33 * near)
    down = (
        (8 + 32) + (8 + 132 * clients) + (8 + slots + 82 * near) + (8 + 8) + (8 + 2 * flags) + (8 + slots + 64 * near)
    )
    return Row("complete", clients, labels, up, up, down + 9, down + 9, formula=True)


def rows() -> Iterator[Row]:
    """What is measured, the cheap first. 1,000 clients take half a minute a turn: there, not every combination is."""
    schemes = [f"{transport}, {name}" for name in GRAPHS for transport in ("star", "chain")]
    for clients in CLIENTS:
        for labels in LABELS:
            yield plain(clients, labels)
            for scheme in schemes:
                if clients < 1000 or labels == 10 or scheme == "star, d = 32":
                    yield Row(scheme, clients, labels)
            if clients == 1000:
                yield complete_at(clients, labels)
            elif clients < 300 or labels == 10:
                yield Row("complete", clients, labels)
            else:
                yield complete_at(clients, labels)


def turns_of(clients: int) -> int:
    """How often a census of so many clients is run."""
    return MORE if clients <= FEW else TURNS


def measure(file: Path) -> None:
    """All rows, written as they come."""
    found: dict[str, Any] = {"machine": machine(), "looked_at": LOOKED_AT, "rows": []}
    for row in rows():
        for turn in range(0 if row.formula or row.scheme == "plain" else turns_of(row.clients)):
            counted(row, turn)
        if row.scheme == "complete" and not row.formula:
            other = complete_at(row.clients, row.labels)
            assert (row.up, row.down) == (other.up, other.down)  # the formula holds where it can be checked
        found["rows"].append(vars(row))
        file.write_text(json.dumps(found, indent=1) + "\n")
        print(row, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write the page and the picture."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    assert given in ([], ["--page"]), given
    file = RESULTS / "census.json"
    if not given:
        measure(file)
    found, other = json.loads(file.read_text()), RESULTS / "census_secaggplus.json"
    flower = json.loads(other.read_text()) if other.exists() else None
    (RESULTS / "census.md").write_text("\n".join(pages(found, flower)) + "\n")
    draw(found, flower, RESULTS.parents[1] / "docs" / "pictures" / "census.png")


if __name__ == "__main__":
    main()
