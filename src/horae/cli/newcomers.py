"""What a finished run's cohorts are to clients that come later."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from horae.cli.options import DataRoot, Json, data_root_of, printed


def newcomers(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run.", show_default=False)],
    clients: Annotated[int, typer.Option(help="How many new clients.")] = 200,
    seed: Annotated[int, typer.Option(help="Decides which cohort each tries first.")] = 0,
    data_root: DataRoot = None,
    as_json: Json = False,
) -> None:
    """How many cohorts a client unseen in training tries before it finds its own, by four ways of searching."""
    from horae.newcomers import newcomers_of, report  # needs torch

    rows = report(newcomers_of(run, clients, data_root_of(data_root)), seed)
    if printed({"run": str(run), "ways": rows}, as_json):
        return
    grid = Table("search", "trials", "at most", "accuracy", "in the best cohort", box=None, pad_edge=False)
    for row in rows:
        numbers = (
            f"{row['trials']:.2f}",
            str(row["trials_most"]),
            f"{row['accuracy']:.1%}",
            f"{row['in_the_best']:.0%}",
        )
        grid.add_row(row["way"], *numbers)
    console = Console()
    console.print(f"{rows[0]['clients']} new clients, {rows[0]['cohorts']} cohorts", highlight=False)
    console.print(grid)
