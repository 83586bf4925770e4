"""From the run directories of a comparison to one table: spread by arm, paired differences, and what to know."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from horae.compare.notes import notes
from horae.compare.plan import Plan
from horae.compare.processes import Job
from horae.pure import paired
from horae.report.comparison.fields import FIELDS, Field

Row = dict[str, Any]
BESIDE = ("accuracy_seen", "clients_seen", "rounds", "updates_refused", "run_wall_s", "horae_version")  # not compared


def gather(plan: Plan, jobs: Mapping[tuple[str, int], Job], failed: Mapping[Job, str], root: Path) -> Row:
    """What results.json holds. failed: the reasons of runs that failed in this session."""
    rows = [_run(plan, arm.name, seed, jobs[arm.name, seed], failed, root) for arm in plan.arms for seed in plan.seeds]
    return {
        "name": plan.name,
        "horae": plan.horae,
        "vary": plan.vary,
        "seeds": plan.seeds,
        "against": plan.against,
        "arms": [
            {"name": arm.name, "directory": arm.directory, "changes": arm.changes, **_arm(arm.name, plan.against, rows)}
            for arm in plan.arms
        ],
        "runs": rows,
        "command": plan.command(),
        "notes": notes(plan, rows, {(name, seed): job.directory for (name, seed), job in jobs.items()}),
    }


def _run(plan: Plan, arm: str, seed: int, job: Job, failed: Mapping[Job, str], root: Path) -> Row:
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


def _arm(name: str, against: str, rows: list[Row]) -> Row:
    """An arm's spreads, and its differences to the reference."""
    mine = {row["seed"]: row for row in rows if row["arm"] == name and row["state"] == "finished"}
    other = {row["seed"]: row for row in rows if row["arm"] == against and row["state"] == "finished"}
    table: Row = {"finished": len(mine), "fields": {}, "difference": {}}
    for field in FIELDS.values():
        values = [row[field.key] for row in mine.values() if row[field.key] is not None]
        found = paired.spread(values)
        table["fields"][field.key] = found and asdict(found)
        if name != against:
            table["difference"][field.key] = _difference(field, mine, other)
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
