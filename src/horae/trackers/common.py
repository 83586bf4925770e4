"""What every tracker is given, and what it must be able to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path as File
from typing import Any, Protocol

from horae.errors import ConfigError


@dataclass(frozen=True)
class Run:
    """The run that is told. directory: its own, absolute. experiment: the resolved one, as plain data.

    key: eight hex digits that are the run's for ever, however often it is resumed.
    """

    directory: File
    name: str
    clustering: str
    seed: int
    key: str
    experiment: Mapping[str, Any]

    def title(self, given: str = "") -> str:
        """What it is called, no two runs alike. given: in place of the experiment's name."""
        return f"{given or self.name}-{self.clustering}-seed-{self.seed}-{self.key}"

    def place(self, given: str, own: str) -> File:
        """The directory that a tracker's field names, or, where it names none, one in the run's directory."""
        return File(given).expanduser().absolute() if given else self.directory / own


@dataclass(frozen=True)
class Point:
    """Numbers that are known from now on. number: of the event, from 1. step: participations so far; it never falls.
    at_s: the run's clock.
    """

    number: int
    step: int
    at_s: float
    numbers: Mapping[str, float]


class Tracker(Protocol):
    """A member of the family. Whatever it raises ends its part in the run, and not the run.

    One that has `needs`, the name of a module, is run in a process of its own, and is refused before any work where
    there is no such module. `environment`: variables that this process has; it gets few others.
    """

    def open(self, run: Run) -> Any:
        """Begin, or go on where `run.key` was begun before; what it hands back is handed to the others."""

    def tell(self, opened: Any, points: Sequence[Point]) -> None:
        """More points, in order, none twice."""

    def close(self, opened: Any, ended: bool) -> None:
        """No more for now. ended: the run is over, and not merely stopped."""


def needs(tracker: Tracker) -> str:
    """The module without which it cannot work; "" is none."""
    return str(getattr(tracker, "needs", ""))


def check(named: Iterable[tuple[str, Tracker]]) -> None:
    """Refuse trackers whose library is not installed. Errors: ConfigError."""
    for name, tracker in named:
        module = needs(tracker)
        if module and find_spec(module) is None:
            remedy = f"pip install {module}" if ":" in name else 'pip install "horae[trackers]"'
            raise ConfigError(f"trackers: {name} needs {module}, which is not installed: {remedy}")
