"""What one has to know to read a comparison: who shares what, which budget, what the intervals mean."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from horae.compare.plan import Plan

Row = Mapping[str, Any]
Places = Mapping[tuple[str, int], Path]
INTERVALS = (
    "Intervals: 95 %, Student's t on the paired differences; each by itself, not corrected for looking at several."
)
_ENDS = ('{"event":"run"', '{"event":"end"')  # how the lines that are read here begin


def notes(plan: Plan, rows: Sequence[Row], places: Places) -> list[str]:
    """Sentences for the foot of every table."""
    done = [(row["arm"], row["seed"]) for row in rows if row["state"] == "finished"]
    events = {run: _ends(places[run] / "events.jsonl") for run in done}
    found = []
    if len(plan.arms) > 1:
        found += [_pairing(plan, events), INTERVALS if len(plan.seeds) > 1 else "One seed: no intervals, no verdicts."]
    found += [_budget(plan), *_early(events), *_reached(plan, rows), *_refused(rows), *_late(rows)]
    versions = sorted({str(row["horae_version"]) for row in rows if row["horae_version"]})
    if len(versions) > 1:
        found.append(f"The runs were made by different versions of horae: {', '.join(versions)}.")
    return found


def _pairing(plan: Plan, events: Mapping[tuple[str, int], Mapping[str, Any]]) -> str:
    """Whether arms of one seed share what they should, by what their logs say."""
    shared = {"clients": True, "first models": True}
    for seed in plan.seeds:
        opened = [found.get("run", {}) for (_, other), found in events.items() if other == seed]
        shared["clients"] &= _alike(opened, "clients", "population")
        shared["first models"] &= _alike(opened, "model", "params")
    varied = {key.split(".")[0] for key in plan.vary}
    shared |= {"devices": "devices" not in varied, "hours": "availability" not in varied}
    apart = [what for what, same in shared.items() if not same]
    together = [what for what, same in shared.items() if same]
    if not apart:
        return "Arms of one seed share clients, devices, hours and first models."
    words = f"{_list(apart).capitalize()} differ between the arms"
    if "clients" in apart:
        return f"{words}: paired by seed only."
    return f"{words}; those of one seed share {_list(together)}."


def _budget(plan: Plan) -> str:
    """What ended the runs, as far as the plan says it."""
    budgets = {str(plan.experiment(arm, plan.seeds[0]).table()["budget"]) for arm in plan.arms}
    if len(budgets) > 1:
        return "The budget is varied: the arms did not have the same means."
    ((key, value),) = plan.experiment(plan.arms[0], plan.seeds[0]).table()["budget"].items()
    return f"Budget of every run: {key} = {value:,}."


def _early(events: Mapping[tuple[str, int], Mapping[str, Any]]) -> list[str]:
    """Runs that ended before their budget was spent."""
    reasons = {run: found.get("end", {}).get("reason", "budget spent") for run, found in events.items()}
    return [f"{arm}, seed {seed}: {why}." for (arm, seed), why in reasons.items() if why != "budget spent"]


def _reached(plan: Plan, rows: Sequence[Row]) -> list[str]:
    """How many runs reached the target, where not all did."""
    counts = {}
    for arm in plan.arms:
        mine = [row for row in rows if row["arm"] == arm.name and row["state"] == "finished"]
        counts[arm.name] = (sum(row["time_to_accuracy_s"] is not None for row in mine), len(mine))
    if not any(reached for reached, _ in counts.values()) or all(reached == n for reached, n in counts.values()):
        return []
    words = "; ".join(f"{name} in {reached} of {n}" for name, (reached, n) in counts.items())
    return [f"The target accuracy was reached by {words}; times are means over those that did."]


def _late(rows: Sequence[Row]) -> list[str]:
    """Runs that have their numbers, but not all that should come after."""
    found = [row for row in rows if row["state"] == "finished" and row["reason"]]
    return [f"{row['arm']}, seed {row['seed']} has its numbers, but then failed: {row['reason']}." for row in found]


def _refused(rows: Sequence[Row]) -> list[str]:
    found = [(row["arm"], row["seed"], row["updates_refused"]) for row in rows if row["updates_refused"]]
    return [f"{arm}, seed {seed}: {n:,} updates were not finite and were refused." for arm, seed, n in found]


def _ends(log: Path) -> dict[str, Any]:
    """The events `run` and `end` of a log, by kind; what cannot be read is not there."""
    try:
        with log.open(encoding="utf-8") as lines:
            events = [json.loads(line) for line in lines if line.startswith(_ENDS)]
    except (OSError, ValueError):
        return {}
    return {event["event"]: event for event in events}


def _alike(opened: Sequence[Mapping[str, Any]], print_of: str, else_: str) -> bool:
    """Whether logs tell of the same clients or model: by fingerprint, or by facts where a log has none."""
    things = [event.get("world", {}).get(print_of) for event in opened]
    if None in things:
        things = [event.get(else_) for event in opened]
    return len({json.dumps(thing, sort_keys=True) for thing in things}) <= 1


def _list(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
