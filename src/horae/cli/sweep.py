"""Many experiments at once: carry out, look at, stop."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from horae.cli.options import DataRoot, Json, printed
from horae.errors import RunError, require

if TYPE_CHECKING:
    from horae.sweep.finding import Target
    from horae.sweep.rows import Row, Standing

NONE = "–"
STATES = ("done", "running", "waiting", "failed", "stopped")
SweepFile = Annotated[
    Path | None, typer.Argument(metavar="SWEEP.toml", help="Runs and slots: see docs/sweep.md.", show_default=False)
]
Which = Annotated[
    str | None, typer.Argument(metavar="DIR|NAME", help="A directory, or a name in sweeps/, comparisons/ or runs/.")
]


def sweep(
    file: SweepFile = None,
    jobs: Annotated[int | None, typer.Option(help="Runs at a time on this machine, in place of the slots.")] = None,
    out: Annotated[Path | None, typer.Option(help="The directory (default: sweeps/<name>-<time>).")] = None,
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="Go on with the sweep in this directory.")] = None,
    data_root: DataRoot = None,
    as_json: Json = False,
) -> None:
    """Carry out many experiments, over this machine's processors and GPUs and other hosts, one in each slot."""
    from horae.sweep.carrying import sweep as carry_out

    console = Console(stderr=True, quiet=as_json)
    done = carry_out(file, jobs=jobs, out=out, resume=resume, data_root=data_root, console=console)
    if not printed(done.table(), as_json):
        _show(done, Console())
    if done.count("done") < len(done.rows):
        raise typer.Exit(1)


def status(which: Which = None, as_json: Json = False) -> None:
    """Show the runs of a sweep or a comparison, or a run: how far each is; without a name the last sweep."""
    from horae.sweep import finding

    if which is None:
        sweeps = [target for target in finding.here() if target.kind == finding.SWEEP]
        if not sweeps:
            raise RunError(f"there is no sweep in {finding.SWEEPS}/; name one, or begin one: horae sweep SWEEP.toml")
        target, others = sweeps[0], sweeps[1:]
    else:
        found = finding.find(which)
        target, others = found[0], found[1:]
    told = _standing(target)
    if target.run is not None:
        told = type(told)(told.name, told.directory, told.state, [r for r in told.rows if r.run == target.run.id])
    if not printed(told.table(), as_json):
        _show(told, console := Console())
        if others:
            console.print(f"{len(others)} more: {_names(others)}", markup=False, highlight=False, soft_wrap=True)


def stop(
    which: Annotated[
        str,
        typer.Argument(metavar="RUN|NAME|all", help="A directory, a name in sweeps/, comparisons/ or runs/, or all."),
    ],
    time: Annotated[str, typer.Argument(metavar="[TIMESTAMP]", help="When it began, if there are several.")] = "",
    wait: Annotated[float, typer.Option(help="Seconds to wait for the rounds in flight, before killing.")] = 60.0,
    as_json: Json = False,
) -> None:
    """Stop a sweep, a comparison, or a run, after the rounds in flight; what is left can be gone on with."""
    from horae.sweep import finding
    from horae.sweep.ending import stop as end

    require(0 <= wait <= 86_400, "--wait", "be between 0 and 86,400 seconds", wait)
    everything = which == "all" and not time
    targets = finding.here() if everything else _the_one(finding.find(which, time), which)
    console = Console(stderr=True, quiet=as_json)
    found = end(targets, wait, lambda words: console.print(words, markup=False, highlight=False, soft_wrap=True))
    if not printed({"ended": [asdict(one) for one in found]}, as_json):
        out = Console()
        for one in found:
            words = f"{one.how} {one.what} (process {one.pid})" + (f": {one.why}" if one.why else "")
            out.print(words, markup=False, highlight=False, soft_wrap=True)
        for again in dict.fromkeys(one.again for one in found if one.fine):
            out.print(f"go on with: {again}", markup=False, highlight=False, soft_wrap=True)
        if not found:
            out.print("nothing of that is running", markup=False, highlight=False)
    if not all(one.fine for one in found):
        raise typer.Exit(1)


def _the_one(found: list[Target], which: str) -> list[Target]:
    """Of several with one name the only one that is running. Errors: RunError where there are more."""
    if len(found) == 1:
        return found
    going = [target for target in found if _is_going(target)]
    if len(going) > 1:
        raise RunError(f"{which} names {len(going)} that are running: {_names(going)}; add the time, or name one")
    return going


def _standing(target: Target) -> Standing:
    """How it stands, whatever lies there."""
    from horae.sweep import compared, finding, rows

    how = {finding.SWEEP: rows.standing, finding.COMPARISON: compared.standing, finding.ALONE: rows.alone}
    return how[target.kind](target.directory)


def _is_going(target: Target) -> bool:
    told = _standing(target)
    mine = [row for row in told.rows if target.run is None or row.run == target.run.id]
    return any(row.state == "running" for row in mine) or (target.run is None and told.state == "running")


def _names(targets: list[Target]) -> str:
    return ", ".join(str(target.directory) + (f" {target.run.id}" if target.run else "") for target in targets[:5])


def _show(told: Standing, console: Console) -> None:
    """A standing, for people."""
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("run", "state", "slot", "rounds", "accuracy", "since"):
        right = name in ("rounds", "accuracy")
        grid.add_column(name, overflow="fold", no_wrap=name != "run", justify="right" if right else "left")
    for row in told.rows:
        since = f"{datetime.fromtimestamp(row.since):%m-%d %H:%M:%S}" if row.since is not None else NONE
        accuracy = f"{row.accuracy:.1%}" if row.accuracy is not None else NONE
        cells = (row.run, row.state, row.slot or NONE, _rounds(row), accuracy, since)
        grid.add_row(*map(Text, cells))
    console.print(grid)
    console.print()
    for row in told.rows:
        if row.why:
            console.print(f"{row.run}: {row.why}", markup=False, highlight=False, soft_wrap=True)
    counts = [f"{n} {state}" for state in STATES if (n := told.count(state))]
    gone = "; its process is gone" if told.state == "gone" else ""
    console.print(f"{told.directory}: {', '.join(counts)}{gone}", markup=False, highlight=False, soft_wrap=True)


def _rounds(row: Row) -> str:
    if row.rounds is None:
        return NONE
    return f"{row.rounds:,}" + (f" + {row.baseline_rounds:,}" if row.baseline_rounds is not None else "")
