"""What one has to know to read a comparison: who shares what, which budget, what the intervals mean."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from horae.compare.logs import Log
from horae.compare.plan import Plan
from horae.compare.tuning import in_words

Row = Mapping[str, Any]
Logs = Mapping[tuple[str, int], Log]
INTERVALS = (
    "Intervals: 95 %, Student's t on the paired differences; each by itself, not corrected for looking at several."
)
SPEEDUPS = (
    "Speed-ups: what {against} needed over what the arm needed, seed by seed; geometric mean, 95 % interval by "
    "Student's t on the logarithms. Between two scores accuracy rises in a straight line."
)


def notes(
    plan: Plan, rows: Sequence[Row], logs: Logs, target: Row | None, tuned: Mapping[str, Row] | None = None
) -> list[str]:
    """Sentences for the foot of every table."""
    done = [(row["arm"], row["seed"]) for row in rows if row["state"] == "finished"]
    told = {run: logs[run] for run in done if run in logs}
    found = []
    if len(plan.arms) > 1:
        found += [_pairing(plan, told), INTERVALS if len(plan.seeds) > 1 else "One seed: no intervals, no verdicts."]
    found += [_budget(plan), *_tuned(plan, tuned or {}), *_reached(plan, rows, target)]
    found += [SPEEDUPS.format(against=plan.against)] if target and len(plan.arms) > 1 else []
    found += [*_early(told), *_refused(rows), *_late(rows)]
    versions = sorted({str(row["horae_version"]) for row in rows if row["horae_version"]})
    if len(versions) > 1:
        found.append(f"The runs were made by different versions of horae: {', '.join(versions)}.")
    return found


def _pairing(plan: Plan, logs: Logs) -> str:
    """Whether arms of one seed share what they should, by what their logs say."""
    shared = {"clients": True, "first models": True}
    for seed in plan.seeds:
        opened = [log.opened for (_, other), log in logs.items() if other == seed]
        shared["clients"] &= _alike(opened, "clients", "population")
        shared["first models"] &= _alike(opened, "model", "params")
    varied = {key.split(".")[0] for arm in plan.arms for key in _apart(arm.changes, plan)}
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


def _apart(changes: Mapping[str, Any], plan: Plan) -> list[str]:
    """The fields of an arm's that another arm has otherwise."""
    return [key for key, value in changes.items() if any(arm.changes.get(key) != value for arm in plan.arms)]


def _early(logs: Logs) -> list[str]:
    """Runs that ended before their budget was spent."""
    reasons = {run: log.ended.get("reason", "budget spent") for run, log in logs.items()}
    return [f"{arm}, seed {seed}: {why}." for (arm, seed), why in reasons.items() if why != "budget spent"]


def _reached(plan: Plan, rows: Sequence[Row], target: Row | None) -> list[str]:
    """The target, and how many runs reached it where not all did."""
    if target is None:
        return ["No target accuracy: no arm's reaching of one is timed."]
    said = f"Target: {100 * target['accuracy']:.1f} % mean accuracy, {target['why']}"
    counts = {}
    for arm in plan.arms:
        mine = [row for row in rows if row["arm"] == arm.name and row["state"] == "finished"]
        counts[arm.name] = (sum(row["time_to_accuracy_s"] is not None for row in mine), len(mine))
    if all(n == asked for n, asked in counts.values()):
        return [f"{said}."]
    words = "; ".join(f"{name} in {n} of {asked}" for name, (n, asked) in counts.items())
    return [f"{said}; reached by {words}. Means and speed-ups are over the seeds that did."]


def _tuned(plan: Plan, tuned: Mapping[str, Row]) -> list[str]:
    """How the arms were tuned, what was chosen, and what it cost."""
    if not plan.tuning or not tuned:
        return []
    sizes, n = plan.tuning.sizes(plan.arms), len(plan.trials[plan.against])
    seeds = f"seed{'s' if len(plan.tuning.seeds) > 1 else ''} {', '.join(map(str, plan.tuning.seeds))}"
    words = f"Tuned before: every arm tried {n} settings on {seeds}, which are not reported, and kept the best by mean"
    found = [f"{words} accuracy at the end; ties go to the first."]
    if plan.tuning.budget > n:
        found[0] += f" {plan.tuning.budget} were asked for; the smallest grid has {n}."
    if any(size > n for size in sizes.values()):
        cut = ", ".join(f"{name} {size}" for name, size in sizes.items() if size > n)
        found[0] += f" Larger grids ({cut}) were cut to {n} by lot, with the first of these seeds."
    for name, table in tuned.items():
        chosen = f"chose {in_words(table['chosen'])}" if table["chosen"] is not None else "chose nothing"
        cost = table["cost"]
        spent = f"{cost['participations']:,} participations, {cost['train_wall_s']:,.0f} s of real time"
        failed = [(i, seed, why) for i, t in enumerate(table["trials"]) for seed, why in t["failed"].items()]
        found.append(f"{name} {chosen}; its trials cost {spent}.")
        found += [f"{name}, trial {i}, seed {seed} failed and could not be chosen: {why}." for i, seed, why in failed]
    return found


def _late(rows: Sequence[Row]) -> list[str]:
    """Runs that have their numbers, but not all that should come after."""
    found = [row for row in rows if row["state"] == "finished" and row["reason"]]
    return [f"{row['arm']}, seed {row['seed']} has its numbers, but then failed: {row['reason']}." for row in found]


def _refused(rows: Sequence[Row]) -> list[str]:
    found = [(row["arm"], row["seed"], row["updates_refused"]) for row in rows if row["updates_refused"]]
    return [f"{arm}, seed {seed}: {n:,} updates were not finite and were refused." for arm, seed, n in found]


def _alike(opened: Sequence[Mapping[str, Any]], print_of: str, else_: str) -> bool:
    """Whether logs tell of the same clients or model: by fingerprint, or by facts where a log has none."""
    things = [event.get("world", {}).get(print_of) for event in opened]
    if None in things:
        things = [event.get(else_) for event in opened]
    return len({json.dumps(thing, sort_keys=True) for thing in things}) <= 1


def _list(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
