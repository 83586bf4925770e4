"""Ctrl-C and its like: stop after the round in flight, at once if asked twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from rich.console import Console

PARENT = "HORAE_PARENT"  # the process that started this one and without which it should stop


@contextmanager
def stopping(console: Console) -> Iterator[Callable[[], bool]]:
    """While this lasts, SIGINT and SIGTERM are noted; the callable says whether to stop. A second one interrupts."""
    noted: list[int] = []
    parent = os.environ.get(PARENT)

    def note(number: int, frame: FrameType | None) -> None:
        if noted:
            raise KeyboardInterrupt
        noted.append(number)
        console.print("stopping after the round in flight; once more to stop at once", highlight=False)

    def asked() -> bool:
        return bool(noted) or (parent is not None and parent != str(os.getppid()))

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
