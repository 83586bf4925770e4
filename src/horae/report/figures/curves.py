"""An arm as a line: what it is called, and what tells it from the others, in grey too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from horae.report.reading import Arm
from horae.report.svg import INK, OURS, PALETTE, RIVAL, SOFT, Canvas

MARKERS = dict(zip("osD^vPX*", "○□◇△▽✚✖☆", strict=True))  # and how to write them
DASHES: tuple[Any, ...] = ("-", (0, (4, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
MANY = 8  # more lines than this cannot be told apart, and are drawn in grey


@dataclass(frozen=True)
class Curve:
    """One arm as a line.

    title: its name; tag: its name where there is little room, empty for no label at all; sign: its marker, written
    before either.
    """

    arm: Arm
    title: str
    tag: str
    colour: str
    dash: Any = "-"
    marker: str = ""
    sign: str = ""
    width: float = 2.0

    @property
    def style(self) -> dict[str, Any]:
        """What matplotlib should know of it; the wider lie on top."""
        return {"color": self.colour, "linestyle": self.dash, "linewidth": self.width, "zorder": 2 + self.width}

    def label(self, canvas: Canvas, most: int = 22) -> str:
        """What to write beside the line."""
        return self.sign + (self.tag if canvas.narrow else clipped(self.title, most))


def pair(ours: Arm, rival: Arm | None) -> list[Curve]:
    """A run and the arm it is compared with."""
    styles = ((OURS, DASHES[0], "o"), (RIVAL, DASHES[1], "s"))
    arms = [(arm, style) for arm, style in zip((ours, rival), styles, strict=True) if arm is not None]
    return [Curve(arm, arm.title, arm.title, *style) for arm, style in arms]


def fleet(arms: Sequence[Arm], titles: Sequence[str]) -> list[Curve]:
    """Many runs: each its own line as long as they can be told apart; else all grey but the best and the worst."""
    order = sorted(range(len(arms)), key=lambda i: (arms[i].summary.get("accuracy") or 0.0, i))
    shown = range(len(arms)) if len(arms) <= MANY else (order[-1], order[0])
    curves = []
    for i, (arm, title) in enumerate(zip(arms, titles, strict=True)):
        if i in shown:
            look = shown.index(i)
            marker = list(MARKERS)[look]
            style = (*PALETTE, INK)[look], DASHES[look % len(DASHES)], marker, f"{MARKERS[marker]}\N{NO-BREAK SPACE}"
            curves.append(Curve(arm, title, str(i + 1), *style, 1.8))
        else:
            curves.append(Curve(arm, title, "", SOFT, width=0.8))
    return curves


def percent(axes: Axes, canvas: Canvas) -> None:
    """Per cent upwards, and round numbers on both axes."""
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} %")
    axes.xaxis.set_major_locator(MaxNLocator(4 if canvas.narrow else 8, steps=[1, 2, 2.5, 5, 10]))


def clipped(words: str, most: int) -> str:
    """Words that fit, with an ellipsis where some did not.

    >>> clipped("auxo, seed 3", 12), clipped("auxo, seed 13", 12)
    ('auxo, seed 3', 'auxo, seed …')
    """
    return words if len(words) <= most else words[: most - 1] + "…"
