"""The sections of report.html, each a function from the arms to HTML: an empty text where there is nothing to show."""

from __future__ import annotations

from collections import Counter

import numpy as np

from horae.pure.fairness import tail_means
from horae.report import figures, words
from horae.report.page import details, figure, paragraph, section
from horae.report.reading import Arm, Node
from horae.report.svg import variable
from horae.report.tables import NONE, count, flops, nbytes, plural, seconds, share, signed, table, text

PURPOSES = {
    "train": "training, used",
    "straggler": "came too late",
    "dropout": "dropped out",
    "affinity": "finding a cohort",
}
COSTS = (
    ("participations", count),
    ("nbytes_up", nbytes),
    ("nbytes_down", nbytes),
    ("flops", flops),
    ("client_s", seconds),
)


def over_time(ours: Arm, rival: Arm | None) -> str:
    """Accuracy against simulated time."""
    if not ours.scores:
        return ""
    caption = "Mean over clients of the test accuracy of their own cohort's model."
    if len(ours.leaves) > 1:
        caption += " Band: from the lowest to the highest cohort's mean."
    caption += " Dotted upright: a split." if ours.splits else ""
    head = ("arm", "simulated time", "participations", "mean", "worst tenth", "best tenth", "cohorts")
    rows = [row for arm in (ours, rival) if arm for row in _scores(arm)]
    numbers = details("The numbers", table(head, rows, "Scores on the way"))
    return section("Accuracy over time", figure(figures.accuracy_over_time(ours, rival), caption), numbers)


def cohorts(arm: Arm) -> str:
    """The tree, and every look a cohort took at itself."""
    verdicts = arm.of("verdict")
    lead = "Sizes are the clients at home in a cohort at the end; bars show their mean test accuracy."
    tree = f'<ul class="tree">{"".join(_branch(arm, node) for node in arm.forest())}</ul>'
    if not verdicts:
        return section("Cohorts", paragraph(lead, "soft"), tree)
    caption = "Hollow: stayed together. Filled: split. A cross below: not measured yet. The table says why."
    head = ("cohort", "round", "simulated time", "statistic", "threshold", "verdict")
    looks = details("Every look, and its verdict", table(head, words.looks(verdicts), "Looks a cohort took at itself"))
    asked = "<h3>Why not earlier, why not further?</h3>"
    picture = figure(figures.statistic_over_rounds(arm), caption)
    title = "Cohorts, and why they split" if len(arm.leaves) > 1 else "One cohort, and why it did not split"
    return section(title, paragraph(lead, "soft"), tree, asked, picture, looks)


def clients(ours: Arm, rival: Arm | None) -> str:
    """The distribution over clients of their final accuracy."""
    arms = [arm for arm in (ours, rival) if arm is not None and arm.ranked.size]
    if ours not in arms:
        return ""
    columns = [_spread(arm, ours.visited) for arm in arms]
    rows: list[tuple[str, ...]] = [(name, *(share(column.get(name)) for column in columns)) for name in columns[0]]
    head = ("clients", *(arm.title for arm in arms))
    if len(arms) == 2:
        rows = [(*row, signed(columns[0][row[0]] - columns[1].get(row[0], np.nan))) for row in rows]
        head = (*head, "difference, points")
    caption = (
        "Clients in order of their own accuracy, each as wide as any other; the worst and the best tenth are shaded."
    )
    picture = figure(figures.accuracy_over_clients(ours, rival), caption)
    return section("Who is served how well", picture, table(head, rows, "Final test accuracy over clients"))


def who_is_where(arm: Arm) -> str:
    """Planted groups by cohorts, where groups are known."""
    last = arm.last("clients")
    groups, home = last.get("group", ()), last.get("home", ())
    if not any(group >= 0 for group in groups):
        return ""
    cells = Counter(zip(groups, home, strict=True))
    rows = "".join(_group(group, [cells[group, i] for i in range(len(arm.leaves))]) for group in sorted(set(groups)))
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in ("cohort", *arm.leaves))
    lead = "Clients of each planted group by the cohort they are at home in."
    lead += " The oracle was told the groups." if arm.clustering == "oracle" else " Training never saw the groups."
    if unseen := len(groups) - len(arm.visited):
        lead += f" {plural(unseen, 'client')} never took part: a newcomer's place is a guess."
    grid = f'<table class="cross"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    box = f'<div class="scroll" tabindex="0" role="region" aria-label="Groups by cohorts">{grid}</div>'
    return section("Who is where", paragraph(text(lead), "soft"), box)


def costs(ours: Arm, rival: Arm | None) -> str:
    """The ledger by purpose, and beside the rival's."""
    ledger = ours.last("end").get("ledger", {})
    rows = [_cost(PURPOSES.get(purpose, purpose), [row]) for purpose, row in ledger.items()]
    rows.append(_cost("together", list(ledger.values())))
    head = ("purpose", "participations", "up", "down", "work on clients", "client time")
    parts = [paragraph(text(words.turnout(ours)), "soft"), table(head, rows, "The ledger by purpose", total=True)]
    if rival:
        sums = [_cost(arm.title, list(arm.last("end").get("ledger", {}).values())) for arm in (ours, rival)]
        parts.append(table(("arm", *head[1:]), sums, "Beside each other, everything included"))
    return section("What it cost", *parts)


def _scores(arm: Arm) -> list[tuple[str, ...]]:
    """A row for each score."""
    shown = (("at_s", seconds), ("participations", count), ("accuracy", share), ("worst10", share), ("best10", share))
    return [(arm.title, *(say(s[key]) for key, say in shown), count(len(s["cohorts"]))) for s in arm.scores]


def _branch(arm: Arm, node: Node) -> str:
    """A cohort and its children as a list item."""
    name = f'<span class="name">{text(node.name)}</span>'
    style = f"--colour: {variable(figures.colour_of(arm, node.name))}"
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


def _spread(arm: Arm, visited: set[int]) -> dict[str, float]:
    """Final accuracies in a few numbers. visited: who took part, the same clients for both arms."""
    quarter, median, upper = np.quantile(arm.ranked, (0.25, 0.5, 0.75)).tolist()
    worst, best = tail_means(arm.ranked)
    table = {"mean of the worst tenth": worst, "lower quartile": quarter, "median": median, "upper quartile": upper}
    table |= {"mean of the best tenth": best, "mean": float(arm.ranked.mean())}
    for name, wanted in (("took part", True), ("never did", False)):
        mine = [accuracy for i, accuracy in arm.accuracies.items() if (i in visited) is wanted]
        if mine:
            table[f"mean of the {len(mine)} that {name}"] = float(np.mean(mine))
    return table


def _group(group: int, counts: list[int]) -> str:
    """A planted group's row: darker where more of its clients are."""
    cells = "".join(f'<td class="heat" style="--share: {n / sum(counts):.3f}">{n}</td>' for n in counts)
    return f'<tr><th scope="row">{f"group {group}" if group >= 0 else "no group"}</th>{cells}</tr>\n'


def _cost(name: str, rows: list[dict[str, float]]) -> tuple[str, ...]:
    """Ledger rows added up, in words."""
    return name, *(say(sum(row.get(key) or 0 for row in rows)) for key, say in COSTS)
