"""Accuracy against what it took: simulated time, participations or bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from horae.report.figures.curves import Curve, percent
from horae.report.reading import Arm, Event
from horae.report.svg import HALF, SOFT, WIDE, Canvas, chart, label_ends
from horae.report.tables import share

Units = tuple[tuple[float, float, str], ...]  # from this value on, divide by this and say that


@dataclass(frozen=True)
class Effort:
    """Something that accuracy is bought with: a field of the scores, its name, and its units."""

    field: str
    words: str
    units: Units

    def unit(self, most: float) -> tuple[float, str]:
        """What to divide by where there is this much at most, and the axis' name."""
        _, size, name = next(step for step in self.units if most >= step[0])
        return size, self.words + (f" ({name})" if name else "")


TIME = Effort(
    "at_s",
    "simulated time",
    ((2 * 86400, 86400, "days"), (2 * 3600, 3600, "hours"), (2 * 60, 60, "minutes"), (0, 1, "seconds")),
)
PARTICIPATIONS = Effort("participations", "participations", ((0, 1, ""),))
BYTES = Effort("nbytes", "sent both ways", ((2e9, 1e9, "GB"), (2e6, 1e6, "MB"), (2e3, 1e3, "kB"), (0, 1, "bytes")))
EFFORTS = (TIME, PARTICIPATIONS, BYTES)


def accuracy_against(name: str, effort: Effort, curves: Sequence[Curve], main: Arm | None = None) -> str:
    """Mean accuracy of each arm. main: the arm whose splits are marked, with the range over its cohorts."""
    curves = [curve for curve in curves if curve.arm.scores]
    longest = max((score[effort.field] for curve in curves for score in curve.arm.scores), default=0.0)
    size, words = effort.unit(longest)
    wide = WIDE if effort is TIME else HALF

    def plot(axes: Axes, canvas: Canvas) -> None:
        ends = []
        for curve in curves:
            at = np.array([score[effort.field] for score in curve.arm.scores]) / size
            mean = 100 * np.array([score["accuracy"] for score in curve.arm.scores])
            if curve.arm is main:
                axes.fill_between(at, *_range(curve.arm.scores), color=curve.colour, alpha=0.16, linewidth=0)
            axes.plot(at, mean, **curve.style, marker=curve.marker, markersize=4 if canvas is WIDE else 3)
            if curve.tag:
                ends.append((float(mean[-1]), _label(curve, canvas, len(curves)), curve.colour))
        if main is not None:
            mark_splits(axes, [(split, at / size) for split, at in _splits(main, effort)], canvas)
        label_ends(axes, ends, canvas)
        axes.set_xlim(left=0)
        axes.set_xlabel(words)
        percent(axes, canvas)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,g}" if value < 1e6 else f"{value:.3g}")

    what = " beside ".join(curve.title for curve in curves) if len(curves) < 3 else f"{len(curves)} runs"
    return chart(name, f"Test accuracy against {effort.words}, {what}", plot, wide=wide)


def mark_splits(axes: Axes, splits: Sequence[tuple[Event, float]], canvas: Canvas, above: float = 1.02) -> None:
    """A dotted line at each split, with a few words above where there is room. above: their height; 1 is the top."""
    for _, at in splits:
        axes.axvline(at, color=SOFT, linewidth=1, linestyle=(0, (1, 2)))
    if len(splits) == 1 or (len(splits) <= 3 and not canvas.narrow):
        for i, (split, at) in enumerate(splits):
            words, height = f"{split['cohort']} splits into {len(split['children'])}", above + 0.05 * (i % 2)
            axes.text(at, height, words, ha="center", transform=axes.get_xaxis_transform(), color=SOFT, fontsize=11)


def _splits(arm: Arm, effort: Effort) -> Iterator[tuple[Event, float]]:
    """Each split, and what had been spent when it happened."""
    spent = dict.fromkeys((each.field for each in EFFORTS), 0.0)
    for event in arm.events:
        if event["event"] == "round":
            spent["participations"] += len(event["clients"])
            spent["nbytes"] += event["nbytes_up"] + event["nbytes_down"]
        elif event["event"] == "verdict" and event["split"]:
            spent["at_s"] = event["at_s"]
            yield event, spent[effort.field]


def _range(scores: Sequence[Event]) -> tuple[list[float], list[float]]:
    """The lowest and the highest cohort's mean at each score, in per cent."""
    means = [[a for _, a in s["cohorts"].values() if a is not None] or [s["accuracy"]] for s in scores]
    return [100 * min(m) for m in means], [100 * max(m) for m in means]


def _label(curve: Curve, canvas: Canvas, among: int) -> str:
    """What stands at a line's end: its name, and its value where there is room."""
    room = canvas is not HALF and (among <= 2 or (among < 5 and not canvas.narrow))
    return curve.label(canvas) + (f"\n{share(curve.arm.scores[-1]['accuracy'])}" if room else "")
