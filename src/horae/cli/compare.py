"""Compare arms over seeds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from horae.cli.options import DataRoot, File, Json, Settings, printed
from horae.settings import parse_setting

if TYPE_CHECKING:
    from horae.compare import Comparison

Vary = Annotated[
    list[str] | None,
    typer.Option(
        "--vary",
        metavar="KEY=V1,V2,...",
        help="What differs between the arms, e.g. clustering=single,auxo; repeatable.",
    ),
]
SHOWN = ("cohorts", "simulated_s", "bytes_up", "bytes_down")


def compare(
    file: File = None,
    vary: Vary = None,
    seeds: Annotated[str | None, typer.Option(help="Seeds, e.g. 0,1,2 or 0-4 (default: 0-2).")] = None,
    jobs: Annotated[int | None, typer.Option(help="Runs at a time (default: one for each core).")] = None,
    settings: Settings = None,
    out: Annotated[Path | None, typer.Option(help="The directory (default: comparisons/<name>-<time>).")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the comparison in this directory.")] = None,
    against: Annotated[
        str | None, typer.Option(metavar="ARM", help="The arm to compare with (default: the first).")
    ] = None,
    data_root: DataRoot = None,
    as_json: Json = False,
) -> None:
    """Compare arms: every choice of the varied fields on every seed, at equal budget, with paired differences."""
    from horae.compare import compare as carry_out
    from horae.compare import parse_seeds, parse_vary

    if seeds is None and resume is None:
        seeds = "0-2"
    done = carry_out(
        file,
        vary=parse_vary(vary) if vary else None,
        seeds=parse_seeds(seeds) if seeds is not None else (),
        changes=dict(map(parse_setting, settings or [])),
        against=against,
        jobs=jobs,
        out=out,
        resume=resume,
        data_root=data_root,
        console=Console(stderr=True, quiet=as_json),
    )
    if not printed(done.results, as_json):
        _show(done, Console())
    if done.failures:
        raise typer.Exit(1)


def _show(done: Comparison, console: Console) -> None:
    """The end of a comparison, for people."""
    from horae.report.comparison import tables, words

    results = done.results
    what = f"{results['name']}; differences are to {results['against']}, in points, with their 95 % intervals"
    console.print(what, markup=False, highlight=False)
    for key in tables.JUDGED:
        (_, seeds, title, _, verdict), rows = tables.judged(results, key)
        _print(console, (title, seeds, "mean ± sd", "difference", verdict), rows)
    head, rows = tables.described(results, SHOWN)
    _print(console, ("", *head[1:]), rows)
    console.print()
    for remark in (*results["notes"], *words.failures(results)):
        failed = remark.startswith("failed")
        console.print(remark, style="bold" if failed else "", markup=False, highlight=False)
    console.print(f"report: {done.directory / 'results.html'}", markup=False, highlight=False, soft_wrap=True)


def _print(console: Console, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """One table; an arm's name is folded where it is too long, a number never."""
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for i, name in enumerate(head):
        grid.add_column(Text(name), overflow="fold", no_wrap=0 < i < 4)
    for row in rows:
        grid.add_row(*map(Text, row))
    console.print()
    console.print(grid)
