"""Shakespeare's roles, character by character."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from horae.errors import one_line, require
from horae.population.base import Population
from horae.population.files import located
from horae.population.pool import Pool
from horae.population.readers.common import Sharing, first_missing, insist, numbered, wrong
from horae.types import UNKNOWN

SIZE = "2 MB"
FILE = "shakespeare_roles.jsonl.gz"
LICENCE = "public domain"
CITATION = (
    "W. Shakespeare: plays; roles as clients as in S. Caldas et al.: LEAF: a benchmark for federated settings. "
    "arXiv:1812.01097, 2018"
)
SYMBOLS = "\n !$&',-.0123456789:;?ABCDEFGHIJKLMNOPQRSTUVWXYZ[]abcdefghijklmnopqrstuvwxyz"  # token 1 and on
CLASSES = len(SYMBOLS) + 2  # 0: padding; the last: any other character


@dataclass(frozen=True)
class Shakespeare(Sharing):
    """Roles of Shakespeare's plays, one client each; which character comes next? The play is the known group.

    A sample is `length` characters as tokens, uint8 `(length,)`. every: true asks after each of them, and windows
    follow each other; false asks after the last alone, and a window begins every length // 8 characters. The end of
    each role's text is for testing, test_fraction of it; a short window is padded with 0. A role that does not fill two
    windows is left out. Needs `shakespeare_roles.jsonl.gz` (play, role, lines) in the data directory.
    """

    length: int = 80
    every: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require(2 <= self.length <= 4096, "population.length", "be in [2, 4096]", self.length)

    def missing(self, data_root: Path | None) -> str | None:
        """Why it cannot be built from this data directory, in one line, or None if it can."""
        return first_missing([located(data_root, FILE)], "Shakespeare's roles (play, role, lines)")

    def build(self, seed: int, data_root: Path | None = None) -> Population:
        """The clients. Errors: ConfigError, DataError."""
        insist(self.missing(data_root))
        pool = shakespeare_pool(located(data_root, FILE), self.length, self.every, self.test_fraction)
        return self.people(pool, "shakespeare", seed)

    def reader(self, data_root: Path | None) -> Callable[[NDArray[Any]], str]:
        """What makes text of a sample; `·` for padding and what has no symbol."""
        return lambda sample: "".join(f"·{SYMBOLS}·"[token] for token in sample.tolist())


def tokens(text: str) -> NDArray[np.uint8]:
    """A text as tokens `(n,)`.

    >>> tokens("\\nA~").tolist()
    [1, 23, 77]
    """
    table = np.full(128, CLASSES - 1, np.uint8)
    table[[ord(letter) for letter in SYMBOLS]] = np.arange(1, len(SYMBOLS) + 1)
    return table[np.frombuffer(text.encode("ascii", "replace").replace(b"\x7f", b"~"), np.uint8)]


def shakespeare_pool(path: Path, length: int, every: bool, test_fraction: float) -> Pool:
    """Windows of the roles that fill two; owners are roles, groups are plays. Errors: DataError."""
    xs, ys, owners, tested = [], [], [], []
    plays: list[str] = []
    for play, lines in _roles(path):
        text = tokens("\n".join(lines) + "\n")
        if text.size <= 2 * length:
            continue
        cut = min(max(round(text.size * (1 - test_fraction)), length + 1), text.size)
        for late, part in enumerate((text[:cut], text[cut:])):
            x, y = windows(part, length, every)
            xs.append(x)
            ys.append(y)
            owners.append(np.full(len(x), len(plays)))
            tested.append(np.full(len(x), late == 1))
        plays.append(play)
    if not plays:
        raise wrong(path, f"no role fills two windows of {length} characters; lower population.length")
    about = f"Shakespeare: {len(plays)} roles of {len(set(plays))} plays, windows of {length} characters"
    x, y, whose = np.concatenate(xs), np.concatenate(ys, dtype=np.int64), np.concatenate(owners).astype(np.int64)
    known = (np.concatenate(tested), numbered(plays))
    return Pool(x, y, CLASSES, whose, *known, "next-token", None, about, LICENCE, CITATION)


def windows(text: NDArray[np.uint8], length: int, every: bool) -> tuple[NDArray[np.uint8], NDArray[np.int16]]:
    """Tokens of each window `(n, length)`, and what follows each of them, or the last; UNKNOWN where the text is over.

    >>> x, y = windows(np.array([5, 6, 7, 8, 9], np.uint8), 3, True)
    >>> x.tolist(), y.tolist()
    ([[5, 6, 7], [8, 0, 0]], [[6, 7, 8], [9, -1, -1]])
    """
    n = text.size
    starts = np.arange(0, n - 1, length) if every else np.arange(0, n - length, max(1, length // 8))
    at = starts[:, None] + np.arange(length)
    if not every:
        return text[at], text[starts + length].astype(np.int16)
    gone, at = at >= n - 1, np.minimum(at, max(n - 2, 0))
    return np.where(gone, 0, text[at]).astype(np.uint8), np.where(
        gone, np.int16(UNKNOWN), text[at + 1].astype(np.int16)
    )


def _roles(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Play and lines of each role."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                role = json.loads(line)
                told = isinstance(role, dict) and isinstance(role.get("play"), str)
                if not told or not isinstance(role.get("lines"), list) or not all(map(_text, role["lines"])):
                    raise wrong(path, "should hold play, role and lines", number)
                yield role["play"], role["lines"]
    except (OSError, EOFError, ValueError, RecursionError, zlib.error) as error:
        raise wrong(path, f"is broken or truncated ({one_line(error, 80)}); fetch it again") from None


def _text(line: object) -> bool:
    return isinstance(line, str)
