"""Carry out an experiment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from horae.cli.dry import dry_run
from horae.cli.options import DataRoot, File, Guidance, Json, Settings, changes_of, data_root_of, printed
from horae.cli.stopping import stopping

if TYPE_CHECKING:
    from horae.runner import Result


def run(
    file: File = None,
    settings: Settings = None,
    seed: Annotated[int | None, typer.Option(help="The experiment's seed.")] = None,
    out: Annotated[Path | None, typer.Option(help="The run directory (default: runs/<name>-<time>).")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this directory.")] = None,
    workers: Annotated[int, typer.Option(help="Processes that train; the result is the same.")] = 1,
    pool: Annotated[
        str,
        typer.Option(help="Whose processes: local, ray, parsl, or package.module:function, which makes an executor."),
    ] = "local",
    executor: Annotated[
        str,
        typer.Option(help="Train on an executor, by the wall clock: inline, thread, process, parsl, ray, ..."),
    ] = "",
    guidance: Guidance = None,
    dry: Annotated[bool, typer.Option("--dry-run", help="Print the experiment and an estimate; run nothing.")] = False,
    data_root: DataRoot = None,
    as_json: Json = False,
) -> None:
    """Carry out an experiment, compare it with one global model at equal budget, and leave a report."""
    from horae.progress import Watcher
    from horae.runner import run as carry_out

    changes = changes_of(settings, guidance, file, resume is not None) | ({} if seed is None else {"seed": seed})
    console, root = Console(stderr=True, quiet=as_json), data_root_of(data_root)
    options: dict[str, Any] = {"out": out, "resume": resume, "workers": workers, "pool": pool, "data_root": root}
    options["executor"] = executor
    if dry:
        return dry_run(file, changes, options, as_json)
    with stopping(console) as stop, Watcher(console, quiet=as_json) as watcher:
        result = carry_out(file, changes=changes, watch=watcher.arm, stop=stop, **options)
    if not printed({**result.summary, "directory": str(result.directory)}, as_json):
        _show(result, Console())


def _show(result: Result, console: Console) -> None:
    """The end of a run, for people."""
    from horae.report import words

    s, other = result.summary, result.summary.get("baseline")
    grid = Table(
        "", s["clustering"], *([other["clustering"]] if other else []), box=None, header_style="bold", pad_edge=False
    )
    rows: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
        ("mean accuracy", "accuracy", lambda v: f"{v:.1%}"),
        ("worst tenth of clients", "accuracy_worst10", lambda v: f"{v:.1%}"),
        ("cohorts", "cohorts", str),
    )
    extra = [(title.lower(), key, _tight(say)) for key, (title, say, _) in words.METRICS.items() if key in s]
    for title, key, form in (*rows, *extra):
        cells = [form(t[key]) if t.get(key) is not None else "-" for t in (s, other) if t]
        grid.add_row(title, *cells)
    grid.add_row("participations", *(f"{t['participations']:,}" for t in (s, other) if t))
    grid.add_row("simulated time", *(f"{t['simulated_s'] / 3600:.1f} h" for t in (s, other) if t))
    if s.get("sparsity") is not None:
        gone = [f"{t['sparsity']:.1%}" if t.get("sparsity") is not None else "-" for t in (s, other) if t]
        grid.add_row("weights that went", *gone)
    if s["adjusted_rand_index"] is not None:
        grid.add_row("adjusted Rand index", f"{s['adjusted_rand_index']:.2f}", *(["-"] if other else []))
    console.print(grid)
    for split in s["splits"]:
        console.print(f"cohort {split}", markup=False, highlight=False, soft_wrap=True)
    if s["updates_refused"]:
        what = f"{s['updates_refused']:,} updates were not finite and were refused; lower training.lr"
        console.print(what, style="bold", highlight=False)
    console.print(f"report: {result.directory / 'report.html'}", markup=False, highlight=False, soft_wrap=True)


def _tight(say: Callable[[Any], str]) -> Callable[[Any], str]:
    """Percentages as this table has them."""
    return lambda value: say(value).replace(" %", "%")
