"""From a matplotlib figure to an inline SVG that takes its colours from the page and is the same at every writing."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from textwrap import fill

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# matplotlib wants a colour now, the page knows it later: each of these stands for a CSS variable.
INK, SOFT, LINE, OURS, RIVAL, PAPER = "#010101", "#010102", "#010103", "#010104", "#010105", "#010106"
PALETTE = tuple(f"#0102{i:02d}" for i in range(7))
_VARIABLES = {INK: "ink", SOFT: "soft", LINE: "line", OURS: "ours", RIVAL: "rival", PAPER: "paper"}
_VARIABLES |= {colour: f"c{i}" for i, colour in enumerate(PALETTE)}
_STYLE = {
    "svg.fonttype": "none",
    "font.size": 12,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.labelsize": 12,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "xtick.color": LINE,
    "xtick.labelcolor": SOFT,
    "ytick.color": LINE,
    "ytick.labelcolor": SOFT,
    "ytick.major.size": 0,
    "lines.linewidth": 2,
    "lines.solid_capstyle": "round",
    "text.parse_math": False,
}


@dataclass(frozen=True)
class Canvas:
    """Where a chart is drawn, in pixels. narrow: for a small screen; right: room for labels beside the plot."""

    width: int
    height: int
    narrow: bool
    right: int


EDGE = 14  # pixels right of a plot with nothing beside it
LINE_HEIGHT = 20
WIDE, HALF, NARROW = Canvas(900, 340, False, 150), Canvas(440, 290, True, 96), Canvas(350, 290, True, 88)


def chart(name: str, title: str, plot: Callable[[Axes, Canvas], None], beside: bool = True, wide: Canvas = WIDE) -> str:
    """One picture, drawn twice: for wide screens and for narrow ones, so that its letters are as large as the text's.

    name: unique on the page. title: what can be seen, for who cannot see it. beside: words stand right of the plot.
    wide: its size on a wide screen; HALF for two side by side.
    """
    canvases = [c if beside else replace(c, right=EDGE) for c in (wide, NARROW)]
    drawn = (_draw(f"{name}-{kind}", title, plot, c) for kind, c in zip(("wide", "narrow"), canvases, strict=True))
    return f'<div class="chart">{"".join(drawn)}</div>'


def variable(colour: str) -> str:
    """The CSS value that a colour of this module stands for."""
    return f"var(--{_VARIABLES[colour]})"


def label_ends(axes: Axes, ends: Sequence[tuple[float, str, str]], canvas: Canvas) -> None:
    """Words to the right of the plot at these heights, pushed apart where they would touch."""
    low, high = axes.get_ylim()
    ends = sorted((value, _wrap(words) if canvas.narrow else words, colour) for value, words, colour in ends)
    wanted = [(value - low) / (high - low) for value, _, _ in ends]
    sizes = [LINE_HEIGHT / canvas.height * (1.3 + words.count("\n")) for _, words, _ in ends]
    for at, (_, words, colour) in zip(_apart(wanted, sizes), ends, strict=True):
        axes.text(1.025, at, words, transform=axes.transAxes, va="center", color=colour, fontweight="bold", fontsize=12)


def _apart(wanted: Sequence[float], sizes: Sequence[float]) -> list[float]:
    """The middles of boxes of these sizes that do not overlap, as near as can be to where they were wanted.

    wanted: in order. Boxes that touch move as one (isotonic regression by pooling), and none leaves [0, 1] upwards.

    >>> _apart([0.0, 0.5, 0.5], [0.25, 0.25, 0.25])
    [0.0, 0.375, 0.625]
    """
    below = [0.0, *accumulate((a + b) / 2 for a, b in pairwise(sizes))]
    pools: list[tuple[float, int]] = []  # the lowest box's middle, were it alone, averaged over a pool; and its size
    for height, space in zip(wanted, below, strict=False):
        mean, n = height - space, 1
        while pools and pools[-1][0] > mean:
            other, m = pools.pop()
            mean, n = (mean * n + other * m) / (n + m), n + m
        pools.append((mean, n))
    lowest = [mean for mean, n in pools for _ in range(n)]
    ceiling = 1 + sizes[-1] / 2 - below[len(wanted) - 1] if wanted else 0.0
    return [min(mean, ceiling) + space for mean, space in zip(lowest, below, strict=False)]


def _wrap(words: str) -> str:
    return "\n".join(fill(line, 11) for line in words.split("\n"))


def _draw(name: str, title: str, plot: Callable[[Axes, Canvas], None], canvas: Canvas) -> str:
    with matplotlib.style.context(["default", {**_STYLE, "svg.hashsalt": name}]):
        figure = Figure(figsize=(canvas.width / 72, canvas.height / 72), dpi=72)
        left, bottom, top = 46 / canvas.width, 46 / canvas.height, 1 - 26 / canvas.height
        axes = figure.add_axes((left, bottom, 1 - left - canvas.right / canvas.width, top - bottom))
        plot(axes, canvas)
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inline(out.getvalue(), name, title)


def _inline(source: str, name: str, title: str) -> str:
    """The drawing alone: no prologue, no namespaces, no unused ids; variables for colours and fonts."""
    body = source[source.index(">", source.index("<svg")) + 1 :]
    box = re.search(r'viewBox="([^"]+)"', source)
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", body, flags=re.DOTALL)
    body = body.replace("xlink:href", "href")
    used = set(re.findall(r'(?:url\(|href=")#([^")]+)', body))
    body = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", body)
    body = re.sub(r"\b(font: [^;\"]*?\dpx) [^;\"]+", r"\1 var(--sans)", body)
    for colour in _VARIABLES:
        body = body.replace(colour, variable(colour))
    kind = name.rpartition("-")[2]
    return (
        f'<svg class="{kind}" role="img" aria-label="{html.escape(title)}" viewBox="{box[1] if box else ""}">'
        f"<title>{html.escape(title)}</title>{re.sub(chr(10) + ' *', chr(10), body)}"
    )
