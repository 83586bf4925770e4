"""What the commands share: options, and the small steps from options to objects.

Commands import what needs torch where they use it: torch takes seconds to load, and `--help` should not.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from horae.errors import ConfigError
from horae.settings import parse_setting

if TYPE_CHECKING:
    from horae.experiment import Experiment

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a field, e.g. clustering.gamma=0.3.")
]
DataRoot = Annotated[
    Path | None, typer.Option("--data-root", help="Where data sets lie (default: HORAE_DATA or ~/.cache/horae).")
]
Guidance = Annotated[
    Path | None, typer.Option(metavar="DIR", help="What `horae explore` left, in place of an exploration.")
]
File = Annotated[Path | None, typer.Argument(help="An experiment file; none is the demo.", show_default=False)]


def experiment_of(file: Path | None, settings: list[str] | None, seed: int | None) -> Experiment:
    """The experiment of a file after `--set` and `--seed`."""
    from horae.experiment import load

    changes = dict(map(parse_setting, settings or []))
    return load(file, changes if seed is None else {**changes, "seed": seed})


def changes_of(
    settings: list[str] | None, guidance: Path | None, file: Path | None, pruned: bool = False
) -> dict[str, Any]:
    """What `--set` and `--guidance` change. pruned: the pruning need not be the file's. Errors: ConfigError."""
    changes = dict(map(parse_setting, settings or []))
    if guidance is None:
        return changes
    from horae.experiment import load, name_of

    if "pruning.guidance" in changes:
        raise ConfigError("--guidance and --set pruning.guidance say the same; leave one of the two out")
    pruning = None if pruned else load(file, changes).parts["pruning"]
    if pruning is not None and not hasattr(pruning, "guidance"):
        name = name_of("pruning", pruning)
        raise ConfigError(f"--guidance goes with a pruning that takes one, got {name}; add --set pruning.name=autoflip")
    return {**changes, "pruning.guidance": str(guidance.absolute())}


def data_root_of(given: Path | None) -> Path:
    """--data-root, else HORAE_DATA, else ~/.cache/horae."""
    return given or Path(os.environ.get("HORAE_DATA") or Path.home() / ".cache" / "horae")


def printed(table: dict[str, Any], as_json: bool) -> bool:
    """Print as JSON if asked to, and say whether that was done."""
    if as_json:
        print(json.dumps(table, indent=2))
    return as_json
