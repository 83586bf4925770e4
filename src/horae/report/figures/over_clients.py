"""How accuracy is spread over the clients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MultipleLocator

from horae.report.figures.curves import Curve, percent
from horae.report.reading import Doubles
from horae.report.svg import LINE, PAPER, SOFT, Canvas, chart


def accuracy_over_clients(name: str, curves: Sequence[Curve]) -> str:
    """Every client's last accuracy, clients in order from worst to best in each arm; the outer tenths shaded."""
    curves = [curve for curve in curves if curve.arm.ranked.size]

    def plot(axes: Axes, canvas: Canvas) -> None:
        for edge, words, side in ((0, "worst tenth", "left"), (90, "best tenth", "right")):
            axes.axvspan(edge, edge + 10, color=LINE, alpha=0.45, linewidth=0)
            x = edge + (10 if side == "right" else 0)
            axes.text(x, 1.02, words, transform=axes.get_xaxis_transform(), ha=side, color=SOFT, fontsize=11)
        for curve in curves:
            axes.plot(*_stairs(curve.arm.ranked), **curve.style)
        if len(curves) <= 2:
            _name_apart(axes, curves, canvas)
        else:
            _tag(axes, [curve for curve in curves if curve.tag], canvas)
        axes.set_xlim(0, 100)
        axes.margins(y=0.13)
        axes.set_xlabel("clients, from worst to best served (%)")
        percent(axes, canvas)
        axes.xaxis.set_major_locator(MultipleLocator(25))

    what = " beside ".join(curve.title for curve in curves) if len(curves) < 3 else f"{len(curves)} runs"
    return chart(name, f"Test accuracy of every client at the end, from worst to best, {what}", plot, beside=False)


def _name_apart(axes: Axes, curves: Sequence[Curve], canvas: Canvas) -> None:
    """Each curve's name beside it, where the curves lie furthest apart: above the upper one, below the lower one."""
    grid = np.linspace(0.35, 0.65, 61)
    heights = [100 * np.quantile(curve.arm.ranked, grid, method="inverted_cdf") for curve in curves]
    at = int(np.argmax(np.abs(heights[0] - heights[-1])))
    above = heights[0][at] >= heights[-1][at]
    for curve, height, up in zip(curves, heights, (above, not above), strict=False):
        point, away = (100 * grid[at], height[at]), (-8, 8) if up else (8, -8)
        side, edge = ("right", "bottom") if up else ("left", "top")
        axes.annotate(
            curve.label(canvas, 32), point, away, textcoords="offset points",
            color=curve.colour, fontweight="bold", ha=side, va=edge,
        )  # fmt: skip


def _tag(axes: Axes, curves: Sequence[Curve], canvas: Canvas) -> None:
    """Each curve's tag on it, where it lies apart from the others and clear of their tags."""
    grid = np.linspace(0.03, 0.97, 95)
    heights = [100 * np.quantile(curve.arm.ranked, grid, method="inverted_cdf") for curve in curves]
    placed: list[tuple[float, float]] = []
    for curve, height in zip(curves, heights, strict=True):
        others = [np.abs(height - other) for other in heights if other is not height]
        apart = np.minimum(np.min(others, axis=0), 10.0) if others else np.zeros(grid.size)
        for x, y in placed:
            apart -= 100 * ((np.abs(100 * grid - x) < 5000 / canvas.width) & (np.abs(height - y) < 12))
        at = int(np.lexsort((np.abs(grid - 0.5), -apart))[0])
        placed.append((100 * grid[at], float(height[at])))
        box = {"boxstyle": "round,pad=0.2", "facecolor": PAPER, "edgecolor": curve.colour, "linewidth": 1}
        axes.text(
            *placed[-1], curve.sign + curve.tag, color=curve.colour,
            fontweight="bold", ha="center", va="center", bbox=box, zorder=9,
        )  # fmt: skip


def _stairs(ranked: Doubles) -> tuple[Doubles, Doubles]:
    """Steps over the share of clients, in per cent: each client is as wide as any other."""
    edges = np.linspace(0, 100, ranked.size + 1)
    return np.stack([edges[:-1], edges[1:]], axis=1).ravel(), 100 * np.repeat(ranked, 2)
