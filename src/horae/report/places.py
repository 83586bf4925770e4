"""The section that says who is where: over time, and at the end against the planted groups."""

from __future__ import annotations

from collections import Counter

from horae.report.figures.places import has_layers, places_over_time
from horae.report.page import details, figure, paragraph, section
from horae.report.reading import Arm, Event
from horae.report.tables import count, plural, seconds, table, text

NOBODY = "-1"  # the group of a client that is in none


def who_is_where(arm: Arm, prefix: str = "", level: int = 2) -> str:
    """Who is at home in which cohort while time goes by, and planted groups by cohorts at the end."""
    return section("Who is where", *_over_time(arm, prefix), *_in_the_end(arm, level), level=level)


def _over_time(arm: Arm, prefix: str) -> list[str]:
    """Bands over simulated time and the table behind them; nothing where there never was a second cohort."""
    if len(arm.homes) < 2:
        return []
    caption = "A band is a cohort, as high as the share of clients at home in it; a cohort's children lie where it lay."
    if has_layers(arm):
        caption += " The layers and patterns within are the planted groups, named at either edge."
    head = ("simulated time", "cohort", "clients at home", *(f"group {group}" for group in arm.groups))
    numbers = table(head, _moves(arm), "Who was at home where, whenever that changed")
    return [figure(places_over_time(f"{prefix}places", arm), caption), details("The numbers", numbers)]


def _moves(arm: Arm) -> list[tuple[str, ...]]:
    """A row for each cohort at every score at which it is not as it was at the one before."""
    rows: list[tuple[str, ...]] = []
    before: Event = {}
    for score in arm.whereabouts:
        groups = score.get("groups") or {}
        now = {name: (n, *groups.get(name, ())) for name, (n, _) in score["cohorts"].items()}
        rows += [(seconds(score["at_s"]), name, *map(count, counts)) for name, counts in now.items() if now != before]
        before = now
    return rows


def _in_the_end(arm: Arm, level: int) -> list[str]:
    """Planted groups by cohorts, where groups are known."""
    cells = _cells(arm)
    groups = sorted({group for group, _ in cells}, key=lambda group: (group == NOBODY, len(group), group))
    if set(groups) <= {NOBODY}:
        return []
    rows = "".join(_group(group, [cells[group, leaf] for leaf in arm.leaves]) for group in groups)
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in ("cohort", *arm.leaves))
    lead = "Clients of each planted group by the cohort they are at home in."
    lead += " The oracle was told the groups." if arm.clustering == "oracle" else " Training never saw the groups."
    if unseen := len(arm.last("clients").get("ids", ())) - len(arm.visited):
        lead += f" {plural(unseen, 'client')} never took part: a newcomer's place is a guess."
    grid = f'<table class="cross"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    box = f'<div class="scroll" tabindex="0" role="region" aria-label="Planted groups by cohorts">{grid}</div>'
    title = "Planted groups by cohorts, " + ("at the end" if arm.finished else "at the last score")
    return [f"<h{level + 1}>{title}</h{level + 1}>", paragraph(text(lead), "soft"), box]


def _cells(arm: Arm) -> Counter[tuple[str, str]]:
    """How many clients of a planted group are in a cohort, at the end or at the last score of a log that breaks off."""
    if last := arm.last("clients"):
        return Counter((str(group), arm.leaves[i]) for group, i in zip(last["group"], last["home"], strict=True))
    counts: dict[str, list[int]] = arm.last("score").get("groups") or {}
    return Counter({(group, leaf): n for leaf, row in counts.items() for group, n in zip(arm.groups, row, strict=True)})


def _group(group: str, counts: list[int]) -> str:
    """A planted group's row: darker where more of its clients are."""
    cells = "".join(f'<td class="heat" style="--share: {n / max(sum(counts), 1):.3f}">{n}</td>' for n in counts)
    name = "no group" if group == NOBODY else f"group {group}"
    return f'<tr><th scope="row">{text(name)}</th>{cells}</tr>\n'
