"""Watch runs in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from horae.errors import RunError, require

HERE = ("127.0.0.1", "localhost")


def serve(
    runs: Annotated[Path, typer.Argument(metavar="RUNS_DIR", help="Where runs lie, or one run.")] = Path("runs"),
    port: Annotated[int, typer.Option(help="The port; 0 chooses a free one.")] = 8321,
    host: Annotated[str, typer.Option(help="This machine alone: nothing else is listened on.")] = "127.0.0.1",
    open_: Annotated[bool, typer.Option("--open", help="Open a browser.")] = False,
) -> None:
    """Show runs on a page of this machine while they train: curves, cohorts, costs, comparisons, explanations."""
    remedy = "from another machine, go through ssh -L 8321:127.0.0.1:8321"
    require(host in HERE, "--host", "be 127.0.0.1", host, remedy)
    require(0 <= port <= 65535, "--port", "be between 0 and 65535", port)
    try:
        from horae.server import serving  # Starlette and uvicorn are an extra
    except ImportError as error:
        if error.name not in ("starlette", "uvicorn", "anyio"):
            raise
        raise RunError('horae serve needs Starlette and uvicorn: pip install "horae[serve]"') from None
    serving.serve(runs, port, open_)
