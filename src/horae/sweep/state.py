"""What a sweep writes down of itself: state.jsonl, a line for everything that happens, appended as it does.

sweep   it began, or went on
start   a run was started: in which slot, its process (the ssh's, where it is on another host)
end     it ended: done, failed or stopped, and why
stop    somebody asked for a run to be stopped
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from horae.errors import RunError
from horae.files import unwritable
from horae.pids import Process, known
from horae.sweep.slots import Slot, slot

FILE = "state.jsonl"
DONE, FAILED, STOPPED, RUNNING, WAITING = "done", "failed", "stopped", "running", "waiting"


@dataclass
class Story:
    """What has happened to a run. ended: done, failed or stopped, or empty while it runs. since: seconds since 1970.
    asked: somebody stopped it. again: the sweep went on since.
    """

    begun: Slot | None = None
    process: Process | None = None
    ended: str = ""
    why: str = ""
    since: float | None = None
    asked: bool = False
    again: bool = False


@dataclass
class State:
    """stories: by run."""

    stories: dict[str, Story] = field(default_factory=dict)

    def of(self, run: str) -> Story:
        """A run's story, empty where nothing happened yet."""
        return self.stories.setdefault(run, Story())


def tell(directory: Path, event: str, **fields: Any) -> None:
    """Append a line, whole or not at all. Errors: RunError."""
    file = directory / FILE
    line = json.dumps({"event": event, "at": round(time.time(), 3), **fields}, separators=(",", ":")) + "\n"
    try:
        handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            if os.fstat(handle).st_size and not _ends_well(file):  # cut off by a loss of power
                line = "\n" + line
            os.write(handle, line.encode())
        finally:
            os.close(handle)
    except OSError as error:
        raise unwritable(file, error) from None


def read(directory: Path) -> State:
    """Everything that happened; a line that cannot be read did not. Errors: RunError for a file that cannot be."""
    state = State()
    try:
        lines = (directory / FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return state
    except OSError as error:
        raise RunError(f"cannot read {directory / FILE}: {error.strerror}") from None
    for line in lines:
        try:
            event = json.loads(line)
            _take(state, event)
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return state


def _take(state: State, event: dict[str, Any]) -> None:
    kind = event["event"]
    if kind == "sweep":
        for story in state.stories.values():
            story.again = True
        return
    story = state.of(event["run"])
    if kind == "start":
        begun, process = slot(event["slot"]), known(event["process"])
        state.stories[event["run"]] = Story(begun, process, since=float(event["at"]))
    elif kind == "end":
        story.ended, story.why, story.since = str(event["state"]), str(event["why"]), float(event["at"])
    elif kind == "stop":
        story.asked = True


def _ends_well(file: Path) -> bool:
    with file.open("rb") as lines:
        lines.seek(-1, os.SEEK_END)
        return lines.read(1) == b"\n"
