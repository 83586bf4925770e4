"""The report's charts, each an SVG as text. A line's meaning is written beside it; lines differ without colour too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, MultipleLocator

from horae.report.reading import Arm, Doubles, Event
from horae.report.svg import LINE, OURS, PALETTE, PAPER, RIVAL, SOFT, Canvas, chart, label_ends
from horae.report.tables import share

MARKERS = dict(zip("osD^vPX", "○□◇△▽✚✖", strict=True))  # and how to write them
_UNITS = ((2 * 86400, 86400, "days"), (2 * 3600, 3600, "hours"), (2 * 60, 60, "minutes"), (0, 1, "seconds"))


def accuracy_over_time(ours: Arm, rival: Arm | None) -> str:
    """Mean accuracy against simulated time, the range over the cohorts, and when cohorts split."""
    arms = [arm for arm in (ours, rival) if arm is not None and arm.scores]
    longest = max((score["at_s"] for arm in arms for score in arm.scores), default=0.0)
    _, size, unit = next(step for step in _UNITS if longest >= step[0])

    def plot(axes: Axes, canvas: Canvas) -> None:
        ends = []
        for arm in arms:
            colour, line = (OURS, "-") if arm is ours else (RIVAL, (0, (4, 2)))
            at = np.array([score["at_s"] for score in arm.scores]) / size
            mean = 100 * np.array([score["accuracy"] for score in arm.scores])
            if arm is ours:
                axes.fill_between(at, *_range(arm.scores), color=colour, alpha=0.16, linewidth=0)
            axes.plot(at, mean, color=colour, linestyle=line, marker="o" if arm is ours else "s", markersize=4)
            ends.append((float(mean[-1]), f"{arm.title}\n{share(mean[-1] / 100)}", colour))
        _mark_splits(axes, ours.splits, size, canvas)
        label_ends(axes, ends, canvas)
        axes.set_xlim(left=0)
        axes.set_xlabel(f"simulated time ({unit})")
        _percent(axes, canvas)

    return chart("time", "Test accuracy against simulated time, " + _against(ours, rival), plot)


def accuracy_over_clients(ours: Arm, rival: Arm | None) -> str:
    """Every client's final accuracy, clients in order from worst to best in each arm; the outer tenths shaded."""
    arms = [arm for arm in (ours, rival) if arm is not None and arm.ranked.size]

    def plot(axes: Axes, canvas: Canvas) -> None:
        for edge, words, side in ((0, "worst tenth", "left"), (90, "best tenth", "right")):
            axes.axvspan(edge, edge + 10, color=LINE, alpha=0.45, linewidth=0)
            x = edge + (10 if side == "right" else 0)
            axes.text(x, 1.02, words, transform=axes.get_xaxis_transform(), ha=side, color=SOFT, fontsize=11)
        for arm in arms:
            colour, line = (OURS, "-") if arm is ours else (RIVAL, (0, (4, 2)))
            axes.plot(*_stairs(arm.ranked), color=colour, linestyle=line)
        _label_inside(axes, arms, (OURS, RIVAL) if ours in arms else (RIVAL,))
        axes.set_xlim(0, 100)
        axes.margins(y=0.13)
        axes.set_xlabel("clients, from worst to best served (%)")
        _percent(axes, canvas)
        axes.xaxis.set_major_locator(MultipleLocator(25))

    return chart(
        "clients",
        "Final test accuracy of every client, from worst to best, " + _against(ours, rival),
        plot,
        beside=False,
    )


def statistic_over_rounds(arm: Arm) -> str:
    """Every look a cohort took at itself: statistic and threshold. Filled: it split; a cross below: not measured."""
    verdicts = arm.of("verdict")
    cohorts = list(dict.fromkeys(verdict["cohort"] for verdict in verdicts))

    def plot(axes: Axes, canvas: Canvas) -> None:
        ends = []
        for cohort in cohorts:
            mine = [verdict for verdict in verdicts if verdict["cohort"] == cohort]
            colour, marker = colour_of(arm, cohort), marker_of(arm, cohort)
            last = _plot_looks(axes, mine, colour, marker)
            _plot_threshold(axes, mine, colour)
            words = f"{MARKERS[marker]} {'' if canvas.narrow else 'cohort '}{cohort}"
            if last is not None and mine[-1]["split"]:
                axes.annotate(words[1:], (mine[-1]["round"], last), (8, -4), textcoords="offset points", color=SOFT)
            elif last is not None:
                ends.append((last, words, colour))
        axes.set_xlabel("round of the cohort")
        axes.set_title("split statistic of each cohort, its threshold dotted", loc="left", fontsize=12, color=SOFT, x=0)
        axes.set_xlim(left=0)
        _open_up(axes)
        label_ends(axes, ends, canvas)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))

    return chart("verdicts", "Split statistic of each cohort over its rounds, against the threshold", plot)


