"""What the papers claim, measured here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from horae.cli.options import DataRoot, Json, printed
from horae.errors import require

if TYPE_CHECKING:
    from horae.reproduce import Carried
    from horae.reproduce.claims import Reproduction

Name = Annotated[
    str | None, typer.Argument(help="What, e.g. auxo/table5, or a file; without it: what there is.", show_default=False)
]
SizeOption = Annotated[str, typer.Option("--size", help="small, or paper: with the paper's data and models.")]
Seeds = Annotated[int, typer.Option(help="How many seeds, from 0 on.")]
Jobs = Annotated[int | None, typer.Option(help="Runs at a time (default: one for each core).")]
Out = Annotated[Path | None, typer.Option(help="The directory (default: reproductions/<name>-<size>-<n>seeds).")]
Keep = Annotated[bool, typer.Option("--keep", help="Write the results into experiments/results of this checkout.")]
Page = Annotated[bool, typer.Option("--page", help="Make docs/evidence.md of the results that are kept, and end.")]


def reproduce(
    name: Name = None,
    size: SizeOption = "small",
    seeds: Seeds = 3,
    jobs: Jobs = None,
    out: Out = None,
    keep: Keep = False,
    page: Page = False,
    data_root: DataRoot = None,
    as_json: Json = False,
) -> None:
    """Carry out a table or figure of a paper, and say whether its claims hold here; go on where it was stopped."""
    from horae.reproduce import reproduce as carry_out
    from horae.reproduce.claims import SIZES
    from horae.reproduce.finding import every, find, kept
    from horae.reproduce.page import write_page
    from horae.reproduce.records import write

    require(size in SIZES, "--size", f"be {' or '.join(SIZES)}", size)
    if page:
        require(name is None, "--page", "stand alone: it shows all results", name, "leave the name out")
        for file in write_page():
            print(file)
        return
    if name is None:
        require(not keep, "--keep", "go with a name", "none", "e.g. horae reproduce auxo/table5 --keep")
        _list(every(), as_json)
        return
    reproduction = find(name)
    console = Console(stderr=True, quiet=as_json)
    done = carry_out(reproduction, size=size, seeds=seeds, jobs=jobs, out=out, data_root=data_root, console=console)
    if not printed(done.record.table, as_json):
        _show(reproduction, done, Console())
    if done.failures:
        raise typer.Exit(1)
    if keep:
        write(done.record, kept(reproduction, size))


def _list(found: list[Reproduction], as_json: bool) -> None:
    """Everything that can be reproduced."""
    rows = [
        {
            "name": one.title,
            "where": f"{one.claim.paper}, {one.claim.where}",
            "claim": one.claim.words,
            "minutes": one.sizes["small"].minutes or None,
        }
        for one in found
    ]
    if printed({"reproductions": rows}, as_json):
        return
    grid = Table(box=None, header_style="bold", pad_edge=False)
    grid.add_column("name", no_wrap=True)
    for title in ("what", "claim"):
        grid.add_column(title, overflow="fold")
    grid.add_column("minutes", justify="right", no_wrap=True)
    for row in rows:
        minutes = f"{row['minutes']:g}" if row["minutes"] else "-"
        grid.add_row(Text(str(row["name"])), Text(str(row["where"])), Text(str(row["claim"])), minutes)
    Console().print(grid)
    print(
        "\nhorae reproduce NAME carries one out (about so many minutes on two cores); docs/evidence.md: what was found"
    )


def _show(reproduction: Reproduction, done: Carried, console: Console) -> None:
    """The rows, for people."""
    from horae.reproduce.words import HEAD, cells

    claim, table = reproduction.claim, done.record.table
    console.print(Text(f"{claim.paper}, {claim.where}: {claim.words}"))
    console.print(Text(f"{table['size']}: {reproduction.sizes[table['size']].words}\n"))
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for title in HEAD:
        grid.add_column(title, overflow="fold")
    for row in done.record.rows:
        grid.add_row(*map(Text, cells(row)))
    console.print(grid)
    told = {check.words: check.why for check in reproduction.checks if check.why}
    for row in done.record.rows:
        if table["size"] == "small" and row.verdict != "yes" and row.words in told:
            console.print(Text(f"\n{row.words}: {told[row.words]}"))
    for remark in (*table["notes"], *(f"failed: {arm}, seed {seed}: {why}" for arm, seed, why in done.failures)):
        console.print(Text(remark), style="dim" if not remark.startswith("failed") else "bold")
    console.print(Text(f"runs: {done.directory}"), soft_wrap=True)
