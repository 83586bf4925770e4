"""Who is where: how the clients spread over the cohorts while time goes by."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator
from numpy.typing import NDArray

from horae.report.figures.over_time import TIME, mark_splits
from horae.report.figures.verdicts import colour_of
from horae.report.reading import Arm, Doubles, Event
from horae.report.svg import INK, LINE_HEIGHT, PAPER, Canvas, chart, label_ends

HATCHES = ("", "///", "\\\\\\", "xx", "---", "|||", "++")  # one for each planted group; dots would weigh a megabyte
Band = tuple[str, int, Doubles, Doubles]  # cohort, group, and its lower and upper edge over time


def places_over_time(name: str, arm: Arm) -> str:
    """Stacked bands, a cohort's clients as a share of all; in each band a layer for each planted group."""
    size, words = TIME.unit(max(score["at_s"] for score in arm.whereabouts))
    at, states = _moments(arm)
    bands = _stacked(arm.homes, states, len(arm.groups) if has_layers(arm) else 0)

    def plot(axes: Axes, canvas: Canvas) -> None:
        for cohort, group, lower, upper in bands:
            _fill(axes, at / size, lower, upper, colour_of(arm, cohort), HATCHES[max(group, 0) % len(HATCHES)])
        for cohort in arm.homes:
            _outline(axes, at / size, [band for band in bands if band[0] == cohort])
        for i in {0, len(at) - 1}:
            _name_groups(axes, arm, bands, i, canvas)
        mark_splits(axes, [(split, split["at_s"] / size) for split in arm.splits], canvas, 1.05)
        axes.set_ylim(0, 1)
        label_ends(axes, [_end(arm, cohort, bands) for cohort in arm.leaves], canvas)
        axes.set_xlim(0, max(at[-1] / size, 1e-9))
        axes.set_xlabel(words)
        axes.grid(False)
        axes.yaxis.set_major_locator(FixedLocator([0, 0.5, 1]))
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
        axes.xaxis.set_major_locator(MaxNLocator(4 if canvas.narrow else 8, steps=[1, 2, 2.5, 5, 10]))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")

    return chart(name, "Share of clients at home in each cohort over simulated time", plot)


def _moments(arm: Arm) -> tuple[Doubles, list[Event]]:
    """The times at which to draw, and the score that holds there. Where a cohort split in between, the change is put
    at the split; otherwise clients drift from score to score.
    """
    scores = arm.whereabouts
    at, states = [scores[0]["at_s"]], [scores[0]]
    for before, after in pairwise(scores):
        if before["cohorts"].keys() != after["cohorts"].keys():
            inside = [s["at_s"] for s in arm.splits if before["at_s"] <= s["at_s"] <= after["at_s"]]
            at += [min(inside, default=after["at_s"])] * 2
            states += [before, after]
        at.append(after["at_s"])
        states.append(after)
    return np.array(at, np.float64), states


def has_layers(arm: Arm) -> bool:
    """True where planted groups are known, and not more of them than can be told apart."""
    return 0 < len(arm.groups) <= len(HATCHES)


def _stacked(cohorts: Sequence[str], states: Sequence[Event], groups: int) -> list[Band]:
    """The bands from the top down, in the order of the tree: children lie where their parent lay. groups: layers in
    each cohort; 0 for a single one, of group -1.
    """
    edge = np.ones(len(states))
    bands = []
    for cohort in cohorts:
        for group in range(groups) or (-1,):
            height = _shares(cohort, group, states)
            bands.append((cohort, group, edge - height, edge))
            edge = edge - height
    return bands


def _shares(cohort: str, group: int, states: Sequence[Event]) -> Doubles:
    """How much of all that were looked at is in this cohort, and of this group, at each moment."""
    if group < 0:
        mine, every = _counts(cohort, states), [sum(n for n, _ in state["cohorts"].values()) for state in states]
    else:
        known = [state.get("groups") or {} for state in states]
        mine = [(counts.get(cohort) or [0] * (group + 1))[group] for counts in known]
        every = [sum(map(sum, counts.values())) for counts in known]
    return np.array(mine, np.float64) / np.maximum(every, 1)


def _counts(cohort: str, states: Sequence[Event]) -> list[int]:
    return [state["cohorts"].get(cohort, (0, None))[0] for state in states]


def _fill(axes: Axes, at: Doubles, lower: Doubles, upper: Doubles, colour: str, hatch: str) -> None:
    """One layer: a tint, its group's pattern over it, and a thin edge of paper between it and the next."""
    alive = _alive(lower, upper)
    axes.fill_between(at, lower, upper, where=alive, color=colour, alpha=0.34, linewidth=0)
    if hatch:
        axes.fill_between(
            at, lower, upper, where=alive, facecolor="none", edgecolor=colour, hatch=hatch, linewidth=0, alpha=0.7
        )
    axes.fill_between(at, lower, upper, where=alive, facecolor="none", edgecolor=PAPER, linewidth=0.6)


def _outline(axes: Axes, at: Doubles, layers: Sequence[Band]) -> None:
    """A broad edge of paper around a cohort, so that cohorts are told from layers without colour."""
    lower, upper = layers[-1][2], layers[0][3]
    axes.fill_between(at, lower, upper, where=_alive(lower, upper), facecolor="none", edgecolor=PAPER, linewidth=3)


def _alive(lower: Doubles, upper: Doubles) -> NDArray[np.bool_]:
    """Where a band is, and one moment to either side, where it grows from nothing or ends."""
    here = upper - lower > 1e-12
    alive = here.copy()
    alive[:-1] |= here[1:]
    alive[1:] |= here[:-1]
    return alive


def _name_groups(axes: Axes, arm: Arm, bands: Sequence[Band], i: int, canvas: Canvas) -> None:
    """The planted group's name in each layer that is high enough, at the left or at the right edge."""
    for _, group, lower, upper in bands:
        if group >= 0 and upper[i] - lower[i] > LINE_HEIGHT / (canvas.height - 72):
            words = arm.groups[group] if canvas.narrow else f"group {arm.groups[group]}"
            box = {"boxstyle": "round,pad=0.25", "facecolor": PAPER, "alpha": 0.8, "linewidth": 0}
            side, x = ("left", 0.01) if i == 0 else ("right", 0.99)
            axes.text(
                x, (lower[i] + upper[i]) / 2, words, transform=axes.transAxes,
                color=INK, fontsize=11, ha=side, va="center", bbox=box,
            )  # fmt: skip


def _end(arm: Arm, cohort: str, bands: Sequence[Band]) -> tuple[float, str, str]:
    """A leaf's label beside its band: where, what, and its colour."""
    mine = [(lower[-1], upper[-1]) for name, _, lower, upper in bands if name == cohort]
    bottom, top = min(low for low, _ in mine), max(high for _, high in mine)
    return (bottom + top) / 2, f"{cohort}\n{100 * (top - bottom):.0f} %", colour_of(arm, cohort)
