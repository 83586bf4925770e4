"""Draw a page about runs that are there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from horae.cli.options import Json, printed
from horae.errors import RunError


def report(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN", help="Run directories, finished or not.", show_default=False)
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="The file (default: report.html, in the run directory for one run, else here)."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a page about a run, or one page about several, and print where it lies."""
    from horae.report.many import write_report_of  # matplotlib takes a second to load, and no other command needs it

    one = len({run.resolve() for run in runs}) == 1
    file = out or (runs[0] / "report.html" if one else Path("report.html"))
    if file.exists() and not file.is_file():
        raise RunError(f"cannot write {file}: it is not a file; choose another --out")
    written = write_report_of(runs, file)
    if not printed({"report": str(written), "runs": [str(run) for run in runs]}, as_json):
        print(written)
