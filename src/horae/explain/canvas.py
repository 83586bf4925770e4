"""Pictures as PNG, in the report's colours: panels below each other, what a line means written beside it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from horae.files import write_whole
from horae.report import svg
from horae.report.page import STYLE as PAGE
from horae.report.svg import Canvas


def paint(colour: str) -> str:
    """The colour that the report's light page has for one of its placeholders.

    >>> paint(svg.INK)
    '#1d2329'
    """
    found = re.search(rf"{svg.variable(colour)[4:-1]}: (#\w+);", PAGE)
    assert found is not None, colour
    return found[1]


INK, SOFT, LINE, PAPER = (paint(colour) for colour in (svg.INK, svg.SOFT, svg.LINE, svg.PAPER))
OURS, RIVAL, GREEN = paint(svg.OURS), paint(svg.RIVAL), paint(svg.PALETTE[2])
WIDTH, LEFT, RIGHT, TOP, GAP = 900, 62, 150, 64, 66
_STYLE = {
    "font.size": 12,
    "text.color": INK,
    "text.parse_math": False,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "xtick.color": LINE,
    "xtick.labelcolor": SOFT,
    "ytick.color": LINE,
    "ytick.labelcolor": SOFT,
    "ytick.major.size": 0,
}


@dataclass(frozen=True)
class Panel:
    """One plot. title: one line above it; height: in pixels; beside: words stand right of it."""

    title: str
    height: int
    plot: Callable[[Axes, Canvas], None]
    beside: bool = True


def save(file: Path, title: str, panels: Sequence[Panel]) -> None:
    """Write the panels into one PNG, the same bytes for the same panels. Errors: RunError."""
    height = TOP + sum(panel.height + GAP for panel in panels)
    with matplotlib.style.context(["default", _STYLE]):
        figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=144)
        FigureCanvasAgg(figure)
        figure.text(14 / WIDTH, 1 - 18 / height, title, va="top", fontsize=14, fontweight="bold")
        top = height - TOP
        for panel in panels:
            right = RIGHT if panel.beside else 20
            box = (LEFT / WIDTH, (top - panel.height) / height, (WIDTH - LEFT - right) / WIDTH, panel.height / height)
            axes = figure.add_axes(box)
            panel.plot(axes, Canvas(WIDTH, panel.height, False, right))
            axes.text(0, 1 + 9 / panel.height, panel.title, transform=axes.transAxes, color=SOFT, fontsize=12)
            top -= panel.height + GAP
        data = io.BytesIO()
        figure.savefig(data, format="png", metadata={"Software": None})
    write_whole(file, data.getvalue())
