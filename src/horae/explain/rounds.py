"""What happened in a round: who was invited, who took part, how each fitted, and what the cohort decided."""

from __future__ import annotations

from typing import Any

from horae.errors import require
from horae.explain import round_picture
from horae.explain.answer import Answer, Grid, Row, listed, shortened
from horae.explain.reading import (
    check_cohort,
    clustering_of,
    column,
    explorers,
    groups_of,
    standing,
    verdicts_after,
)
from horae.report.loading import Run
from horae.report.reading import Arm, Event
from horae.report.tables import NONE, count, number, plural, seconds

HEAD: Row = ("client", "planted group", "came as", "claimed", "reward", "cluster", "told to try")


def explain_round(run: Run, number_: int, cohort: str | None = None) -> Answer:
    """A round of the run, or of a cohort; counted from 1. Errors: ConfigError where there is no such round."""
    arm = run.main
    event = _of_run(arm, number_) if cohort is None else _of_cohort(arm, number_, cohort)
    facts = _facts(arm, event)
    words = [_when(facts), _turnout(facts), *_unused(facts), *_explorers(facts), *_rewards(arm, facts)]
    words += [*_verdict(facts), *standing(run)]
    where = f"round {event['number'] + 1} of cohort {event['cohort']}"
    what = f"round-{number_}" if cohort is None else f"cohort-{cohort}-round-{number_}"
    grids = [Grid("Participants, best reward first", HEAD, shortened(_rows(facts)))] if facts["participants"] else []
    return Answer(what, where[0].upper() + where[1:], words, facts, grids, round_picture.panels(facts))


def _of_run(arm: Arm, n: int) -> Event:
    rounds = arm.of("round")
    require(1 <= n <= len(rounds), "--round", f"be a round of this run, 1 to {len(rounds):,}", n)
    return rounds[n - 1]


def _of_cohort(arm: Arm, n: int, cohort: str) -> Event:
    """That round with participants; where there is none, the last attempt at it to which nobody came."""
    check_cohort(arm, cohort)
    rounds = [event for event in arm.of("round") if event["cohort"] == cohort]
    there = sorted({event["number"] + 1 for event in rounds})
    remedy = "a cohort that split goes on in its children" if there else f"cohort {cohort} never trained"
    known = f"be a round of cohort {cohort}" + (f", {there[0]:,} to {there[-1]:,}" if there else "")
    require(n in there, "--round", known, n, remedy)
    tries = [event for event in rounds if event["number"] + 1 == n]
    return next((event for event in tries if event["clients"]), tries[-1])


def _facts(arm: Arm, event: Event) -> dict[str, Any]:
    """Everything, for machines; participants from best to worst reward."""
    came, groups, rounds = explorers(event), groups_of(arm), arm.of("round")
    told = [
        {
            "client": client, "group": groups.get(client), "exploring": None if came is None else client in came,
            "claim": column(event, "claims", client), "reward": column(event, "rewards", client),
            "label": column(event, "labels", client), "told_to_try": column(event, "towards", client),
        }
        for client in event["clients"]
    ]  # fmt: skip
    told.sort(key=lambda who: (who["reward"] is None, -(who["reward"] or 0.0), who["client"]))
    plain = ("cohort", "started_s", "at_s", "invited", "stragglers", "dropouts", "nbytes_up", "nbytes_down")
    return {
        "what": "round", "position": 1 + next(i for i, other in enumerate(rounds) if other is event),
        "of": len(rounds), "round": event["number"] + 1, **{key: event[key] for key in plain},
        "refused": event.get("refused"), "loss": event.get("loss"), "exploring": event.get("exploring"),
        "participants": told, "outliers": [w["client"] for w in told if w["reward"] is not None and w["reward"] < 0],
        "unused": _not_used(event), "verdicts": verdicts_after(arm, event),
    }  # fmt: skip


