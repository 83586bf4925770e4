"""Where reproductions lie: beside the source in a checkout, within the package once it is installed."""

from __future__ import annotations

import tomllib
from pathlib import Path

import horae
from horae.errors import ConfigError, did_you_mean
from horae.reproduce.claims import Reproduction
from horae.reproduce.reading import read

RESULTS = "results"
_PAPERS = ("auxo", "autoflip", "halor", "proxyfloxy")  # folders that come first
_INSTALLED = Path(horae.__file__).parent / "experiments"
_CHECKOUT = Path(horae.__file__).parents[2] / "experiments"


def root() -> Path:
    """The folder `experiments`. Errors: ConfigError where there is none."""
    if _CHECKOUT.is_dir() and _CHECKOUT.with_name("pyproject.toml").is_file():
        return _CHECKOUT
    if _INSTALLED.is_dir():
        return _INSTALLED
    raise ConfigError(f"there is no folder {_INSTALLED}; install horae anew, or name a file")


def every(folder: Path | None = None) -> list[Reproduction]:
    """All that there are: papers first, tables before figures, numbers in names in their order."""
    place = folder or root()
    files = [file for file in place.glob("*/*.toml") if file.parent.name != RESULTS and claims(file)]
    return [read(file) for file in sorted(files, key=lambda file: (_place(file.parent.name), _order(file.stem)))]


def claims(file: Path) -> bool:
    """True for a file with a [claim]; other experiments may lie beside it."""
    try:
        return "[claim]" in file.read_text(encoding="utf-8") and "claim" in tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return False


def find(name: str) -> Reproduction:
    """`auxo/table5`, or a file's path. Errors: ConfigError."""
    if name.endswith(".toml"):
        return read(Path(name))
    file = root() / f"{name}.toml"
    if name.count("/") == 1 and ".." not in name and file.is_file() and claims(file):
        return read(file)
    known = [f"{f.parent.name}/{f.stem}" for f in root().glob("*/*.toml") if claims(f)]
    raise ConfigError(f"there is no reproduction {name!r}; {did_you_mean(name, known)}; horae reproduce lists them")


def called(reproduction: Reproduction) -> str:
    """What to say to `horae reproduce` for it: its name, or the path of a file from elsewhere."""
    file = root() / f"{reproduction.title}.toml"
    return reproduction.title if reproduction.file == file else str(reproduction.file)


def kept(reproduction: Reproduction, size: str) -> Path:
    """The file of its committed results."""
    ending = ".json" if size == "small" else f".{size}.json"
    return reproduction.file.parents[1] / RESULTS / reproduction.folder / f"{reproduction.name}{ending}"


def _place(folder: str) -> tuple[int, str]:
    return (_PAPERS.index(folder) if folder in _PAPERS else len(_PAPERS)), folder


def _order(stem: str) -> tuple[int, tuple[str, int, str]]:
    """Tables before figures, 9 before 10.

    >>> sorted(["figure10", "figure9", "table3", "figure13a"], key=_order)
    ['table3', 'figure9', 'figure10', 'figure13a']
    """
    word = stem.rstrip("abcdefghijklmnopqrstuvwxyz") if stem[-1:].isalpha() and any(map(str.isdigit, stem)) else stem
    digits = word[len(word.rstrip("0123456789")) :]
    head = word[: len(word) - len(digits)]
    return (0 if head == "table" else 1), (head, int(digits or 0), stem[len(word) :])
