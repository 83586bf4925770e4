"""Numbers for people, and tables of them. Plain words with plain spaces; only `table` writes HTML.

Every function takes None or NaN for "there is none" and answers with a dash.
"""

from __future__ import annotations

import html
import itertools
import math
import re
from collections.abc import Sequence
from typing import TypeGuard

NONE = "–"
_TIMES = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_PREFIXES = ("", "k", "M", "G", "T", "P", "E")
_FIGURE = re.compile(r"[-−+±]?[\d.,]+(\s\S+){0,3}|–")


def share(value: float | None) -> str:
    """A share as per cent.

    >>> share(0.9213), share(None)
    ('92.1 %', '–')
    """
    return f"{100 * value:.1f} %" if _known(value) else NONE


def points(difference: float | None) -> str:
    """A difference of two shares, with its direction in words.

    >>> points(0.152), points(-0.0008), points(0.0)
    ('15.2 points above', '0.1 points below', 'the same as')
    """
    if not _known(difference):
        return NONE
    size = f"{abs(100 * difference):.1f}"
    return "the same as" if size == "0.0" else f"{size} points {'above' if difference > 0 else 'below'}"


def signed(difference: float | None) -> str:
    """A difference of two shares for a table's cell.

    >>> signed(0.152), signed(-0.031), signed(0.0)
    ('+15.2', '−3.1', '0.0')
    """
    if not _known(difference):
        return NONE
    size = f"{abs(100 * difference):.1f}"
    return size if size == "0.0" else ("+" if difference > 0 else "−") + size


def number(value: float | None) -> str:
    """A measured quantity of order one, to three digits.

    >>> number(0.8512), number(float("nan"))
    ('0.851', '–')
    """
    return f"{value:.3f}".replace("-", "−") if _known(value) else NONE


def count(value: float | None) -> str:
    """A whole number, in groups of three digits.

    >>> count(12000)
    '12,000'
    """
    return f"{round(value):,}" if _known(value) else NONE


def plural(n: int, word: str) -> str:
    """So many of something.

    >>> plural(1, "cohort"), plural(4, "cohort")
    ('1 cohort', '4 cohorts')
    """
    return f"{count(n)} {word}" + ("" if n == 1 else "s")


def nbytes(value: float | None) -> str:
    """Bytes with a decimal prefix.

    >>> nbytes(999), nbytes(1_234_567)
    ('999 B', '1.2 MB')
    """
    return _prefixed(value, "B")


def flops(value: float | None) -> str:
    """Floating-point operations with a decimal prefix.

    >>> flops(3.4e12)
    '3.4 TFLOP'
    """
    return _prefixed(value, "FLOP")


def seconds(value: float | None) -> str:
    """A length of time in its two leading units.

    >>> seconds(12_000), seconds(59.99), seconds(4.26), seconds(180_000)
    ('3 h 20 min', '1 min', '4.3 s', '2 d 2 h')
    """
    if not _known(value):
        return NONE
    if 0 < value < 9.95:
        return f"{value:.1f} s"
    for (unit, name), (below, smaller) in itertools.pairwise(_TIMES):
        whole, rest = divmod(round(value / below), unit // below)
        if whole:
            return f"{whole} {name}" + (f" {rest} {smaller}" if rest else "")
    return f"{round(value)} s"


def text(words: object) -> str:
    """Escaped for HTML; a number and its unit stay on one line.

    >>> text("<b> 3 h")
    '&lt;b&gt; 3&nbsp;h'
    """
    return re.sub(r"(?<=\d) (?=\S)", "&nbsp;", html.escape(str(words)))


def table(
    head: Sequence[str], rows: Sequence[Sequence[object]], caption: str, total: bool = False, words: bool = False
) -> str:
    """An HTML table in a box that scrolls by itself. Cells are escaped; figures stand to the right, words to the left.

    head: column names, the first one of the row names. total: the last row sums up the others. words: everything is
    set as words, figures too.
    """
    kinds = [words or not all(_FIGURE.fullmatch(str(row[i])) for row in rows) for i in range(1, len(head))]
    names = zip(head, (False, *kinds), strict=True)
    columns = "".join(f'<th scope="col"{_kind(name, kind)}>{text(name)}</th>' for name, kind in names)
    lines = []
    for i, (name, *cells) in enumerate(rows):
        sums = ' class="total"' if total and i == len(rows) - 1 else ""
        inside = "".join(f"<td{_kind(cell, kind)}>{text(cell)}</td>" for cell, kind in zip(cells, kinds, strict=True))
        lines.append(f'<tr{sums}><th scope="row">{text(name)}</th>{inside}</tr>')
    body = "\n".join(lines)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{html.escape(caption)}"><table>'
        f"<caption>{text(caption)}</caption>\n<thead><tr>{columns}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _kind(value: object, words: bool) -> str:
    """A cell's class: words are set to the left, and long ones get some room."""
    if not words:
        return ""
    return ' class="words long"' if len(str(value)) > 30 else ' class="words"'


def _prefixed(value: float | None, unit: str) -> str:
    if not _known(value):
        return NONE
    step = 0
    while round(value, 1) >= 1000 and step < len(_PREFIXES) - 1:
        value, step = value / 1000, step + 1
    return f"{value:.0f} {unit}" if step == 0 else f"{value:.1f} {_PREFIXES[step]}{unit}"


def _known(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)
