"""Everything horae can refuse, drawn before it is defined.

HoraeError
├── ConfigError      the experiment says something that cannot be done (field, value, remedy)
├── DataError        data are missing, foreign or broken
├── RunError         a run directory cannot be used
│   └── NoRoom       the disk is full
├── WireError        bytes that came over the wire cannot be read
├── PlaneError       arrays cannot be had from where they lie (kind, key, cause)
└── Stopped          the run was asked to stop, and can go on

The command line prints these as one line and exits with 2 (130 for Stopped); anything else that escapes is a defect of
horae.
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


class NoRoom(RunError):
    """The disk is full; what is there stays good."""


class WireError(HoraeError):
    """A payload is corrupt, of another model, or of a mask that the receiver does not know."""


class PlaneError(HoraeError):
    """Arrays cannot be had from, or brought to, where they lie. It can be pickled, so that a worker may send it.

    kind: "missing", "corrupt", "timeout", "unreachable" or "full". key: of what. cause: in words.
    """

    def __init__(self, kind: str, key: str, cause: str) -> None:
        super().__init__(kind, key, one_line(cause))
        self.kind, self.key, self.cause = kind, key, one_line(cause)

    def __str__(self) -> str:
        return f"data plane: {self.key or 'the store'} is {self.kind}: {self.cause}"


class Stopped(HoraeError):
    """A run ended before its budget was spent, because it was asked to; nothing is lost."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of an error message about an unknown word: its nearest neighbour, or everything known.

    >>> did_you_mean("gama", ["gamma", "epsilon"])
    "did you mean 'gamma'?"
    >>> did_you_mean("zzz", ["b", "a"])
    'known: a, b'
    """
    choices = sorted(known)
    close = difflib.get_close_matches(str(word)[:80], choices, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known: {one_line(', '.join(choices), 220)}"


def brief(value: object, most: int = 80) -> str:
    """A value as it is written in Python, short enough for a message.

    >>> brief("two"), brief(list(range(100)), 20)
    ("'two'", '[0, 1, 2, 3,..., 99]')
    """
    try:
        return one_line(repr(value), most)
    except Exception:  # a number of thousands of digits, lists a thousand deep: there is no way to write these
        return f"a {type(value).__name__} that cannot be written"


def one_line(words: object, most: int = 200) -> str:
    """Words from somewhere else as part of a message: on one line, the middle left out where they are many.

    >>> one_line("on   one line"), one_line("x" * 50, 13)
    ('on one line', 'xxxxxxx...xxx')
    """
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in str(words)).split())
    tail = (most - 3) // 3
    return line if len(line) <= most else f"{line[: most - 3 - tail]}...{line[-tail:]}"


def require(ok: bool, field: str, should: str, got: object, remedy: str = "") -> None:
    """Refuse a value in one line that names the field, what it should be, what it is, and what to do.

    >>> require(0 < 2.0 <= 1, "clustering.gamma", "be in (0, 1]", 2.0)
    Traceback (most recent call last):
    horae.errors.ConfigError: clustering.gamma should be in (0, 1], got 2.0
    """
    if not ok:
        raise ConfigError(f"{field} should {should}, got {brief(got)}" + (f"; {remedy}" if remedy else ""))
