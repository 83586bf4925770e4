"""The sections about one run, each a function from arms to HTML: an empty text where there is nothing to show.

prefix: begins the names of the section's charts, which are unique on a page. level: of the section's heading.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from horae.pure.fairness import tail_means
from horae.report import words
from horae.report.figures.curves import Curve, pair
from horae.report.figures.over_clients import accuracy_over_clients
from horae.report.figures.over_time import BYTES, PARTICIPATIONS, TIME, accuracy_against
from horae.report.figures.verdicts import colour_of, statistic_over_rounds
from horae.report.page import beside, details, figure, paragraph, section
from horae.report.reading import Arm, Node
from horae.report.svg import variable
from horae.report.tables import NONE, count, flops, nbytes, plural, seconds, share, signed, table, text

Say = Callable[[float | None], str]
PURPOSES = {
    "train": "training, used",
    "straggler": "came too late",
    "dropout": "dropped out",
    "affinity": "finding a cohort",
    "exploration": "exploring the weights",
    "unfinished": "in flight at the end",
    "census": "counting labels",
    "aggregation": "sums on the way",
}
COSTS = (
    ("participations", count),
    ("nbytes_up", nbytes),
    ("nbytes_down", nbytes),
    ("flops", flops),
    ("client_s", seconds),
)
SPARSE = ("sparse_flops", flops)
SCORE = (
    ("simulated time", "at_s", seconds),
    ("participations", "participations", count),
    ("sent both ways", "nbytes", nbytes),
    ("mean", "accuracy", share),
    ("worst tenth", "worst10", share),
    ("best tenth", "best10", share),
)


def over_time(curves: Sequence[Curve], main: Arm | None = None) -> str:
    """Accuracy against simulated time, participations and bytes. main: the arm whose splits and range are shown."""
    if not any(curve.arm.scores for curve in curves):
        return ""
    caption = "Mean over clients of the test accuracy of their own cohort's model, against simulated time."
    if main is not None and len(main.leaves) > 1:
        caption += " Band: from the lowest to the highest cohort's mean."
    caption += " Dotted upright: a split." if main is not None and main.splits else ""
    large = figure(accuracy_against("time", TIME, curves, main), caption)
    small = beside(
        figure(
            accuracy_against("participations", PARTICIPATIONS, curves, main),
            "The same, against participations: updates that were used.",
        ),
        figure(
            accuracy_against("bytes", BYTES, curves, main),
            "The same, against all that clients and server have sent, whatever for.",
        ),
    )
    head = ("run" if main is None else "arm", *(name for name, _, _ in SCORE), "cohorts")
    rows = [row for curve in curves for row in _scores(curve)]
    numbers = details("The numbers", table(head, rows, "Scores on the way"))
    return section("Accuracy over time", large, small, numbers)


def cohorts(arm: Arm, prefix: str = "", level: int = 2) -> str:
    """The tree, and every look a cohort took at itself."""
    verdicts = arm.of("verdict")
    when = "at the end" if arm.finished else "at the last score"
    lead = f"Sizes are the clients at home in a cohort {when}; bars show their mean test accuracy."
    tree = f'<ul class="tree">{"".join(_branch(arm, node) for node in arm.forest())}</ul>'
    if not verdicts:
        return section("Cohorts", paragraph(lead, "soft"), tree, level=level)
    caption = "Hollow: stayed together. Filled: split. A cross below: not measured yet. The table says why."
    head = ("cohort", "round", "simulated time", "statistic", "threshold", "verdict")
    looks = details("Every look, and its verdict", table(head, words.looks(verdicts), "Looks a cohort took at itself"))
    asked = f"<h{level + 1}>Why not earlier, why not further?</h{level + 1}>"
    picture = figure(statistic_over_rounds(f"{prefix}verdicts", arm), caption)
    title = "Cohorts, and why they split" if len(arm.leaves) > 1 else "One cohort, and why it did not split"
    return section(title, paragraph(lead, "soft"), tree, asked, picture, looks, level=level)


def clients(ours: Arm, rival: Arm | None) -> str:
    """The distribution over clients of their final accuracy."""
    arms = [arm for arm in (ours, rival) if arm is not None and arm.ranked.size]
    if ours not in arms:
        return ""
    columns = [spread(arm, ours.visited) for arm in arms]
    rows: list[tuple[str, ...]] = [(name, *(share(column.get(name)) for column in columns)) for name in columns[0]]
    head = ("clients", *(arm.title for arm in arms))
    if len(arms) == 2:
        rows = [(*row, signed(columns[0][row[0]] - columns[1].get(row[0], np.nan))) for row in rows]
        head = (*head, "difference, points")
    picture = figure(accuracy_over_clients("clients", pair(ours, rival)), RANKED)
    return section("Who is served how well", picture, table(head, rows, "Final test accuracy over clients"))


RANKED = "Clients in order of their own accuracy, each as wide as any other; the worst and the best tenth are shaded."


def costs(ours: Arm, rival: Arm | None, level: int = 2) -> str:
    """The ledger by purpose, and beside the rival's. Sparse FLOPs are told where they are other than FLOPs."""
    arms = [arm for arm in (ours, rival) if arm is not None]
    sparse = any(
        row.get("sparse_flops", row.get("flops")) != row.get("flops") for a in arms for row in a.ledger.values()
    )
    told = (*COSTS, SPARSE) if sparse else COSTS
    rows = [_cost(PURPOSES.get(purpose, purpose), [row], told) for purpose, row in ours.ledger.items()]
    if several := len(rows) != 1:
        rows.append(_cost("together", list(ours.ledger.values()), told))
    head = ["purpose", "participations", "up", "down", "work on clients", "client time"]
    head += ["sparse FLOPs (theory)"] if sparse else []
    parts = [paragraph(text(words.turnout(ours)), "soft"), table(head, rows, "The ledger by purpose", total=several)]
    if rival:
        sums = [_cost(arm.title, list(arm.ledger.values()), told) for arm in arms]
        parts.append(table(("arm", *head[1:]), sums, "Beside each other, everything included"))
    parts.append(paragraph(THEORY, "soft") if sparse else "")
    return section("What it cost", *parts, level=level)


