"""Reads the log of a run while it grows, and tells the trackers what is new in it.

Trackers see what is in the log and nothing else, so that they cannot change it; a log that is cut back to a checkpoint
and written again is told once, for `trackers.json` says how many of its events each tracker was told.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path as File
from types import TracebackType
from typing import Any, Self

from horae.errors import RunError, one_line
from horae.files import write_whole
from horae.trackers.apart import Apart, Failed
from horae.trackers.common import Point, Run, Tracker, needs
from horae.trackers.series import Series

MARKS = "trackers.json"
EVERY_S = 1.0  # at least, between two looks at the log

Named = Sequence[tuple[str, Tracker]]


class Telling:
    """An observer of one arm. directory: the arm's. facts: what `Run` holds beside its directory and its key.

    A tracker that fails is told no more, and `say` says so; the run goes on.
    """

    def __init__(self, named: Named, directory: File, facts: Mapping[str, Any], say: Callable[[str], None]) -> None:
        self._log, self._say = directory / "events.jsonl", say
        self._series, self._at, self._due = Series(), 0, 0.0
        self._tellers: list[Teller] = []
        if named:
            try:
                marks = Marks(directory / MARKS)
                run = Run(directory.absolute(), key=marks.key, **facts)
                self._tellers = [Teller(name, tracker, run, marks) for name, tracker in named]
            except RunError as error:
                self._say(f"no tracker is told: {error}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._tellers:
            self._tell(lambda teller: teller.close(self._series.ended))

    def look(self, standing: Any, engine: Any, *, over: bool) -> None:
        """Tell what is new, once in a while."""
        if self._tellers and time.monotonic() >= self._due:
            self._tell(Teller.push)
            self._due = time.monotonic() + EVERY_S

    def _tell(self, act: Callable[[Teller], None]) -> None:
        points = list(self._news())
        for teller in list(self._tellers):
            teller.waiting += [point for point in points if point.number > teller.told]
            try:
                act(teller)
            except Exception as error:  # whatever somebody else's library does
                self._tellers.remove(teller)
                teller.drop()
                why = one_line(error if isinstance(error, Failed | RunError) else f"{type(error).__name__}: {error}")
                self._say(f"tracker {teller.name} failed ({why}); the run goes on without it")

    def _news(self) -> Iterator[Point]:
        """What the log has got since it was last looked at."""
        if not self._log.exists():
            return
        with self._log.open("rb") as log:
            log.seek(self._at)
            for line in log:
                if not line.endswith(b"\n"):
                    return
                self._at += len(line)
                point = self._series.of(json.loads(line))
                if point is not None:
                    yield point


class Teller:
    """One tracker: what it was told, what is waiting. It is opened when there is something to tell."""

    def __init__(self, name: str, tracker: Tracker, run: Run, marks: Marks) -> None:
        self.name, self._tracker, self._run, self._marks = name, tracker, run, marks
        fields = json.dumps([name, asdict(tracker)], sort_keys=True, default=str)  # type: ignore[call-overload]
        self._mark = f"{name} {hashlib.blake2b(fields.encode(), digest_size=4).hexdigest()}"
        self.told = marks.told.get(self._mark, 0)
        self.waiting: list[Point] = []
        self._link: Apart | Here | None = None

    def push(self) -> None:
        """Tell what is waiting, unless it is still busy with what was told before."""
        if self.waiting and self._opened().idle():
            self._note()
            points, self.waiting = self.waiting, []
            self._opened().tell(points)

    def close(self, ended: bool) -> None:
        """Tell what is left, and let it end."""
        if self.waiting or self._link:
            link = self._opened()
            self._note()
            link.close(self.waiting, ended)

    def drop(self) -> None:
        """Nothing more is told."""
        if self._link:
            self._link.kill()

    def _opened(self) -> Apart | Here:
        if self._link is None:
            self._link = (Apart if needs(self._tracker) else Here)(self._tracker, self._run)
        return self._link

    def _note(self) -> None:
        """Before it is told, so that it is never told twice."""
        if self.waiting:
            self.told = self.waiting[-1].number
            self._marks.put(self._mark, self.told)


class Here:
    """A tracker in this process."""

    def __init__(self, tracker: Tracker, run: Run) -> None:
        self._tracker, self._opened = tracker, tracker.open(run)

    def idle(self) -> bool:
        """Always."""
        return True

    def tell(self, points: Sequence[Point]) -> None:
        """Tell them now."""
        self._tracker.tell(self._opened, points)

    def close(self, last: Sequence[Point], ended: bool) -> None:
        """Tell what is left, and let it end."""
        if last:
            self.tell(last)
        self._tracker.close(self._opened, ended)

    def kill(self) -> None:
        """Nothing is left."""


class Marks:
    """`trackers.json`: the run's key, and how many events of its log each tracker was told. Errors: RunError."""

    def __init__(self, file: File) -> None:
        self._file, self.told = file, dict[str, int]()
        self.key = secrets.token_hex(4)
        try:
            table = json.loads(file.read_text(encoding="utf-8"))
            self.key, self.told = str(table["key"]), {str(name): int(n) for name, n in table["told"].items()}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RunError(f"cannot read {file} ({one_line(error, 80)}); remove it to tell them all again") from None

    def put(self, mark: str, told: int) -> None:
        """Write it down."""
        self.told[mark] = told
        write_whole(self._file, json.dumps({"key": self.key, "told": self.told}, indent=2) + "\n")
