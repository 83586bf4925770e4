"""What an explanation is made of: words, tables, facts for machines, and the panels of one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from horae.explain.canvas import Panel
from horae.report.tables import NONE

Row = tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """A table for people: its caption, column names and rows."""

    caption: str
    head: Row
    rows: list[Row]

    @property
    def lean(self) -> Grid:
        """The same without columns that say nothing."""
        told = [i for i, _ in enumerate(self.head) if not i or any(row[i] != NONE for row in self.rows)]
        return Grid(self.caption, tuple(self.head[i] for i in told), [tuple(row[i] for i in told) for row in self.rows])


@dataclass(frozen=True)
class Answer:
    """An explanation. what: its name in file names. facts: everything in it, for `--json`."""

    what: str
    title: str
    words: list[str]
    facts: dict[str, Any]
    grids: list[Grid] = field(default_factory=list)
    panels: list[Panel] = field(default_factory=list)


def listed(items: Sequence[object], most: int = 12) -> str:
    """A list in a sentence, its end left out where it is long.

    >>> listed([3, 5, 8]), listed(range(20), 3)
    ('3, 5, 8', '0, 1, 2 and 17 more')
    """
    shown, rest = items[:most], len(items) - most
    return ", ".join(map(str, shown)) + (f" and {rest:,} more" if rest > 0 else "")


def shortened(rows: list[Row], most: int = 40) -> list[Row]:
    """A table's rows, the middle left out where there are more than `most`; `--json` has them all."""
    if len(rows) <= most:
        return rows
    return [*rows[: most // 4], ("…",) * len(rows[0]), *rows[len(rows) - most + most // 4 :]]
