"""Loss exploration alone: what clients tell of each weight, in a directory that later runs take their guidance from."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from horae.errors import RunError, Stopped, require
from horae.experiment import Experiment, load, name_of
from horae.explore.finding import Found, find
from horae.files import PART, check_writable, unwritable, write_whole
from horae.pruning.autoflip import AutoFlip
from horae.pruning.files import write_guidance

__all__ = ["Explored", "Found", "explore", "find"]
PICTURE = "guidance.png"


@dataclass(frozen=True)
class Explored:
    """An exploration that lies in a directory. picture: where the picture is."""

    found: Found
    directory: Path
    picture: Path


def explore(
    source: str | Path | Mapping[str, Any] | Experiment | None = None,
    *,
    out: str | Path | None = None,
    plot: str | Path | None = None,
    changes: Mapping[str, Any] | None = None,
    data_root: str | Path | None = None,
    workers: int = 1,
    watch: Callable[[int, int], None] = lambda done, of: None,
    say: Callable[[str], None] = lambda words: None,
) -> Explored:
    """Have an experiment's clients explore its first model, and leave guidance.npz, guidance.json and guidance.png.

    out: the directory (default runs/<name>-guidance-<time>), there when everything is in it. plot: where the picture
    is written as well. watch: told how many of the explorers are done. say: told a remark.
    Errors: HoraeError; Stopped after Ctrl-C, when nothing was written.
    """
    require(1 <= workers <= 1024, "workers", "be in [1, 1024]", workers)
    experiment = source if isinstance(source, Experiment) and not changes else _loaded(source, changes)
    experiment = _exploring(experiment, say)
    directory, picture = _fresh(experiment, out), _picture(plot)
    try:
        with closing(
            (world := experiment.world(None if data_root is None else Path(data_root), workers=workers)).trainer
        ):
            found = find(experiment, world, watch)
        drawn = _written(directory, found)
    except KeyboardInterrupt:
        raise Stopped("the exploration was interrupted; nothing was written") from None
    if picture is not None:
        write_whole(picture, drawn)
    return Explored(found, directory, picture or directory / PICTURE)


def _loaded(source: Any, changes: Mapping[str, Any] | None) -> Experiment:
    return load(source.table() if isinstance(source, Experiment) else source, changes)


def _exploring(experiment: Experiment, say: Callable[[str], None]) -> Experiment:
    """The experiment with AutoFLIP, its own or with default fields, that takes no guidance from elsewhere."""
    own = experiment.parts["pruning"]
    if not isinstance(own, AutoFlip):
        say(f"[pruning] is {name_of('pruning', own)}: exploring as AutoFLIP does with its defaults")
        own = AutoFlip()
    return replace(experiment, parts={**experiment.parts, "pruning": replace(own, guidance="")})


def _fresh(experiment: Experiment, out: str | Path | None) -> Path:
    """Where the guidance will lie; nothing is made yet. Errors: RunError if it holds something, or cannot be made."""
    usual = Path("runs") / f"{experiment.name}-guidance-{datetime.now():%Y%m%d-%H%M%S}"
    names = (usual.with_name(usual.name + (f"-{n}" if n > 1 else "")) for n in range(1, 1000))
    directory = Path(out) if out is not None else next(name for name in names if not name.exists())
    check_writable(directory)
    if directory.exists() and any(directory.iterdir()):
        raise RunError(f"{directory} is not empty; choose another --out")
    return directory


def _picture(plot: str | Path | None) -> Path | None:
    if plot is None:
        return None
    file = Path(plot)
    require(file.suffix.lower() == ".png", "--plot", "end in .png", str(plot))
    check_writable(file.parent)
    if file.is_dir():
        raise RunError(f"cannot write {file}: it is a directory; choose another --plot")
    return file


def _written(directory: Path, found: Found) -> bytes:
    """Everything into a directory beside, which then takes the name; hands back the picture. Errors: RunError."""
    from horae.explore.picture import drawn  # matplotlib takes a second to load

    picture, whole = drawn(found), directory.absolute()
    part = whole.with_name(f".{whole.name}-{os.getpid()}{PART}")
    try:
        part.mkdir(parents=True)
        write_guidance(part, found.guidance, found.at, found.anatomy, found.charges, found.facts)
        write_whole(part / PICTURE, picture)
        os.replace(part, whole)
    except OSError as error:
        raise unwritable(directory, error) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return picture
