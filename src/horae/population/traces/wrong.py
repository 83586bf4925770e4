"""What is wrong with a trace, before it is known which file it came from."""

from __future__ import annotations


class Wrong(Exception):
    """A trace that says something impossible; `reading` puts the file's name before the words."""
