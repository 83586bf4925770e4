"""What the trials of a tuned comparison have shown, and the settings that were chosen: kept in tuning.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from horae.compare.jobs import Trials
from horae.compare.plan import Plan
from horae.compare.processes import Job
from horae.compare.tuning import Settings, best, in_words
from horae.errors import RunError
from horae.files import write_whole

FILE = "tuning.json"
COSTS = ("participations", "simulated_s", "bytes_up", "bytes_down", "flops", "train_wall_s")


def decided(directory: Path, plan: Plan) -> dict[str, dict[str, Any]]:
    """What tuning.json says of each arm; empty where nothing was chosen yet. Errors: RunError for a broken one."""
    file = directory / FILE
    if not plan.tuning or not file.exists():
        return {}
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
        told = {name: dict(table[name]) for name in table}
        for name, settings in plan.trials.items():
            if name in told and [trial["settings"] for trial in told[name]["trials"]] != settings:
                raise ValueError(f"the trials of {name} are others")
            if name in told and told[name]["chosen"] not in settings:
                raise ValueError(f"no trial of {name} has its chosen settings")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"cannot read {file}: {error}; was it changed by hand?") from None
    return told


def decide(
    plan: Plan, jobs: Trials, failed: Mapping[Job, str], known: Mapping[str, dict[str, Any]], directory: Path
) -> dict[str, dict[str, Any]]:
    """For each arm its trials, what they cost, and the chosen settings; what was chosen once stays.

    chosen: the settings with the highest accuracy at the end, averaged over the tuning seeds; None if every trial
    failed on some seed: then they are tried again when the comparison goes on.
    """
    found = dict(known)
    for arm in plan.arms:
        if arm.name in known:
            continue
        trials = [_trial(arm.name, i, settings, jobs, failed) for i, settings in enumerate(plan.trials[arm.name])]
        number = best(trials)
        found[arm.name] = {
            "grid": plan.tuning.sizes(plan.arms)[arm.name] if plan.tuning else 0,
            "chosen": None if number is None else trials[number]["settings"],
            "cost": {key: sum(trial["cost"][key] for trial in trials) for key in COSTS},
            "trials": trials,
        }
    chosen = {name: table for name, table in found.items() if table["chosen"] is not None}
    if chosen != known:
        write_whole(directory / FILE, json.dumps(chosen, indent=2, allow_nan=False) + "\n")
    return found


def why_none(table: Mapping[str, Any]) -> str:
    """Why nothing was chosen for an arm."""
    reasons = [reason for trial in table["trials"] for reason in trial["failed"].values()]
    return f"no trial ended on every tuning seed: {reasons[0]}" if reasons else "no trial has an accuracy"


def _trial(arm: str, number: int, settings: Settings, jobs: Trials, failed: Mapping[Job, str]) -> dict[str, Any]:
    """One setting: its accuracy by seed, their mean, what it cost, and the seeds that failed."""
    mine = {seed: job for (name, i, seed), job in jobs.items() if (name, i) == (arm, number)}
    told = {seed: _summary(job) for seed, job in mine.items() if job.finished}
    by_seed = {str(seed): told.get(seed, {}).get("accuracy") for seed in mine}
    values = [value for value in by_seed.values() if value is not None]
    return {
        "settings": settings,
        "said": in_words(settings),
        "accuracy": sum(values) / len(values) if len(values) == len(mine) else None,
        "by_seed": by_seed,
        "failed": {str(seed): failed.get(job, "it did not end") for seed, job in mine.items() if not told.get(seed)},
        "cost": {key: sum(summary.get(key) or 0 for summary in told.values()) for key in COSTS},
    }


def _summary(job: Job) -> dict[str, Any]:
    """A finished trial's numbers; empty if they cannot be read."""
    try:
        return dict(json.loads((job.directory / "summary.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}
