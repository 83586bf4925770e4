"""A comparison in words: the headline, how many seeds, what failed. Plain text."""

from __future__ import annotations

from horae.pure.paired import BETTER, IDENTICAL, WORSE
from horae.report.comparison.fields import FIELDS, Table, spread
from horae.report.tables import NONE, plural, points, signed

COSTS = (
    "Costs: FLOPs beside training as a share of training's, models moved per participation, and clients asked for "
    "something else than training"
)


def headline(results: Table) -> str:
    """The comparison in one sentence, whichever way it went."""
    arms, against = results["arms"], results["against"]
    scored = [arm for arm in arms if arm["fields"]["accuracy"]]
    if not scored:
        return "No run has an accuracy to compare"
    if len(arms) == 1:
        return f"{against}: {_percent(scored[0])} over {plural(scored[0]['finished'], 'seed')}"
    rivals = [arm for arm in scored if arm["difference"].get("accuracy")]
    if not rivals:
        return f"Nothing to compare with {against}: no seed was finished by both"
    best = max(rivals, key=lambda arm: arm["fields"]["accuracy"]["mean"])
    apart = best["difference"]["accuracy"]
    if apart["n"] < 2:
        return f"{best['name']}: {_percent(best)}, {_points(apart)} {against} on one seed"
    if apart["verdict"] == BETTER:
        where = f"{_points(apart)} {against} ({_interval(apart)}, {plural(apart['n'], 'seed')})"
        return f"{best['name']}: {_percent(best)}, {where}"
    if all(arm["difference"]["accuracy"]["verdict"] == WORSE for arm in rivals):
        return f"{against} is ahead: the next best, {best['name']}, is {_points(apart)} it ({_interval(apart)})"
    if apart["verdict"] == IDENTICAL:
        return f"{best['name']} is as accurate as {against}, seed for seed: {_percent(best)}"
    least = f"{best['name']}, the best of the others, is {_points(apart)} it ({_interval(apart)})"
    return f"Nothing is distinguishably more accurate than {against}: {least}"


def seeds(arm: Table, results: Table) -> str:
    """How many of the seeds an arm has finished."""
    asked = len(results["seeds"])
    return str(asked) if arm["finished"] == asked else f"{arm['finished']} of {asked}"


def reached(arm: Table, key: str) -> str:
    """On how many of the finished seeds an arm reached the target."""
    found = arm["fields"][key]
    n = found["n"] if found else 0
    return str(n) if n == arm["finished"] else f"{n} of {arm['finished']}"


def target(results: Table) -> str:
    """What the table of speed-ups is about."""
    found = results["target"]
    share = f"{100 * found['accuracy']:.1f} % mean accuracy ({found['why']})"
    return f"To the target, {share}; speed-ups are over {results['against']}"


def tuned(results: Table) -> str:
    """What the table of trials is about."""
    tuning = results["tuning"]
    seeds = "seed " if len(tuning["seeds"]) == 1 else "seeds "
    seeds += ", ".join(map(str, tuning["seeds"]))
    return f"Tuned before: {tuning['trials']} settings for every arm, on {seeds}, which are not reported"


def failures(results: Table) -> list[str]:
    """The runs that failed, and why."""
    failed = [run for run in results["runs"] if run["state"] == "failed"]
    return [f"failed: {run['arm']}, seed {run['seed']}: {run['reason']}" for run in failed]


def _percent(arm: Table) -> str:
    return f"{spread(FIELDS['accuracy'], arm['fields']['accuracy'])} %"


def _points(apart: Table) -> str:
    return points(apart["mean"])


def _interval(apart: Table) -> str:
    if apart["low"] is None:
        return NONE
    return f"95 %: {signed(apart['low'])} to {signed(apart['high'])}"
