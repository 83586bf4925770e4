"""A round's picture: what became of the invited, and every participant's reward."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from horae.explain.canvas import GREEN, INK, LINE, OURS, PAPER, RIVAL, SOFT, Panel
from horae.report.svg import Canvas, label_ends

MOST = 45  # more bars than this have no room for ids


def panels(facts: dict[str, Any]) -> list[Panel]:
    """A bar of the invited, and below it a bar for each reward."""
    told = [who for who in facts["participants"] if who["reward"] is not None]

    def invited(axes: Axes, canvas: Canvas) -> None:
        _invited(axes, facts)

    def rewards(axes: Axes, canvas: Canvas) -> None:
        _rewards(axes, canvas, told)

    found = [Panel(f"what became of the {facts['invited']:,} invited", 44, invited, False)]
    return [*found, Panel("reward ΔR of each participant, best first; below 0: an outlier", 280, rewards)][
        : 1 + bool(told)
    ]


def _invited(axes: Axes, facts: dict[str, Any]) -> None:
    """One bar, as long as there were clients invited."""
    parts = [
        ("took part", len(facts["participants"]), OURS, PAPER), ("too late", facts["stragglers"], SOFT, PAPER),
        ("dropped out", facts["dropouts"], LINE, INK), ("refused", facts["refused"] or 0, RIVAL, PAPER),
    ]  # fmt: skip
    parts.append(("never began", max(0, facts["invited"] - sum(n for _, n, _, _ in parts)), LINE, INK))
    left, total = 0, max(1, facts["invited"], sum(n for _, n, _, _ in parts))
    for words, n, tint, ink in parts:
        if n:
            axes.barh(0, n, left=left, color=tint, edgecolor=PAPER, linewidth=2, height=1.0)
            said = f"{n:,} {words}" if n / total > 0.13 else f"{n:,}"
            axes.text(left + n / 2, 0, said, ha="center", va="center", color=ink, fontsize=12, fontweight="bold")
            if n / total <= 0.13:
                axes.text(left + n / 2, -0.62, words, ha="center", va="top", color=SOFT, fontsize=11)
            left += n
    axes.set_xlim(0, total)
    axes.set_ylim(-0.5, 0.5)
    axes.xaxis.set_major_locator(NullLocator())
    axes.yaxis.set_major_locator(NullLocator())
    axes.spines["bottom"].set_visible(False)


def _rewards(axes: Axes, canvas: Canvas, told: list[dict[str, Any]]) -> None:
    """Bars from best to worst; explorers and outliers have a colour, and who is both a pattern too."""
    kinds = {"by wish": OURS, "explorer": GREEN, "outlier": RIVAL}
    there, heights = [_kind(who) for who in told], [who["reward"] for who in told]
    both = [kind == "outlier" and bool(who["exploring"]) for kind, who in zip(there, told, strict=True)]
    bars = axes.bar(range(len(told)), heights, color=[kinds[kind] for kind in there], width=0.82)
    for bar, mixed in zip(bars, both, strict=True):
        if mixed:
            bar.set(hatch="///", edgecolor=GREEN, linewidth=1.5)
    axes.axhline(0, color=INK, linewidth=1)
    axes.margins(x=0.01, y=0.12)
    low, high = axes.get_ylim()
    names = [(kind, tint) for kind, tint in kinds.items() if kind in there]
    names += [("hatched: an\nexploring outlier", RIVAL)] if any(both) else []
    ends = [(high - (0.1 + 0.17 * i) * (high - low), words, tint) for i, (words, tint) in enumerate(names)]
    label_ends(axes, ends, canvas)
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_locator(FixedLocator(range(len(told)) if len(told) <= MOST else []))
    if len(told) <= MOST:
        axes.set_xticklabels([str(who["client"]) for who in told], rotation=90, fontsize=10)
    axes.set_xlabel("client" if len(told) <= MOST else f"{len(told):,} clients")


def _kind(who: dict[str, Any]) -> str:
    if who["reward"] < 0:
        return "outlier"
    return "explorer" if who["exploring"] else "by wish"
