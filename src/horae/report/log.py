"""The files of a run directory, read line by line and held to the schema: what is broken is named by file and line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from horae.errors import RunError, brief, one_line
from horae.report.schema import fault_of_event, fault_of_summary

Event = dict[str, Any]
BROKEN = "it is broken, or no run wrote it: run the experiment again"


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{brief(word)} is no number")


JSON = json.JSONDecoder(parse_constant=_refuse)  # NaN is no JSON, and no run writes it


def raw_lines(file: Path) -> Iterator[bytes]:
    """The lines of a log, one at a time, without their ends. A last line without an end was cut off while it was
    written, unless it is whole: it is left out. Errors: RunError if there is no such file.
    """
    _check_file(file)
    try:
        with file.open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):
                    yield line[:-1]
                elif _is_whole(line):
                    yield line
    except OSError as error:
        raise unreadable(file, error) from None


def event_of(file: Path, number: int, line: bytes) -> Event:
    """The event in a line. Errors: RunError that names file, line and what is wrong."""
    try:
        event = JSON.decode(line.decode())
    except (ValueError, RecursionError) as error:
        raise RunError(f"{one_line(file, 120)}, line {number} is no JSON: {one_line(error, 80)}; {BROKEN}") from None
    fault = fault_of_event(event)
    if fault:
        raise RunError(f"{one_line(file, 120)}, line {number}: {one_line(fault, 100)}; {BROKEN}")
    return event  # type: ignore[no-any-return]


def read_events(file: Path) -> list[Event]:
    """All events of a log. Errors: RunError for a missing or broken one."""
    return [event_of(file, number, line) for number, line in enumerate(raw_lines(file), 1)]


def read_summary(file: Path) -> dict[str, Any]:
    """What summary.json holds; nothing where there is none yet. Errors: RunError for a broken one."""
    if not file.exists():
        return {}
    try:
        summary = JSON.decode(read_text(file))
    except (ValueError, RecursionError) as error:
        raise RunError(f"{one_line(file, 120)} is no JSON: {one_line(error, 80)}; {BROKEN}") from None
    fault = fault_of_summary(summary)
    if fault:
        raise RunError(f"{one_line(file, 120)}: {fault}; {BROKEN}")
    return summary  # type: ignore[no-any-return]


def read_text(file: Path) -> str:
    """A file's text. Errors: RunError if there is none, or it is no text."""
    _check_file(file)
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise unreadable(file, error) from None
    except UnicodeDecodeError as error:
        raise RunError(f"{one_line(file, 120)} is no text in UTF-8 (byte {error.start}); {BROKEN}") from None


def unreadable(file: Path, error: OSError) -> RunError:
    """What to say of a file that could not be read."""
    return RunError(f"cannot read {one_line(file, 160)}: {error.strerror}; is this a run directory?")


def _check_file(file: Path) -> None:
    """Refuse what is no ordinary file: reading a pipe would wait for ever."""
    try:
        if file.is_file():
            return
        there = file.exists()
    except OSError as error:
        raise unreadable(file, error) from None
    if there:
        raise RunError(f"{one_line(file, 160)} is not a file; is this a run directory?")
    raise RunError(f"there is no {one_line(file, 160)}; is this a run directory?")


def _is_whole(line: bytes) -> bool:
    try:
        JSON.decode(line.decode())
    except (ValueError, RecursionError):
        return False
    return True
