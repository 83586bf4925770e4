"""Why a run went as it did."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from horae.cli.options import Json, printed

Run = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run directory, finished or not, or its baseline.", show_default=False)
]
Client = Annotated[int | None, typer.Option(metavar="ID", help="Why this client sits in its cohort.")]
Cohort = Annotated[str | None, typer.Option(metavar="NAME", help="Why this cohort, e.g. 0.1, split or did not.")]
Round = Annotated[
    int | None, typer.Option("--round", metavar="N", help="What happened in the run's N-th round, or the cohort's.")
]
Out = Annotated[Path | None, typer.Option(metavar="FILE.png", help="The picture (default: RUN/explain-<what>.png).")]


def explain(
    run: Run, client: Client = None, cohort: Cohort = None, number: Round = None, out: Out = None, as_json: Json = False
) -> None:
    """Tell why a run went as it did: a client, a cohort, a round or the whole, in words and one picture."""
    from horae.explain import explain as answer_to  # matplotlib takes a second to load

    answer, picture = answer_to(run, client=client, cohort=cohort, number=number, out=out)
    table: dict[str, Any] = {**answer.facts, "words": answer.words, "picture": str(picture)}
    if printed(table, as_json):
        return
    console = Console()
    for line in answer.words:
        console.print(_plain(line), markup=False, highlight=False)
    for grid in (each.lean for each in answer.grids):
        console.print()
        console.print(f"{grid.caption}:", markup=False, highlight=False)
        shown = Table(*map(_plain, grid.head), box=None, header_style="bold", pad_edge=False)
        for row in grid.rows:
            shown.add_row(*(Text(_plain(cell)) for cell in row))
        console.print(shown)
    console.print()
    console.print(f"picture: {picture}", markup=False, highlight=False, soft_wrap=True)


def _plain(words: str) -> str:
    """Words from a log without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else " " for letter in words)
