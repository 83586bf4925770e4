"""A table that any program reads."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path as File

from horae.trackers.common import Point, Run

COLUMNS = ("step", "at_s", "series", "value")


@dataclass(frozen=True)
class Csv:
    """One line for each number: step, at_s, series, value. Needs no library.

    directory: "" is the run's own, in `trackers.csv`; elsewhere each run has a file of its own. run: what it is called
    there, before its clustering and seed ("": the experiment's name).
    """

    directory: str = ""
    run: str = ""

    def open(self, run: Run) -> File:
        """The file, with its header; half a line from a run that was killed is cut off."""
        file = run.place(self.directory, "") / (f"{run.title(self.run)}.csv" if self.directory else "trackers.csv")
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a+b") as out:
            out.seek(0)
            whole = out.read().rpartition(b"\n")
            out.truncate(len(whole[0]) + len(whole[1]))
            if not whole[1]:
                out.write(",".join(COLUMNS).encode() + b"\n")
        return file

    def tell(self, opened: File, points: Sequence[Point]) -> None:
        """Append them."""
        with opened.open("a", newline="", encoding="utf-8") as out:
            rows = ((p.step, p.at_s, name, value) for p in points for name, value in p.numbers.items())
            csv.writer(out, lineterminator="\n").writerows(rows)

    def close(self, opened: File, ended: bool) -> None:
        """Nothing is open."""
