"""The process of one tracker: `python -m horae.trackers.child`, with a line of JSON for each thing to do.

Whatever the library prints goes nowhere; a line comes back for each one that was read. Where the lines end without a
farewell, the run that was told has died: what was told is written all the same.
"""

from __future__ import annotations

import json
import os
import shutil
import warnings
from contextlib import suppress
from pathlib import Path as File
from typing import Any

from horae.errors import one_line
from horae.settings import imported
from horae.trackers.common import Point, Run

HOME = "HORAE_TRACKER_HOME"  # a directory that goes with the process


def main() -> None:
    """Answer until there is no more to do."""
    asked, answers = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    for fd in range(3):
        os.dup2(os.open(os.devnull, os.O_RDWR), fd)
    told = Told()
    for line in asked:
        answer = json.dumps(told.answer(json.loads(line)))
        with suppress(BrokenPipeError):  # nobody is left to hear it
            answers.write(answer + "\n")
            answers.flush()
    if not told.closed:
        told.answer({"do": "close", "ended": False})
    shutil.rmtree(os.environ[HOME], ignore_errors=True)


class Told:
    """The tracker, once it is open."""

    def __init__(self) -> None:
        self.closed = True
        warnings.simplefilter("ignore")

    def answer(self, asked: dict[str, Any]) -> dict[str, str]:
        """Do it; what comes back is empty, or says why it could not be done."""
        try:
            getattr(self, asked.pop("do"))(**asked)
        except Exception as error:
            return {"error": one_line(f"{type(error).__name__}: {error}")}
        return {}

    def open(self, tracker: str, fields: dict[str, Any], run: dict[str, Any]) -> None:
        """Make the tracker, and let it begin."""
        self._tracker = imported(tracker, "trackers.name")(**fields)
        self._opened = self._tracker.open(Run(**{**run, "directory": File(run["directory"])}))
        self.closed = False

    def tell(self, points: list[dict[str, Any]]) -> None:
        """Hand points on."""
        self._tracker.tell(self._opened, [Point(**point) for point in points])

    def close(self, ended: bool) -> None:
        """Let it end."""
        self.closed = True
        self._tracker.close(self._opened, ended)


if __name__ == "__main__":
    main()
