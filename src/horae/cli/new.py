"""New things to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from horae.cli.options import Json, printed


def flower(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where; its last part is the app's name.")],
    as_json: Json = False,
) -> None:
    """Write a Flower app: experiment, server, client, the data of a node, and how to run it."""
    from horae.flower.making import make_app

    made = make_app(directory)
    where = [str(file) for file in made]
    if printed({"directory": str(directory), "files": where}, as_json):
        return
    print("\n".join(where))
    print(f"next: write {made[-1].parent.name}/data.py, then see {directory / 'README.md'}")
