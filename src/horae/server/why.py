"""The words of `horae explain`, for the page; nothing is drawn, and nothing written."""

from __future__ import annotations

import threading
from typing import Any

from horae.errors import ConfigError, RunError, brief
from horae.explain.answer import Answer
from horae.explain.clients import explain_client
from horae.explain.cohorts import explain_cohort
from horae.explain.story import tell
from horae.report.loading import Run, read_run
from horae.server.finding import LOG, check_ordinary
from horae.server.watch import Watched

LARGEST = 2**28  # bytes of a log that is read as a whole


class Explainer:
    """Answers, one at a time; the run asked about last is kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: tuple[tuple[Any, ...], Run] | None = None

    def answer(self, watched: Watched, client: str | None, cohort: str | None) -> dict[str, Any]:
        """Why a client sits where it sits, why a cohort split or not, or the story of the run. Errors: ConfigError for
        what the run does not know, RunError for a broken run.
        """
        with self._lock:
            run = self._read(watched)
            if client is not None:
                told = explain_client(run, _whole(client))
            elif cohort is not None:
                told = explain_cohort(run, cohort[:200])
            else:
                told = tell(run)
        return _view(told)

    def _read(self, watched: Watched) -> Run:
        about = (watched.directory / LOG).lstat() if watched.why == "" else None
        if about is None:
            raise RunError(watched.why)
        if about.st_size > LARGEST:
            raise RunError(f"{watched.name}/{LOG} is too large to explain here; use horae explain")
        check_ordinary(watched.directory, watched.name)
        key = (watched.directory, about.st_size, about.st_mtime_ns, watched.version)
        if self._kept is None or self._kept[0] != key:
            self._kept = None
            self._kept = (key, read_run(watched.directory))
        return self._kept[1]


def _whole(client: str) -> int:
    if not (client.isascii() and client.isdigit() and len(client) < 19):
        raise ConfigError(f"client should be a client's id, got {brief(client[:40])}")
    return int(client)


def _view(answer: Answer) -> dict[str, Any]:
    grids = [grid.lean for grid in answer.grids]
    told = [{"caption": g.caption, "head": list(g.head), "rows": [list(row) for row in g.rows]} for g in grids]
    return {"title": answer.title, "words": answer.words, "tables": told}
