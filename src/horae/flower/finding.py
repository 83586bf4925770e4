"""One line of a check: what was looked at, what was found, what to do."""

from __future__ import annotations

from dataclasses import dataclass

ROLL = "horae on nodes: "  # before what a ServerApp in check mode logs, as JSON


@dataclass(frozen=True)
class Finding:
    """state: "ok", "warn" (it works, but look) or "wrong"."""

    check: str
    found: str
    remedy: str = ""
    state: str = "ok"


def ok(check: str, found: str) -> Finding:
    """As it should be."""
    return Finding(check, found)


def warn(check: str, found: str, remedy: str) -> Finding:
    """It works, and somebody should know."""
    return Finding(check, found, remedy, "warn")


def wrong(check: str, found: str, remedy: str) -> Finding:
    """A run would fail, or not be safe."""
    return Finding(check, found, remedy, "wrong")
