"""A new Flower app from the files in `template`."""

from __future__ import annotations

import keyword
import re
import sys
from pathlib import Path

from horae.errors import ConfigError, RunError, require
from horae.files import write_whole
from horae.flower.versions import OLDEST, dotted, installed, numbers

TEMPLATE = Path(__file__).with_name("template")
LONGEST = 32  # letters of a Flower app's name
INSIDE = ("__init__.py", "server.py", "client.py", "data.py")
OUTSIDE = ("pyproject.toml", "experiment.toml", "README.md", "LICENSE", ".gitignore")


def make_app(directory: Path) -> list[Path]:
    """Write a working app into a new or empty directory, whose name is the app's: the files, in order. Errors:
    HoraeError.
    """
    directory = directory.expanduser().absolute()
    name = directory.name
    check_app_name(name)
    if directory.is_file() or (directory.is_dir() and any(directory.iterdir())):
        raise RunError(f"{directory} is not an empty directory; choose another DIR, or empty it")
    package = name.replace("-", "_").lower()
    least = dotted(OLDEST) + ".0"
    here = installed()
    target = here if here and numbers(here) >= OLDEST and here.replace(".", "").isdigit() else least
    words = {"name": name, "package": package, "oldest": least, "target": target}
    try:
        (directory / package).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot make {directory}: {error.strerror}; choose another DIR") from None
    made = {directory / file: file for file in OUTSIDE} | {directory / package / file: file for file in INSIDE}
    for place, file in made.items():
        write_whole(place, filled(file, words))
    return list(made)


def filled(file: str, words: dict[str, str]) -> str:
    """A file of the template with its {{words}} filled in."""
    text = (TEMPLATE / f"{file.removeprefix('.')}.txt").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: words[found[1]], text)


def check_app_name(name: str) -> None:
    """Refuse a name that Flower does not take, or whose package would hide another. Errors: ConfigError."""
    fine = re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", name) is not None and len(name) <= LONGEST and not name.endswith("-")
    should = f"begin with a letter and have only letters, digits and hyphens, at most {LONGEST}, as Flower wants it"
    require(fine, "the app's name (the last part of DIR)", should, name)
    package = name.replace("-", "_").lower()
    taken = package in sys.stdlib_module_names or keyword.iskeyword(package) or package in ("horae", "flwr", "torch")
    if taken:
        raise ConfigError(f"an app {name!r} would hide the Python module {package!r}; choose another name")
