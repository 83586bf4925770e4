"""Loss exploration alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from horae.cli.options import DataRoot, File, Json, Settings, data_root_of, printed
from horae.settings import parse_setting

if TYPE_CHECKING:
    from horae.explore import Explored

Out = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where it will lie (default: runs/<name>-guidance-<time>).")
]
Plot = Annotated[Path | None, typer.Option(metavar="FILE.png", help="Write the picture here as well.")]
Seed = Annotated[int | None, typer.Option(help="The experiment's seed.")]
Workers = Annotated[int, typer.Option(help="Processes that train; the result is the same.")]
Open = Annotated[bool, typer.Option("--open", help="Show the picture.")]


def explore(
    file: File = None,
    settings: Settings = None,
    seed: Seed = None,
    out: Out = None,
    plot: Plot = None,
    show: Open = False,
    workers: Workers = 1,
    data_root: DataRoot = None,
    as_json: Json = False,
) -> None:
    """Have clients explore the first model, and leave what they tell of each weight for later runs (--guidance)."""
    from horae.explore import explore as carry_out  # torch takes seconds to load

    changes = dict(map(parse_setting, settings or [])) | ({} if seed is None else {"seed": seed})
    console = Console(stderr=True, quiet=as_json)
    columns = (TextColumn("exploring"), BarColumn(30), TextColumn("{task.fields[facts]}"), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=as_json or not console.is_terminal) as progress:
        task = progress.add_task("", total=None, facts="")

        def watch(done: int, of: int) -> None:
            progress.update(task, total=of, completed=done, facts=f"{done} of {of} explorers")

        def say(words: str) -> None:
            progress.console.print(words, markup=False, highlight=False, soft_wrap=True)

        done = carry_out(
            file, out=out, plot=plot, changes=changes, data_root=data_root_of(data_root), workers=workers, watch=watch,
            say=say,
        )  # fmt: skip
    if not printed({**done.found.facts, "directory": str(done.directory), "picture": str(done.picture)}, as_json):
        _show(done, Console())
    if show and typer.launch(str(done.picture.resolve())):
        console.print(f"no program here shows pictures; open {done.picture}", markup=False, highlight=False)


def _show(done: Explored, console: Console) -> None:
    """A row for each layer, and what it cost."""
    from horae.report import tables

    facts, own = done.found.facts, done.found.flip.mode
    modes = dict.fromkeys((own, "paper", "square"))
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("layer", "kind", "weights", "mean g", *(f"kept, {mode}" for mode in modes)):
        grid.add_column(name, justify="left" if name in ("layer", "kind") else "right")
    for row in facts["layers"]:
        kept = (f"{row['kept'][mode]:.1%}" for mode in modes)
        grid.add_row(Text(row["name"]), row["kind"], f"{row['size']:,}", f"{row['mean_g']:.2e}", *kept)
    console.print(grid)
    for line in (*_told(facts, tables), f"guidance: {done.directory}", f"picture: {done.picture}"):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _told(facts: dict[str, Any], tables: Any) -> list[str]:
    """Who explored, how far, at what cost."""
    loss, epochs, n = facts["loss"], facts["epochs"], facts["pruning"]["explorers"]
    asked = f"{tables.plural(facts['explored'], 'client')} of {facts['clients']:,} explored (explorers = {n:g})"
    early = f"{facts['stopped_early']:,} stopped early"
    return [
        "",
        f"{asked}: {epochs['mean']:.1f} epochs each, {epochs['max']:.1f} at most, {early}",
        f"loss {tables.number(loss['before'])} → {tables.number(loss['after'])} with {facts['optimizer']},"
        f" lr {facts['lr']:g}",
        f"cost: {tables.nbytes(facts['bytes_up'])} up, {tables.nbytes(facts['bytes_down'])} down,"
        f" {tables.flops(facts['flops'])}, {tables.seconds(facts['simulated_s'])} simulated",
    ]
