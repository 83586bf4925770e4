"""Why cohorts split: the statistic each one saw, against its threshold."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from horae.report.figures.curves import MARKERS
from horae.report.reading import Arm, Event
from horae.report.svg import PALETTE, PAPER, SOFT, Canvas, chart, label_ends


def statistic_over_rounds(name: str, arm: Arm) -> str:
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

    return chart(name, "Split statistic of each cohort over its rounds, against the threshold", plot)


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


def _open_up(axes: Axes) -> None:
    """Room above and below, also where there is a single value."""
    low, high = axes.get_ylim()
    room = max(0.1, 0.15 * (high - low))
    axes.set_ylim(max(low - room, min(low, -0.12)), high + room)
