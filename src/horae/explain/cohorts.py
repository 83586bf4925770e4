"""Why a cohort split, or did not: every look it took at itself, and what it was made of."""

from __future__ import annotations

from typing import Any

from horae.explain import cohort_picture
from horae.explain.answer import Answer, Grid, Row, shortened
from horae.explain.reading import (
    at_home,
    born,
    check_cohort,
    clustering_of,
    ended,
    explorers,
    groups_in_words,
    groups_of,
    standing,
)
from horae.report.loading import Run
from horae.report.reading import Arm, Event
from horae.report.tables import NONE, count, number, plural, seconds, share


def explain_cohort(run: Run, name: str) -> Answer:
    """Where this cohort came from, what it saw in itself, and what became of it. Errors: ConfigError for none."""
    arm = run.main
    check_cohort(arm, name)
    facts = _facts(arm, name)
    words = [_birth(arm, facts), _training(facts), *_looking(arm, facts), _fate(arm, facts), *standing(run)]
    looks: list[Row] = [
        (count(v["round"]), seconds(v["at_s"]), number(v["statistic"]), number(v["threshold"]), v["reason"])
        for v in facts["looks"]
    ]
    served: list[Row] = [(seconds(at), count(n), share(accuracy)) for at, n, accuracy in facts["scores"]]
    grids = [Grid("Every look at itself", ("round", "time", "statistic", "threshold", "verdict"), shortened(looks))]
    grids.append(
        Grid("Clients at home and their mean accuracy", ("time", "clients", "accuracy"), shortened(served, 12))
    )
    panels = cohort_picture.panels(arm, name)
    title = f"Cohort {name}: its looks at itself, and how well it serves"
    return Answer(f"cohort-{name}", title, words, facts, [grid for grid in grids if grid.rows], panels)


def _facts(arm: Arm, name: str) -> dict[str, Any]:
    """Everything, for machines."""
    rounds = [event for event in arm.of("round") if event["cohort"] == name]
    birth, end, home = born(arm, name), ended(arm, name), at_home(arm, name)
    parts, members = name.split("."), (birth or {}).get("members", {}).get(name)
    scores = [(s["at_s"], *s["cohorts"][name]) for s in arm.whereabouts if name in s["cohorts"]]
    came = [explorers(event) for event in rounds]
    return {
        "what": "cohort", "cohort": name, "parents": [".".join(parts[: i + 1]) for i in range(len(parts) - 1)],
        "born": birth and {key: birth[key] for key in ("at_s", "round", "reason")}, "members_at_birth": members,
        "members_at_birth_n": (birth or {}).get("children", {}).get(name), "finished": arm.finished,
        "rounds": sum(bool(event["clients"]) for event in rounds),
        "empty_rounds": sum(not event["clients"] for event in rounds),
        "participations": sum(len(event["clients"]) for event in rounds),
        "participants": len({client for event in rounds for client in event["clients"]}),
        "explorers": None if None in came else sum(len(each or ()) for each in came),
        "looks": [verdict for verdict in arm.of("verdict") if verdict["cohort"] == name],
        "split": end, "scores": scores, "home": home,
    }  # fmt: skip


def _birth(arm: Arm, facts: dict[str, Any]) -> str:
    name, birth = facts["cohort"], facts["born"]
    if birth is None:
        how = "the root: every client begins in it" if name == "0" else "there from the start"
        return f"Cohort {name} is {how}."
    parent = facts["parents"][-1]
    line = f"Cohort {name} began after {seconds(birth['at_s'])}, when {parent} split in round {birth['round']}"
    members = facts["members_at_birth"] or []
    known = plural(facts["members_at_birth_n"] or 0, "known member")
    groups = groups_in_words(groups_of(arm), members)
    return f"{line}, with {known}{f' ({groups})' if groups else ''}."


def _training(facts: dict[str, Any]) -> str:
    if not facts["rounds"]:
        return "Nobody ever trained in it."
    explored = facts["explorers"]
    line = f"{plural(facts['rounds'], 'round')} with {plural(facts['participations'], 'participation')}"
    line += f" of {plural(facts['participants'], 'client')}"
    line += f", {count(explored)} of them by explorers" if explored is not None else ""
    empty = facts["empty_rounds"]
    return line + (f"; to {plural(empty, 'round')} nobody came." if empty else ".")


def _looking(arm: Arm, facts: dict[str, Any]) -> list[str]:
    """How often it looked, and how near it came to a split."""
    looks: list[Event] = facts["looks"]
    if not looks:
        rule = clustering_of(arm)
        never = f"{rule} never splits a cohort" if rule in ("single", "oracle") else "no verdict of it is in the log"
        return [f"It never looked at itself: {never}."]
    stays = [v for v in looks if not v["split"]]
    measured = [v for v in stays if v["statistic"] is not None and v["threshold"] is not None]
    line = f"It looked at itself {plural(len(looks), 'time')} and stayed whole {plural(len(stays), 'time')}"
    if not measured:
        return [f"{line}, without a statistic." if stays else f"{line}."]
    near = min(measured, key=lambda v: abs(v["statistic"] - v["threshold"]))
    where = f"{number(near['statistic'])} against {number(near['threshold'])} in round {near['round']}"
    return [f"{line}; nearest to its threshold without a split: {where}."]


def _fate(arm: Arm, facts: dict[str, Any]) -> str:
    split, name = facts["split"], facts["cohort"]
    if split is not None:
        children = ", ".join(f"{child} ({count(n)})" for child, n in split.get("children", {}).items())
        when = f"in round {split['round']}, after {seconds(split['at_s'])}"
        return f"It split {when}: {split['reason']}. Children and their known members: {children or NONE}."
    if any(other.rpartition(".")[0] == name for other in arm.names):
        return "It was divided before the first round: the clustering knew the groups."
    last = facts["looks"][-1]["reason"] if facts["looks"] else ""
    why = f" It never split; the last time: {last.removeprefix('no split: ')}." if last else " It never split."
    if facts["home"] is None:
        return f"It is a leaf.{why}"
    groups = groups_in_words(groups_of(arm), facts["home"])
    size, accuracy = plural(len(facts["home"]), "client"), facts["scores"][-1][2] if facts["scores"] else None
    return f"At the end {size} are at home in it{f' ({groups})' if groups else ''}, at {share(accuracy)} accuracy.{why}"