def colour_of(arm: Arm, cohort: str) -> str:
    """A cohort's colour: grey for one that split, else the palette in the order of leaves."""
    leaves = [name for name in arm.names if not any(split["cohort"] == name for split in arm.splits)]
    return PALETTE[leaves.index(cohort) % len(PALETTE)] if cohort in leaves else SOFT


def marker_of(arm: Arm, cohort: str) -> str:
    """A cohort's marker, so that it is told from the others in grey."""
    return list(MARKERS)[arm.names.index(cohort) % len(MARKERS)]


def _plot_looks(axes: Axes, mine: Sequence[Event], colour: str, marker: str) -> float | None:
    """One cohort's line; its last value, if there is any."""
    told = [(v["round"], v["statistic"], v["split"]) for v in mine if v["statistic"] is not None]
    blind = [v["round"] for v in mine if v["statistic"] is None]
    axes.plot(blind, [0.03] * len(blind), "x", color=colour, markersize=6, transform=axes.get_xaxis_transform())
    if not told:
        return None
    rounds, values, _ = zip(*told, strict=True)
    axes.plot(rounds, values, color=colour, linewidth=1.4, marker=marker, markersize=6, markerfacecolor=PAPER)
    split = [(at, value) for at, value, split in told if split]
    axes.plot(*zip(*split or [((), ())], strict=True), color=colour, marker=marker, markersize=11, linestyle="")
    return float(values[-1])


def _plot_threshold(axes: Axes, mine: Sequence[Event], colour: str) -> None:
    """What one cohort's statistic was held against, which falls as its members grow more."""
    held = [(v["round"], v["threshold"]) for v in mine if v["statistic"] is not None and v["threshold"] is not None]
    if held:
        axes.plot(*zip(*held, strict=True), color=colour, linewidth=1, linestyle=(0, (1, 2)))


def _mark_splits(axes: Axes, splits: Sequence[Event], size: float, canvas: Canvas) -> None:
    """A dotted line at each split, with a few words above where there is room."""
    for split in splits:
        axes.axvline(split["at_s"] / size, color=SOFT, linewidth=1, linestyle=(0, (1, 2)))
    if len(splits) == 1 or (len(splits) <= 3 and not canvas.narrow):
        for i, split in enumerate(splits):
            words = f"{split['cohort']} splits into {len(split['children'])}"
            at = split["at_s"] / size, 1.02 + 0.05 * (i % 2)
            axes.text(*at, words, ha="center", transform=axes.get_xaxis_transform(), color=SOFT, fontsize=11)


def _label_inside(axes: Axes, arms: Sequence[Arm], colours: Sequence[str]) -> None:
    """Each curve's name beside it, where the curves lie furthest apart: above the upper one, below the lower one."""
    grid = np.linspace(0.35, 0.65, 61)
    heights = [100 * np.quantile(arm.ranked, grid, method="inverted_cdf") for arm in arms]
    at = int(np.argmax(np.abs(heights[0] - heights[-1])))
    above = heights[0][at] >= heights[-1][at]
    for arm, height, colour, up in zip(arms, heights, colours, (above, not above), strict=False):
        point, away = (100 * grid[at], height[at]), (-8, 8) if up else (8, -8)
        side, edge = ("right", "bottom") if up else ("left", "top")
        axes.annotate(
            arm.title, point, away, textcoords="offset points", color=colour, fontweight="bold", ha=side, va=edge
        )


def _open_up(axes: Axes) -> None:
    """Room above and below, also where there is a single value."""
    low, high = axes.get_ylim()
    room = max(0.1, 0.15 * (high - low))
    axes.set_ylim(max(low - room, min(low, -0.12)), high + room)


def _range(scores: Sequence[Event]) -> tuple[list[float], list[float]]:
    """The lowest and the highest cohort's mean at each score, in per cent."""
    means = [[a for _, a in s["cohorts"].values() if a is not None] or [s["accuracy"]] for s in scores]
    return [100 * min(m) for m in means], [100 * max(m) for m in means]


def _stairs(ranked: Doubles) -> tuple[Doubles, Doubles]:
    """Steps over the share of clients, in per cent: each client is as wide as any other."""
    edges = np.linspace(0, 100, ranked.size + 1)
    return np.stack([edges[:-1], edges[1:]], axis=1).ravel(), 100 * np.repeat(ranked, 2)


def _percent(axes: Axes, canvas: Canvas) -> None:
    """Per cent upwards, and words for it."""
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} %")
    axes.xaxis.set_major_locator(MaxNLocator(4 if canvas.narrow else 8))


def _against(ours: Arm, rival: Arm | None) -> str:
    return ours.title + (f" beside {rival.title}" if rival else "")
