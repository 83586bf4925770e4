"""From the run directories of a comparison to one table: spread by arm, paired differences, and what to know."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from horae.compare.jobs import Runs
from horae.compare.logs import AXES, COSTS, Log, costs, reached, read_log
from horae.compare.notes import notes
from horae.compare.plan import Plan
from horae.compare.processes import Job
from horae.pure import paired
from horae.report.comparison.fields import FIELDS, Field

Row = dict[str, Any]
Logs = Mapping[tuple[str, int], Log]
BESIDE = ("accuracy_seen", "clients_seen", "rounds", "updates_refused", "run_wall_s", "horae_version")  # not compared
_OF_THE_LOG = (*AXES, *COSTS)


def gather(
    plan: Plan, jobs: Runs, failed: Mapping[Job, str], root: Path, tuned: Mapping[str, Row] | None = None
) -> Row:
    """What results.json holds. failed: the reasons of runs that failed in this session. tuned: each arm's trials."""
    logs = {run: read_log(job.directory / "events.jsonl") for run, job in jobs.items() if job.finished}
    target = target_of(plan, logs)
    rows = [
        _run(arm.name, seed, jobs[arm.name, seed], failed, root) | _logged(logs.get((arm.name, seed)), target)
        for arm in plan.arms
        for seed in plan.seeds
    ]
    arms = []
    for arm in plan.arms:
        row = {"name": arm.name, "directory": arm.directory, "changes": arm.changes, **_arm(arm.name, plan, rows)}
        row["ledger"] = ledger([logs[arm.name, seed] for seed in plan.seeds if (arm.name, seed) in logs])
        arms.append(row | ({"tuning": tuned[arm.name]} if tuned else {}))
    return {
        "name": plan.name,
        "horae": plan.horae,
        "vary": plan.vary,
        "seeds": plan.seeds,
        "against": plan.against,
        "target": target,
        "tuning": asdict(plan.tuning) | {"trials": len(plan.trials[plan.against])} if plan.tuning else None,
        "arms": arms,
        "runs": rows,
        "command": plan.command(),
        "notes": notes(plan, rows, logs, target, tuned or {}),
    }


def target_of(plan: Plan, logs: Logs) -> Row | None:
    """The accuracy whose reaching is measured, and whose choice it was; None where there is no accuracy.

    It is `--target`, or the highest accuracy that every finished seed of the reference has reached.
    """
    if plan.target is not None:
        return {"accuracy": plan.target, "why": "as asked for"}
    best = [log.best for (arm, _), log in logs.items() if arm == plan.against]
    values = [value for value in best if value is not None]
    if not values or len(values) < len(best):
        return None
    every = "every seed" if len(values) == len(plan.seeds) else f"every finished seed ({len(values)})"
    return {"accuracy": min(values), "why": f"the best that {every} of {plan.against} reached"}


def ledger(logs: Sequence[Log]) -> dict[str, Row]:
    """What an arm's runs cost by purpose, each a mean over those that tell; empty without any."""
    told = [log.ledger for log in logs if log.ledger]
    purposes = dict.fromkeys(purpose for table in told for purpose in table)
    keys = ("participations", "nbytes_up", "nbytes_down", "flops", "client_s")
    return {
        purpose: {key: sum(table.get(purpose, {}).get(key, 0) for table in told) / len(told) for key in keys}
        for purpose in purposes
    }


def _logged(log: Log | None, target: Row | None) -> Row:
    """What a run's log tells beside its summary; null where there is none."""
    if log is None:
        return dict.fromkeys(_OF_THE_LOG)
    return {**reached(log.scores, target["accuracy"] if target else None), **costs(log)}


def _run(arm: str, seed: int, job: Job, failed: Mapping[Job, str], root: Path) -> Row:
    """One arm and seed: how it went, and its numbers; null where there are none."""
    summary: Row = {}
    state, reason = "failed", failed.get(job) or "it did not end"
    if job.finished:
        try:
            summary = dict(json.loads((job.directory / "summary.json").read_text(encoding="utf-8")))
            state, reason = "finished", failed.get(job, "")  # its numbers are there, whatever came after
        except (OSError, ValueError, TypeError) as error:
            reason = f"cannot read its summary.json: {error}; remove it to run this again"
    row = {"arm": arm, "seed": seed, "state": state, "reason": reason or None}
    row |= {"directory": str(job.directory.relative_to(root).as_posix())}
    return row | {key: summary.get(key) for key in (*FIELDS, *BESIDE)}


def _arm(name: str, plan: Plan, rows: list[Row]) -> Row:
    """An arm's spreads, its differences to the reference, and how many times faster it reached the target."""
    mine, other = (
        {row["seed"]: row for row in rows if row["arm"] == arm and row["state"] == "finished"}
        for arm in (name, plan.against)
    )
    table: Row = {"finished": len(mine), "fields": {}, "difference": {}, "speedup": {}}
    for field in FIELDS.values():
        values = [row[field.key] for row in mine.values() if row[field.key] is not None]
        found = paired.spread(values)
        table["fields"][field.key] = found and asdict(found)
        if name != plan.against:
            table["difference"][field.key] = _difference(field, mine, other)
    if name != plan.against:
        table["speedup"] = {key: _speedup(key, mine, other) for key in AXES}
    return table


def _difference(field: Field, mine: Mapping[int, Row], other: Mapping[int, Row]) -> Row | None:
    """The paired difference over the seeds that both arms have, and a verdict if there is a better and a worse."""
    both = [seed for seed in mine if seed in other]
    told = [s for s in both if mine[s][field.key] is not None and other[s][field.key] is not None]
    found = paired.difference([mine[s][field.key] for s in told], [other[s][field.key] for s in told])
    if found is None:
        return None
    word: str | None = paired.verdict(found, field.better > 0)
    if len(told) < len(both) or (not field.better and word in (paired.BETTER, paired.WORSE)):
        word = None  # the seeds on which one arm never reached its target are missing: the others say too little
    return {"n": found.n, "mean": found.mean, "low": found.low, "high": found.high, "verdict": word}


def _speedup(key: str, mine: Mapping[int, Row], other: Mapping[int, Row]) -> Row | None:
    """How many times less the arm needed than the reference, seed by seed; None if no seed was finished by both."""
    both = [seed for seed in mine if seed in other]
    if not both:
        return None
    found = paired.ratio([other[s][key] for s in both], [mine[s][key] for s in both])
    word = paired.ratio_verdict(found)
    return {"n": found.n, "of": found.of, "mean": found.mean, "low": found.low, "high": found.high, "verdict": word}
