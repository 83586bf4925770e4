"""The comparison's charts: accuracy on the way, and every seed's difference to the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from horae.report.comparison.fields import FIELDS, Table
from horae.report.figures.curves import DASHES, MARKERS, clipped, percent
from horae.report.figures.over_time import TIME
from horae.report.reading import Doubles
from horae.report.svg import HALF, PALETTE, PAPER, SOFT, Canvas, chart, label_ends
from horae.report.tables import share, signed

MOST = len(PALETTE)  # arms in one chart: more lines cannot be told apart
_POINTS = 400  # along a curve
Curves = Mapping[str, Sequence[tuple[Doubles, Doubles]]]  # by arm, for every seed: times and accuracies


@dataclass(frozen=True)
class Style:
    """How an arm is drawn; every one of the three tells it from the others."""

    colour: str
    marker: str
    dash: Any

    @property
    def sign(self) -> str:
        """Its marker in words."""
        return MARKERS[self.marker]


def styles(results: Table) -> dict[str, Style]:
    """The arms that are drawn: all, or the reference and the most accurate others."""
    arms, against = results["arms"], results["against"]
    order = sorted(arms, key=lambda arm: (arm["name"] != against, -_mean(arm)))[:MOST]
    shown = [arm["name"] for arm in arms if arm in order]
    marks = zip(PALETTE, MARKERS, strict=False)
    return {
        name: Style(colour, marker, DASHES[i % len(DASHES)])
        for i, (name, (colour, marker)) in enumerate(zip(shown, marks, strict=False))
    }


def accuracy_over_time(curves: Curves, drawn: Mapping[str, Style]) -> str:
    """Each arm's accuracy averaged over its seeds, and the range over them. A run that has ended keeps its last."""
    longest = max(float(at[-1]) for runs in curves.values() for at, _ in runs)
    size, words = TIME.unit(longest)

    def plot(axes: Axes, canvas: Canvas) -> None:
        ends = []
        for name, runs in curves.items():
            style = drawn[name]
            at, lines = _together(runs)
            mean = 100 * lines.mean(axis=0)
            if len(runs) > 1:
                low, high = 100 * lines.min(axis=0), 100 * lines.max(axis=0)
                axes.fill_between(
                    at / size, low, high, color=style.colour, alpha=0.16 if len(curves) < 4 else 0.09, linewidth=0
                )
            every = max(1, round(at.size / 8))
            axes.plot(
                at / size, mean, color=style.colour, linestyle=style.dash, marker=style.marker, markersize=5,
                markevery=every, markerfacecolor=PAPER,
            )  # fmt: skip
            ends.append((float(mean[-1]), _label(name, style, float(mean[-1]), canvas, len(curves)), style.colour))
        label_ends(axes, ends, canvas)
        axes.set_xlim(left=0)
        axes.set_xlabel(words)
        percent(axes, canvas)

    return chart("time", f"Test accuracy against simulated time: {', '.join(curves)}", plot)


def differences(results: Table, key: str, drawn: Mapping[str, Style]) -> str:
    """One row for each arm: a mark for every seed's difference to the reference, the mean, and its interval."""
    arms = [arm for arm in results["arms"] if arm["name"] in drawn and arm["difference"].get(key)]
    names = [arm["name"] for arm in arms]

    def plot(axes: Axes, canvas: Canvas) -> None:
        axes.axvline(0, color=SOFT, linewidth=1)
        ends = []
        for row, arm in enumerate(arms):
            style, found = drawn[arm["name"]], arm["difference"][key]
            steps = 100 * np.array(_steps(results, arm["name"], key))
            _draw_row(axes, -row, steps, found, style)
            name = clipped(f"{style.sign} {arm['name']}", 26 if canvas.narrow else 34)
            at = (0.0, -row + 0.26)
            axes.text(*at, name, transform=axes.get_yaxis_transform(), color=style.colour, va="bottom", fontsize=12)
            ends.append((float(-row), signed(found["mean"]), style.colour))
        axes.set_ylim(-len(arms) + 0.4, 0.85)
        axes.set_yticks([])
        axes.xaxis.grid(True)
        axes.margins(x=0.08)
        label_ends(axes, ends, canvas)
        axes.set_xlabel(f"points above {clipped(results['against'], 24)}")
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))

    title = f"{FIELDS[key].title}: difference to {results['against']} on every seed, {', '.join(names)}"
    return chart(f"difference-{key}", title, plot, wide=HALF)


def _draw_row(axes: Axes, row: int, steps: Doubles, found: Table, style: Style) -> None:
    """The interval as a bar with ends, the mean as a stroke across it, the seeds as marks below."""
    if found["low"] is not None:
        ends = [100 * found["low"], 100 * found["high"]]
        axes.plot(ends, [row, row], color=style.colour, linewidth=2, marker="|", markersize=9, markeredgewidth=2)
    axes.plot([100 * found["mean"]], [row], color=style.colour, marker="|", markersize=16, markeredgewidth=3)
    heights = np.full(steps.size, row - 0.2)
    axes.plot(
        steps, heights, color=style.colour, linestyle="", marker=style.marker, markersize=5, markerfacecolor=PAPER
    )


def _together(runs: Sequence[tuple[Doubles, Doubles]]) -> tuple[Doubles, Doubles]:
    """Every run's accuracy at common times `(runs, times)`: a straight line between scores, the last one kept."""
    at = np.unique(np.concatenate([times for times, _ in runs]))
    if at.size > _POINTS:
        at = np.linspace(0.0, float(at[-1]), _POINTS)
    return at, np.stack([np.interp(at, times, values) for times, values in runs])


def _steps(results: Table, arm: str, key: str) -> list[float]:
    """The differences to the reference, seed by seed."""
    found = {(run["arm"], run["seed"]): run[key] for run in results["runs"] if run[key] is not None}
    both = [seed for seed in results["seeds"] if {(arm, seed), (results["against"], seed)} <= found.keys()]
    return [found[arm, seed] - found[results["against"], seed] for seed in both]


def _label(name: str, style: Style, value: float, canvas: Canvas, among: int) -> str:
    """What stands at a line's end; on a narrow screen with many arms the marker alone, which the table explains."""
    if canvas.narrow:
        return f"{style.sign} {share(value / 100)}" if among > 3 else f"{style.sign} {clipped(name, 9)}"
    return f"{style.sign} {clipped(name, 19)}" + (f"\n    {share(value / 100)}" if among < 5 else "")


def _mean(arm: Table) -> float:
    found = arm["fields"]["accuracy"]
    return found["mean"] if found else -1.0
