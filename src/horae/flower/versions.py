"""Which versions of Flower are supported, and which is here."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

OLDEST = (1, 40)  # the first whose SuperLink listens at one port for everything
BEFORE = (2, 0)  # and nothing from here on
TRIED = (1, 42)  # the newest that `make test-flower` was run with


def installed(package: str = "flwr") -> str | None:
    """The version of a package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def numbers(text: str) -> tuple[int, ...]:
    """The leading numbers of a version.

    >>> numbers("1.41.0"), numbers("1.42.0.dev2026")
    ((1, 41, 0), (1, 42, 0))
    """
    found: list[int] = []
    for part in text.split("."):
        if not part.isdigit():
            break
        found.append(int(part))
    return tuple(found)


def dotted(of: tuple[int, ...]) -> str:
    """A version as it is written."""
    return ".".join(map(str, of))
