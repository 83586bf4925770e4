"""How many times faster than the reference each arm reached the target, with intervals: one chart for each measure."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from horae.report.comparison.fields import FIELDS, Table, speedup
from horae.report.comparison.figures import Style
from horae.report.figures.curves import clipped
from horae.report.svg import HALF, SOFT, Canvas, chart, label_ends

_TICKS = (0.001, 0.01, 0.1, 0.2, 0.5, 1, 2, 5, 10, 100, 1000)
_WIDEST = 30.0  # beyond this an interval is drawn to the edge


def told(results: Table, key: str, drawn: Mapping[str, Style]) -> list[Table]:
    """The drawn arms that have a speed-up."""
    found = (arm for arm in results["arms"] if arm["name"] in drawn)
    return [arm for arm in found if (arm["speedup"].get(key) or {}).get("mean") is not None]


def speedups(results: Table, key: str, drawn: Mapping[str, Style]) -> str:
    """One row for each arm: the geometric mean and its interval, on a logarithmic axis."""
    arms = told(results, key, drawn)
    names = [arm["name"] for arm in arms]

    def plot(axes: Axes, canvas: Canvas) -> None:
        axes.set_xscale("log")
        axes.axvline(1, color=SOFT, linewidth=1)
        ends = []
        for row, arm in enumerate(arms):
            style, found = drawn[arm["name"]], arm["speedup"][key]
            _draw_row(axes, -row, found, style)
            name = f"{style.sign} {arm['name']}" + ("" if found["n"] == found["of"] else f" ({found['n']} seeds)")
            at = (0.0, -row + 0.2)
            words = clipped(name, 26 if canvas.narrow else 34)
            axes.text(*at, words, transform=axes.get_yaxis_transform(), color=style.colour, va="bottom", fontsize=12)
            ends.append((float(-row), speedup({**found, "low": None, "high": None}), style.colour))
        axes.set_ylim(-len(arms) + 0.4, 0.85)
        axes.set_yticks([])
        axes.xaxis.grid(True)
        _set_ticks(axes)
        label_ends(axes, ends, canvas)
        axes.set_xlabel(f"times faster than {clipped(results['against'], 24)}")

    title = f"{FIELDS[key].title}: speed-up over {results['against']}, {', '.join(names)}"
    return chart(f"speedup-{key}", title, plot, wide=HALF)


def _draw_row(axes: Axes, row: int, found: Table, style: Style) -> None:
    """The interval as a bar with ends, the mean as the arm's mark."""
    mean = min(max(found["mean"], 1e-3), 1e3)
    if found["low"] is not None and found["high"] is not None:
        ends = [max(found["low"], mean / _WIDEST), min(found["high"], mean * _WIDEST)]
        axes.plot(ends, [row, row], color=style.colour, linewidth=2, marker="|", markersize=9, markeredgewidth=2)
    axes.plot([mean], [row], color=style.colour, marker=style.marker, markersize=8)


def _set_ticks(axes: Axes) -> None:
    """Plain numbers at round places, one of them at least on either side of 1."""
    low, high = axes.get_xlim()
    low, high = min(low, 0.8), max(high, 1.25)
    axes.set_xlim(low, high)
    shown = [tick for tick in _TICKS if low <= tick <= high]
    near = [0.8, 1, 1.25] if len(shown) < 2 else shown
    axes.xaxis.set_major_locator(FixedLocator(near))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:g}×"))
