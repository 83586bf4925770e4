"""Trackio's database in a directory of this machine: no Space, no server, no name of a user."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from horae.errors import require
from horae.trackers.common import Point, Run


@dataclass(frozen=True)
class Trackio:
    """A local project, to look at with `TRACKIO_DIR=DIR trackio show --project horae`.

    directory: where its database lies, "" is `trackio` in the run's directory; several runs may share one. project:
    Trackio's. run: what it is called there, before its clustering and seed ("": the experiment's name).
    """

    directory: str = ""
    project: str = "horae"
    run: str = ""
    needs: ClassVar[str] = "trackio"
    environment: ClassVar[dict[str, str]] = {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
    }

    def __post_init__(self) -> None:
        require(bool(self.project.strip()), "trackers.project", "name a project", self.project)

    def open(self, run: Run) -> tuple[Any, list[str]]:
        """Its run, the same one when it goes on, and what it complains of: it raises nothing. The library looks for its
        directory while it is imported.
        """
        place = run.place(self.directory, "trackio")
        place.mkdir(parents=True, exist_ok=True)
        os.environ["TRACKIO_DIR"] = str(place)
        import trackio

        complaints: list[str] = []
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_, **__: complaints.append(str(message))
        made = trackio.init(
            project=self.project, name=run.title(self.run), config=dict(run.experiment), resume="allow", embed=False,
            auto_log_gpu=False, auto_log_cpu=False,
        )  # fmt: skip
        return made, complaints

    def tell(self, opened: tuple[Any, list[str]], points: Sequence[Point]) -> None:
        """A row for each point, with the run's own clock among the numbers."""
        made, complaints = opened
        for point in points:
            made.log({**point.numbers, "simulated_s": point.at_s}, step=point.step)
        _heed(complaints)

    def close(self, opened: tuple[Any, list[str]], ended: bool) -> None:
        """Write what is left."""
        made, complaints = opened
        made.finish()
        _heed(complaints)


def _heed(complaints: list[str]) -> None:
    """Raise the first complaint of something that was not written."""
    for words in complaints:
        if "failed" in words or "dropped" in words:
            raise RuntimeError(words)
