"""A census by itself: the protocol between processes of this machine, over made-up counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from horae.cli.census_facts import facts_of, show
from horae.cli.options import Json, printed
from horae.errors import RunError, Stopped, did_you_mean, require
from horae.pure.streams import stream

if TYPE_CHECKING:
    from horae.census import Terms
    from horae.census.processes import Fault

STEPS = ("invite", "roster", "inbox", "turn", "reseal", "outcome", "witnesses")
Clients = Annotated[int, typer.Option(help="Members of the census.")]
Labels = Annotated[int, typer.Option(help="Numbers that each of them holds.")]
Drop = Annotated[float, typer.Option(metavar="SHARE", help="The share of members that drop out, in [0, 1).")]
DropAt = Annotated[
    str | None,
    typer.Option(metavar="STEP", help=f"At which message: {', '.join(STEPS)} (default: anywhere).", show_default=False),
]
Silent = Annotated[bool, typer.Option("--silent", help="Who drops out stays connected and says nothing.")]
Transport = Annotated[str, typer.Option(help="star or chain.")]
Segments = Annotated[int, typer.Option(help="Chains side by side.")]
Degree = Annotated[int, typer.Option(help="Neighbours that a member masks with; even.")]
Threshold = Annotated[
    int | None, typer.Option(help="Neighbours needed to open a secret (default: two thirds).", show_default=False)
]
Epochs = Annotated[int, typer.Option(help="Times to count.")]
Noise = Annotated[float, typer.Option(metavar="SD", help="Standard deviation that n_min members add to a total.")]
Vector = Annotated[str, typer.Option(help="What is counted: counts of labels, or sums of features.")]
Seed = Annotated[int, typer.Option(help="Who holds what, and who drops out where; keys never repeat.")]
Processes = Annotated[
    int, typer.Option("--processes", "--workers", help="Processes for the members; 0: one for each core, 2 or more.")
]
Hop = Annotated[float | None, typer.Option(metavar="S", help="Seconds to wait for an answer.", show_default=False)]
MOST, ROOM = 2000, 10_000_000  # clients, since everybody is told of everybody; numbers that they hold together
SAMPLES, UNIT = 200, 50  # the most samples of a member; in a sum, what a feature of one sample is at most


def census(
    clients: Clients = 60,
    labels: Labels = 10,
    drop: Drop = 0.0,
    drop_at: DropAt = None,
    silent: Silent = False,
    transport: Transport = "star",
    segments: Segments = 1,
    degree: Degree = 32,
    threshold: Threshold = None,
    epochs: Epochs = 1,
    noise: Noise = 0.0,
    vector: Vector = "counts",
    seed: Seed = 0,
    processes: Processes = 0,
    hop: Hop = None,
    as_json: Json = False,
) -> None:
    """Count what nobody may look at: a census among processes of this machine, beside the plain sum."""
    from horae.census.processes import across, processes_of

    require(vector in ("counts", "sums"), "--vector", "be counts or sums", vector)
    require(seed >= 0, "--seed", "be at least 0", seed)
    require(processes >= 0, "--processes", "be at least 0", processes)
    agreed = terms_of(clients, labels, transport, segments, degree, threshold, noise, vector, hop)
    require(clients >= agreed.n_min, "--clients", f"be at least n_min = {agreed.n_min}", clients)
    require(clients <= MOST, "--clients", f"be at most {MOST:,} on one machine", clients)
    require(clients * labels <= ROOM, "--labels", f"be at most {ROOM // clients:,} for {clients} clients", labels)
    faults = faults_of(clients, drop, drop_at, silent, agreed.transport, epochs, seed)
    held = {client: holding(vector, labels, client, seed) for client in range(clients)}
    began = time.monotonic()
    try:
        with progress(quiet=as_json, messages=5 * clients * epochs) as told:
            results = across(held, agreed, processes=processes, epochs=epochs, faults=faults, told=told)
    except KeyboardInterrupt:
        raise Stopped("interrupted; no total was released, and all processes have ended") from None
    facts = facts_of(results, held, agreed) | {
        "clients": clients, "vector": vector, "seed": seed, "processes": processes_of(processes, clients),
        "dropping": len(faults), "seconds_with_start": time.monotonic() - began,
    }  # fmt: skip
    if not printed(facts, as_json):
        show(facts)
    bad = next((result for result in results if result.status != "released"), None)
    if bad is not None:
        raise RunError(f"no totals: epoch {bad.epoch} was {bad.status}: {bad.reason}; {REMEDIES[bad.status]}")
    if not (facts["exact"] or facts["within_noise"]):
        raise RunError("the totals are not the plain sums; this is a defect of horae, please report it")


REMEDIES = {
    "aborted": "take more clients, a smaller --drop, or a lower --threshold",
    "refused": "the same members must be counted again, or several more or fewer",
}


def terms_of(
    clients: int, labels: int, transport: str, segments: int, degree: int, threshold: int | None, noise: float,
    vector: str, hop: float | None,
) -> Terms:  # fmt: skip
    """What the members agree on: as many colluders as threshold and degree bear, 9 at most."""
    from horae.census import Terms

    most = SAMPLES if vector == "counts" else SAMPLES * UNIT * labels
    needed = ceil(0.65 * degree) if threshold is None else threshold
    return Terms(
        labels=labels, clip=SAMPLES * UNIT, degree=degree, threshold=needed,
        colluders=max(0, min(9, 2 * needed - degree - 1)), transport=transport, segments=segments,
        hop_s=5 + clients / 20 if hop is None else hop, noise=noise, most=most if noise else 0,
    )  # fmt: skip


def faults_of(
    clients: int, drop: float, step: str | None, silent: bool, transport: str, epochs: int, seed: int
) -> dict[int, Fault]:
    """Who drops out, in which epoch, at which message."""
    from horae.census import Kind
    from horae.census.processes import Fault

    require(0 <= drop < 1, "--drop", "be in [0, 1)", drop)
    require(epochs >= 1, "--epochs", "be at least 1", epochs)
    require(step is None or step in STEPS, "--drop-at", "be a step", step, did_you_mean(step or "", STEPS))
    happens = step != "reseal" or transport == "chain"
    require(happens, "--drop-at", "be a step that a star has", step, "take --transport chain")
    draw = stream(seed, "census drops")
    kinds = [Kind[name.upper()] for name in ([step] if step else [name for name in STEPS if name != "reseal"])]
    some = draw.permutation(clients)[: round(drop * clients)].tolist()
    return {
        client: Fault(kinds[draw.integers(len(kinds))], int(draw.integers(1, epochs + 1)), silent) for client in some
    }


def holding(vector: str, labels: int, client: int, seed: int) -> NDArray[np.int64]:
    """What a member holds: counts of 20 to 200 samples' labels, skewed; or sums of as many samples' features."""
    draw = stream(seed, "census counts", client)
    samples = int(draw.integers(20, SAMPLES + 1))
    if vector == "counts":
        return draw.multinomial(samples, draw.dirichlet(np.full(labels, 0.5)))
    return np.floor(samples * UNIT * draw.random(labels)).astype(np.int64)


@contextmanager
def progress(quiet: bool, messages: int) -> Iterator[Callable[[int, str, int], None]]:
    """A bar of messages on a terminal; nothing elsewhere."""
    console = Console(stderr=True)
    columns = (TextColumn("epoch {task.fields[epoch]}, {task.fields[stage]:>6}"), BarColumn(30), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as bar:
        task, before = bar.add_task("census", total=messages, epoch=1, stage="start"), [1, 0, 0]

        def told(epoch: int, stage: str, heard: int) -> None:
            if epoch != before[0]:
                before[:] = [epoch, before[1] + before[2], 0]
            before[2] = heard
            bar.update(task, completed=before[1] + heard, epoch=epoch, stage=stage)

        yield told