def _not_used(event: Event) -> list[int] | None:
    """Who was invited in vain; None where an earlier version wrote only how many."""
    if "unused" in event:
        return list(event["unused"])
    return [] if event["invited"] <= len(event["clients"]) else None


def _when(facts: dict[str, Any]) -> str:
    where = f"Round {count(facts['round'])} of cohort {facts['cohort']}, number {count(facts['position'])}"
    ended, lasted = seconds(facts["at_s"]), seconds(facts["at_s"] - facts["started_s"])
    return f"{where} of the run's {count(facts['of'])}, ended after {ended}; it lasted {lasted}."


def _turnout(facts: dict[str, Any]) -> str:
    came = len(facts["participants"])
    line = f"{plural(facts['invited'], 'client')} invited: {count(came)} took part"
    line += f", {count(facts['stragglers'])} too late"
    line += f", {count(facts['dropouts'])} dropped out"
    line += f", {count(facts['refused'])} refused (not finite)." if facts["refused"] else "."
    if came:
        return line
    began = facts["stragglers"] or facts["dropouts"] or facts["refused"]
    return f"{line} {'' if began else 'Too few to begin: '}nothing changed but the clock."


def _unused(facts: dict[str, Any]) -> list[str]:
    return [f"Invited in vain: {listed(facts['unused'])}."] if facts["unused"] else []


def _explorers(facts: dict[str, Any]) -> list[str]:
    came = [who["client"] for who in facts["participants"] if who["exploring"]]
    if came:
        return [f"{plural(len(came), 'explorer')}: {listed(came)}."]
    hidden = any(who["exploring"] is None for who in facts["participants"])
    return [f"{plural(facts['exploring'], 'explorer')}; who is not in this log."] if hidden else []


def _rewards(arm: Arm, facts: dict[str, Any]) -> list[str]:
    """Best, worst and outliers."""
    told = [who for who in facts["participants"] if who["reward"] is not None]
    if not told:
        return [_no_rewards(arm, facts)] if facts["participants"] else []
    best, worst = told[0], told[-1]
    words = [
        f"Rewards from {number(best['reward'])} (client {best['client']}) to {number(worst['reward'])} "
        f"(client {worst['client']})."
    ]
    out = [f"{who['client']} ({number(who['reward'])})" for who in reversed(told) if who["reward"] < 0]
    words.append(f"{plural(len(out), 'outlier')}, reward below 0: {listed(out)}." if out else "No outlier.")
    tips = [f"{who['client']} → {who['told_to_try']}" for who in told if who["told_to_try"]]
    return words + ([f"Told to try another cohort: {listed(tips)}."] if tips else [])


def _no_rewards(arm: Arm, facts: dict[str, Any]) -> str:
    if clustering_of(arm) in ("single", "oracle"):
        return f"No rewards: {clustering_of(arm)} gives none."
    if not any(split["at_s"] < facts["at_s"] for split in arm.splits):
        return "No rewards: there was one cohort, and nothing to choose; they begin with the first split."
    if not any("rewards" in event for event in arm.of("round")):
        return "No rewards: an earlier version of horae wrote this log, without them."
    return "No rewards: fewer than two took part."


def _verdict(facts: dict[str, Any]) -> list[str]:
    words = []
    for verdict in facts["verdicts"]:
        evidence = f"statistic {number(verdict['statistic'])} against {number(verdict['threshold'])}"
        words.append(f"Then it looked at itself: {verdict['reason']} ({evidence}).")
    return words or ["It did not look at itself after this round."]


def _rows(facts: dict[str, Any]) -> list[Row]:
    return [
        (
            str(who["client"]), NONE if who["group"] is None else str(who["group"]),
            NONE if who["exploring"] is None else "explorer" if who["exploring"] else "by wish",
            number(who["claim"]), number(who["reward"]),
            NONE if who["label"] is None or who["label"] < 0 else str(who["label"]), who["told_to_try"] or NONE,
        )
        for who in facts["participants"]
    ]  # fmt: skip