THEORY = "Sparse FLOPs would be left if zeros cost nothing. Dense arithmetic pays for them, and so does the clock."


def spread(arm: Arm, visited: set[int] | None = None) -> dict[str, float]:
    """Final accuracies in a few numbers. visited: who took part, the same clients for every arm that is compared."""
    quarter, median, upper = np.quantile(arm.ranked, (0.25, 0.5, 0.75)).tolist()
    worst, best = tail_means(arm.ranked)
    table = {"mean of the worst tenth": worst, "lower quartile": quarter, "median": median, "upper quartile": upper}
    table |= {"mean of the best tenth": best, "mean": float(arm.ranked.mean())}
    for name, wanted in (("took part", True), ("never did", False)):
        mine = [a for i, a in arm.accuracies.items() if visited is not None and (i in visited) is wanted]
        if mine:
            table[f"mean of the {len(mine)} that {name}"] = float(np.mean(mine))
    return table


def _scores(curve: Curve) -> list[tuple[str, ...]]:
    """A row for each score."""
    rows = curve.arm.scores
    return [(curve.title, *(say(s[key]) for _, key, say in SCORE), count(len(s["cohorts"]))) for s in rows]


def _branch(arm: Arm, node: Node) -> str:
    """A cohort and its children as a list item."""
    name = f'<span class="name">{text(node.name)}</span>'
    style = f"--colour: {variable(colour_of(arm, node.name))}"
    what = _parting(node) if node.children else _leaf(node)
    inside = f"<ul>{''.join(_branch(arm, child) for child in node.children)}</ul>" if node.children else ""
    return f'<li><div class="node" style="{style}">{name}{what}</div>{inside}</li>'


def _parting(node: Node) -> str:
    """When and why a cohort split."""
    reason = f'<span class="why">{text(node.split["reason"])}</span>' if node.split else ""
    return f"<span>split into {len(node.children)} {text(words.when(node))}</span>{reason}"


def _leaf(node: Node) -> str:
    """A cohort's size and accuracy."""
    size = NONE if node.clients is None else plural(node.clients, "client")
    bar = f'<span class="bar"><i style="--share: {node.accuracy or 0:.4f}"></i></span>'
    return f'<div class="leaf"><span>{text(size)}</span>{bar}<b>{text(share(node.accuracy))}</b></div>'


def _cost(name: str, rows: list[dict[str, float]], told: Sequence[tuple[str, Say]]) -> tuple[str, ...]:
    """Ledger rows added up, in words; a dash for what no row has."""
    known = [[row[key] for row in rows if row.get(key) is not None] for key, _ in told]
    return name, *(say(sum(mine) if mine or not rows else None) for mine, (_, say) in zip(known, told, strict=True))
