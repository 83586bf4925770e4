"""Compare arms over seeds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from horae.cli.options import DataRoot, File, Guidance, Json, Settings, changes_of, printed

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
Tune = Annotated[
    list[str] | None,
    typer.Option(
        "--tune",
        metavar="KEY=V1,V2,...",
        help="What every arm tries first, e.g. training.lr=0.1,1; repeatable.",
    ),
]
Arms = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Arms with settings of their own: [[arm]] name, set, tune.")
]
Seeds = Annotated[str | None, typer.Option(help="Seeds, e.g. 0,1,2 or 0-4 (default: 0-2).")]
Jobs = Annotated[int | None, typer.Option(help="Runs at a time (default: one for each core).")]
Out = Annotated[Path | None, typer.Option(help="The directory (default: comparisons/<name>-<time>).")]
Resume = Annotated[Path | None, typer.Option(help="Go on with the comparison in this directory.")]
Against = Annotated[str | None, typer.Option(metavar="ARM", help="The arm to compare with (default: the first).")]
Target = Annotated[
    float | None, typer.Option(help="The accuracy to reach, e.g. 0.9 (default: what ARM reaches on every seed).")
]
TuneSeeds = Annotated[str | None, typer.Option(help="Seeds to tune on, e.g. 100,101: not reported ones.")]
TuneBudget = Annotated[
    int | None, typer.Option(help="Settings that every arm tries (default: as many as the smallest grid has).")
]
SHOWN = (("accuracy_best10", "accuracy_variance", "cohorts"), ("simulated_s", "bytes_up", "bytes_down"))


def compare(
    file: File = None,
    vary: Vary = None,
    arms: Arms = None,
    seeds: Seeds = None,
    jobs: Jobs = None,
    settings: Settings = None,
    out: Out = None,
    resume: Resume = None,
    against: Against = None,
    target: Target = None,
    tune: Tune = None,
    tune_seeds: TuneSeeds = None,
    tune_budget: TuneBudget = None,
    guidance: Guidance = None,
    data_root: DataRoot = None,
    as_json: Json = False,
) -> None:
    """Compare arms: every choice of the varied fields on every seed, at equal budget and tuning, by pairs."""
    from horae.compare import compare as carry_out
    from horae.compare import parse_seeds, parse_vary

    if seeds is None and resume is None:
        seeds = "0-2"
    done = carry_out(
        file,
        vary=parse_vary(vary) if vary else None,
        arms=arms,
        seeds=parse_seeds(seeds) if seeds is not None else (),
        changes=changes_of(settings, guidance, file, pruned=True),
        against=against,
        target=target,
        tune=parse_vary(tune, "--tune") if tune else None,
        tune_seeds=parse_seeds(tune_seeds, "--tune-seeds") if tune_seeds is not None else (),
        tune_budget=tune_budget,
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
    for keys in SHOWN:
        _describe(console, results, keys)
    if tables.pruned(results):
        _describe(console, results, ("sparsity", "flops"))
    if results["target"]:
        console.print(f"\n{words.target(results)}", markup=False, highlight=False)
    for key in tables.TIMED if results["target"] else ():
        (_, reached, title, _, verdict), rows = tables.timed(results, key)
        _print(console, (title, reached, "mean ± sd", "speed-up", verdict), rows)
    if any(arm["fields"].get("downloads") for arm in results["arms"]):
        console.print(f"\n{words.COSTS}", markup=False, highlight=False)
        _describe(console, results, tables.COSTS)
    console.print()
    for remark in (*results["notes"], *words.failures(results)):
        failed = remark.startswith("failed")
        console.print(remark, style="bold" if failed else "", markup=False, highlight=False)
    console.print(f"report: {done.directory / 'results.html'}", markup=False, highlight=False, soft_wrap=True)


def _describe(console: Console, results: dict[str, Any], keys: tuple[str, ...]) -> None:
    """Fields without their differences."""
    from horae.report.comparison import tables

    head, rows = tables.described(results, keys)
    _print(console, ("", *head[1:]), rows)


def _print(console: Console, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """One table; an arm's name is folded where it is too long, a number never."""
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for i, name in enumerate(head):
        grid.add_column(Text(name), overflow="fold", no_wrap=0 < i < 4)
    for row in rows:
        grid.add_row(*map(Text, row))
    console.print()
    console.print(grid)
