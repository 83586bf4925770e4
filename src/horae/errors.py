"""Everything horae can refuse, drawn before it is defined.

HoraeError
├── ConfigError      the experiment says something that cannot be done (field, value, remedy)
├── DataError        data are missing, foreign or broken
└── RunError         a run directory cannot be used

The command line prints these as one line and exits with 2; anything else that escapes is a defect of horae.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class HoraeError(Exception):
    """A mistake a user can mend: the message names the field, the value and the remedy."""


class ConfigError(HoraeError):
    """The experiment asks for something that cannot be done."""


class DataError(HoraeError):
    """Data are missing, foreign or broken."""


class RunError(HoraeError):
    """A run directory cannot be read or written."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of an error message about an unknown word: its nearest neighbour, or everything known.

    >>> did_you_mean("gama", ["gamma", "epsilon"])
    "did you mean 'gamma'?"
    >>> did_you_mean("zzz", ["b", "a"])
    'known: a, b'
    """
    choices = sorted(known)
    close = difflib.get_close_matches(word, choices, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(choices)}"


def require(ok: bool, field: str, should: str, got: object, remedy: str = "") -> None:
    """Refuse a value in one line that names the field, what it should be, what it is, and what to do.

    >>> require(0 < 2.0 <= 1, "clustering.gamma", "be in (0, 1]", 2.0)
    Traceback (most recent call last):
    horae.errors.ConfigError: clustering.gamma should be in (0, 1], got 2.0
    """
    if not ok:
        raise ConfigError(f"{field} should {should}, got {got!r}" + (f"; {remedy}" if remedy else ""))
