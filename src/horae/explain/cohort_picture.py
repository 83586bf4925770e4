"""A cohort's picture: its statistic against its threshold, and below, how well it serves whom it holds."""

from __future__ import annotations

from bisect import bisect_right

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from horae.explain.canvas import INK, SOFT, Panel
from horae.explain.reading import colour, ended
from horae.report.figures.curves import percent
from horae.report.figures.verdicts import marker_of
from horae.report.reading import Arm
from horae.report.svg import Canvas, label_ends
from horae.report.tables import number, share


def panels(arm: Arm, name: str) -> list[Panel]:
    """The looks, where it took any, over the scores; both over the cohort's rounds."""
    rounds = [event for event in arm.of("round") if event["cohort"] == name and event["clients"]]
    looks = [verdict for verdict in arm.of("verdict") if verdict["cohort"] == name]
    done = [event["number"] + 1 for event in rounds]
    first = done[0] - 1 if done else 0
    last = max([*done, *(look["round"] for look in looks), first + 1])

    def statistic(axes: Axes, canvas: Canvas) -> None:
        _looks(axes, canvas, arm, name)
        axes.set_xlim(first, last + 0.02 * (last - first))
        axes.tick_params(labelbottom=False)

    def accuracy(axes: Axes, canvas: Canvas) -> None:
        ends = [(event["at_s"], event["number"] + 1) for event in rounds]
        _scores(axes, canvas, arm, name, ends, first)
        _mark_split(axes, arm, name)
        axes.set_xlim(first, last + 0.02 * (last - first))
        axes.set_xlabel(f"rounds of cohort {name}")

    served = Panel("mean accuracy of the clients at home in it (dashed: of all clients)", 170, accuracy)
    title = "split statistic; dotted: its threshold; crosses: a look at which it was not measured"
    return [Panel(title, 240, statistic), served] if looks else [served]


def _looks(axes: Axes, canvas: Canvas, arm: Arm, name: str) -> None:
    """Statistic and threshold, filled where it split."""
    looks = [verdict for verdict in arm.of("verdict") if verdict["cohort"] == name]
    told = [v for v in looks if v["statistic"] is not None]
    blind = [v["round"] for v in looks if v["statistic"] is None]
    tint, marker, ends = colour(arm, name), marker_of(arm, name), []
    axes.plot(blind, [0.05] * len(blind), "x", color=SOFT, markersize=7, transform=axes.get_xaxis_transform())
    if told:
        at, values = [v["round"] for v in told], [v["statistic"] for v in told]
        axes.plot(at, values, color=tint, marker=marker, markersize=7, linewidth=1.6)
        ends.append((values[-1], f"statistic\n{number(values[-1])}", tint))
    held = [(v["round"], v["threshold"]) for v in told if v["threshold"] is not None]
    if held:
        axes.plot(*zip(*held, strict=True), color=INK, linewidth=1.2, linestyle=(0, (1, 2)), marker=".", markersize=4)
        ends.append((held[-1][1], f"threshold\n{number(held[-1][1])}", INK))
    low, high = axes.get_ylim() if told else (0.0, 1.0)
    axes.set_ylim(min(low, 0.0) - 0.08, max(high, 1.0))
    _mark_split(axes, arm, name)
    label_ends(axes, ends, canvas)


def _scores(axes: Axes, canvas: Canvas, arm: Arm, name: str, ends: list[tuple[float, int]], first: int) -> None:
    """Accuracy by the rounds that the cohort had done when it was scored."""
    mine, every = [], []
    for score in arm.whereabouts:
        place = score["cohorts"].get(name)
        if place is None or place[1] is None:
            continue
        i = bisect_right([at for at, _ in ends], score["at_s"])
        at = ends[i - 1][1] if i else first
        mine.append((at, 100 * place[1]))
        if score["accuracy"] is not None:
            every.append((at, 100 * score["accuracy"]))
    labels = []
    for line, style, tint, words in ((every, "--", SOFT, "all"), (mine, "-", colour(arm, name), name)):
        if line:
            width, marker = (1.4, "") if tint == SOFT and words == "all" else (2.0, "o")
            axes.plot(
                *zip(*line, strict=True), linestyle=style, color=tint, linewidth=width, marker=marker, markersize=4
            )
            labels.append((line[-1][1], f"{words}: {share(line[-1][1] / 100)}", tint))
    axes.margins(y=0.15)
    percent(axes, canvas)
    label_ends(axes, labels, canvas)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))


def _mark_split(axes: Axes, arm: Arm, name: str) -> None:
    """A line where it split."""
    split = ended(arm, name)
    if split is None:
        return
    axes.axvline(split["round"], color=SOFT, linewidth=1, linestyle=(0, (1, 2)))
    axes.annotate(
        f"splits into {len(split.get('children', ()))} ", (split["round"], 0.06), xycoords=axes.get_xaxis_transform(),
        ha="right", color=INK, fontsize=11,
    )  # fmt: skip
