"""From a plan to the processes that carry it out: one for every trial and one for every arm and reported seed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from horae.compare.arms import Arm
from horae.compare.plan import Plan
from horae.compare.processes import Job
from horae.files import write_whole
from horae.settings import dumps

Trials = dict[tuple[str, int, int], Job]  # by arm, number of the trial and seed
Runs = dict[tuple[str, int], Job]  # by arm and seed


def trial_jobs(plan: Plan, directory: Path) -> Trials:
    """Every trial of every arm on every tuning seed, with the experiment written where it is not yet."""
    jobs, settings = {}, plan.trials
    for seed in plan.tuning.seeds if plan.tuning else []:
        for arm in plan.arms:
            for i, tuned in enumerate(settings[arm.name]):
                jobs[arm.name, i, seed] = _job(plan, directory, arm, seed, tuned, f"trial-{i}")
    return jobs


def run_jobs(plan: Plan, directory: Path, chosen: Mapping[str, Mapping[str, Any] | None]) -> Runs:
    """Every arm and reported seed, those of one seed together. chosen: by arm, what tuning has chosen.

    An arm for which it has chosen nothing (None) gets jobs without an experiment: they cannot be begun.
    """
    return {
        (arm.name, seed): _job(plan, directory, arm, seed, chosen.get(arm.name, {}))
        for seed in plan.seeds
        for arm in plan.arms
    }


def _job(plan: Plan, directory: Path, arm: Arm, seed: int, tuned: Mapping[str, Any] | None, trial: str = "") -> Job:
    """One run: where its experiment, its directory and its words lie."""
    where = f"tuning/{arm.directory}/{trial}" if trial else f"runs/{arm.directory}"
    group, dashed = f"{arm.directory}/{trial}".rstrip("/"), f"{arm.directory}-{trial}".rstrip("-")
    file = directory / "experiments" / group / f"seed-{seed}.toml"
    log = directory / "logs" / f"{dashed}-seed-{seed}.txt"
    if tuned is not None and not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        experiment = plan.experiment(arm, seed, tuned)
        write_whole(file, dumps((experiment.untold() if trial else experiment).table()))
    title = f"{arm.name}, {trial}" if trial else arm.name
    return Job(title, seed, file, directory / where / f"seed-{seed}", log)
