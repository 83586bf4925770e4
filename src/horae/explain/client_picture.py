"""A client's picture: its rewards over time by cohort, what it held of each, and where it trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator

from horae.explain.canvas import INK, LINE, PAPER, RIVAL, SOFT, Panel
from horae.explain.reading import clock, colour, sign
from horae.explain.replay import Moment
from horae.report.figures.verdicts import marker_of
from horae.report.reading import Arm
from horae.report.svg import Canvas, label_ends

Visits = Sequence[dict[str, Any]]


def panels(arm: Arm, client: int, visits: Visits, moments: Sequence[Moment]) -> list[Panel]:
    """Rewards where there are any, and the cohorts it trained in."""
    size, words = clock(arm.events)
    named = {visit["cohort"] for visit in visits} | {visit["told_to_try"] for visit in visits}
    places = [name for name in arm.names if name in named]

    def rewards(axes: Axes, canvas: Canvas) -> None:
        _rewards(axes, canvas, arm, visits, moments, size)
        axes.set_xlim(0, _end(arm, size))

    def trained(axes: Axes, canvas: Canvas) -> None:
        _trained(axes, arm, visits, places, size)
        axes.set_xlim(0, _end(arm, size))
        axes.set_xlabel(words)
        axes.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 2.5, 5, 10]))

    where = "where it trained; hollow: as an explorer; arrow: told to try; dotted: a split"
    found = [Panel(where, 34 + 30 * len(places), trained)]
    if any(visit["reward"] is not None for visit in visits):
        title = "points: reward ΔR of each visit; steps: R as it held it; below 0 it is an outlier"
        return [Panel(title, 280, rewards), *found]
    return found


def _end(arm: Arm, size: float) -> float:
    return max((event.get("at_s", 0.0) for event in arm.events), default=0.0) / size or 1.0


def _rewards(axes: Axes, canvas: Canvas, arm: Arm, visits: Visits, moments: Sequence[Moment], size: float) -> None:
    """Each cohort's points and steps, named at the right edge."""
    axes.axhline(0, color=SOFT, linewidth=1, linestyle=(0, (4, 2)))
    told = [visit for visit in visits if visit["reward"] is not None]
    ends, edge = [], _end(arm, size)
    for name in dict.fromkeys(visit["cohort"] for visit in told):
        mine, marker, tint = [v for v in told if v["cohort"] == name], marker_of(arm, name), colour(arm, name)
        for visit in mine:
            face = PAPER if visit["exploring"] else tint
            axes.plot(
                visit["at_s"] / size, visit["reward"], marker, color=tint, markerfacecolor=face, markersize=8, zorder=4
            )
        steps = [(m.event["at_s"] / size, m.held[name]) for m in moments if m.visits(name) and name in m.held]
        if steps:
            at, held = zip(*[*steps, (edge, steps[-1][1])], strict=True)
            axes.plot(at, held, color=tint, linewidth=1.6, drawstyle="steps-post")
        last = steps[-1][1] if steps else mine[-1]["reward"]
        ends.append((last, f"{sign(arm, name)}  {last:.2f}".replace("-", "−"), tint))
    axes.margins(y=0.15)
    label_ends(axes, ends, canvas)
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.tick_params(labelbottom=False)


def _trained(axes: Axes, arm: Arm, visits: Visits, places: Sequence[str], size: float) -> None:
    """One row for each cohort it trained in, and a line from visit to visit."""
    height = {name: i for i, name in enumerate(reversed(places))}
    at = [visit["at_s"] / size for visit in visits]
    axes.step(at, [height[visit["cohort"]] for visit in visits], where="post", color=LINE, linewidth=2, zorder=2)
    for x, visit in zip(at, visits, strict=True):
        tint = colour(arm, visit["cohort"])
        face = PAPER if visit["exploring"] else tint
        axes.plot(
            x, height[visit["cohort"]], marker_of(arm, visit["cohort"]),
            color=tint, markerfacecolor=face, markersize=8, zorder=4,
        )  # fmt: skip
        if (tip := visit["told_to_try"]) in height:
            arrow = {"arrowstyle": "->", "color": RIVAL, "linewidth": 1.4, "shrinkA": 6, "shrinkB": 4}
            axes.annotate("", (x, height[tip]), (x, height[visit["cohort"]]), arrowprops=arrow, zorder=5)
    for split in arm.splits:
        axes.axvline(split["at_s"] / size, color=SOFT, linewidth=1, linestyle=(0, (1, 2)), zorder=1)
    axes.set_ylim(-0.6, len(places) - 0.4)
    axes.yaxis.set_major_locator(FixedLocator(list(height.values())))
    axes.set_yticklabels(list(height), color=INK)
    axes.grid(False)
