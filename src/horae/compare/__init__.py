"""Arms against one another: every choice of the varied fields, on every seed, each in a process of its own."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from horae.compare import plan as plans
from horae.compare.bars import Bars, cores
from horae.compare.plan import Plan
from horae.compare.processes import Job, carry_out
from horae.compare.results import gather
from horae.compare.vary import checked, checked_seeds, parse_seeds, parse_vary
from horae.errors import ConfigError, RunError, Stopped, require
from horae.experiment import Experiment, load
from horae.files import check_writable, claimed, is_free, write_whole
from horae.report.comparison import write_results
from horae.settings import dumps

__all__ = ["Comparison", "compare", "parse_seeds", "parse_vary"]


@dataclass(frozen=True)
class Comparison:
    """A comparison that has ended. results: what results.json holds. directory: where everything lies."""

    results: dict[str, Any]
    directory: Path

    @property
    def failures(self) -> list[dict[str, Any]]:
        """The runs that did not end, with arm, seed and reason."""
        return [run for run in self.results["runs"] if run["state"] == "failed"]


def compare(
    source: str | Path | Mapping[str, Any] | Experiment | None = None,
    *,
    vary: Mapping[str, Sequence[Any]] | None = None,
    seeds: Sequence[int] = (),
    changes: Mapping[str, Any] | None = None,
    against: str | None = None,
    jobs: int | None = None,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    data_root: str | Path | None = None,
    console: Console | None = None,
) -> Comparison:
    """Run every arm on every seed and compare them; `resume` goes on in a directory where that was stopped.

    source, changes, data_root: as for `horae.run`. vary: {"clustering": ["single", "auxo"]}. against: the arm that the
    others are compared with, the first one if it is not said. jobs: processes at a time, as many as there are cores if
    it is not said. out: default comparisons/<name>-<time>. console: where to draw progress, if anywhere.

    A run that fails is among the results. Errors: ConfigError and DataError before anything is started, RunError for a
    directory that cannot be used, Stopped after Ctrl-C.
    """
    require(jobs is None or jobs >= 1, "--jobs", "be >= 1", jobs)
    root = None if data_root is None else Path(data_root).absolute()
    if resume is None:
        plan = plans.make(source, changes or {}, checked(vary or {}), checked_seeds(seeds), against, root)
        plans.check(plan)
        directory = _fresh(plan, out)
    else:
        directory = Path(resume)
        if out is not None and Path(out) != directory:
            raise ConfigError(f"--out and --resume name two places, {out} and {directory}; leave --out away")
        plan = _begun(directory, source, changes or {}, vary or {}, list(seeds)).told(against, root)
    with claimed(directory):
        if resume is None and not is_free(directory):  # somebody was quicker
            raise RunError(f"{directory} is not empty; choose another --out")
        return _compare(plan, directory, jobs or cores(), console or Console(stderr=True, quiet=True))


def _compare(plan: Plan, directory: Path, at_once: int, console: Console) -> Comparison:
    """What is left to do, then the results."""
    plans.write(plan, directory)
    jobs = _jobs(plan, directory)
    todo = [job for job in jobs.values() if not job.finished]
    budgets = {job: load(job.experiment).budget for job in todo}
    root = None if plan.data_root is None else Path(plan.data_root)
    with Bars(console, budgets, len(jobs) - len(todo), quiet=console.quiet) as bars:
        failed, stopped = carry_out(todo, at_once, lambda job: job.command(root), bars)
    if stopped:
        done = sum(job.finished for job in jobs.values())
        again = f"go on with: horae compare --resume {shlex.quote(str(directory))}"
        raise Stopped(f"stopped with {done} of {len(jobs)} runs finished; {again}")
    results = gather(plan, jobs, failed, directory)
    write_results(directory, results)
    return Comparison(results, directory)


def _jobs(plan: Plan, directory: Path) -> dict[tuple[str, int], Job]:
    """Every arm and seed, those of one seed together, with the experiment written where it is not yet."""
    jobs = {}
    for seed in plan.seeds:
        for arm in plan.arms:
            file = directory / "experiments" / arm.directory / f"seed-{seed}.toml"
            place = directory / "runs" / arm.directory / f"seed-{seed}"
            log = directory / "logs" / f"{arm.directory}-seed-{seed}.txt"
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                write_whole(file, dumps(plan.experiment(arm, seed).table()))
            jobs[arm.name, seed] = Job(arm.name, seed, file, place, log)
    if not (directory / "base.toml").exists():
        write_whole(directory / "base.toml", dumps(plan.base))
    return jobs


def _fresh(plan: Plan, out: str | Path | None) -> Path:
    """Where a new comparison will lie; nothing is made yet. Errors: RunError if it holds something."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    usual = Path("comparisons") / f"{plan.name}-{stamp}"
    names = (usual.with_name(usual.name + (f"-{n}" if n > 1 else "")) for n in range(1, 1000))
    directory = Path(out) if out is not None else next(name for name in names if not name.exists())
    check_writable(directory)
    if not is_free(directory):
        begun = (directory / plans.FILE).exists()
        remedy = f"go on with: horae compare --resume {directory}" if begun else "choose another --out"
        raise RunError(f"{directory} is not empty; {remedy}")
    return directory


def _begun(
    directory: Path,
    source: Any,
    changes: Mapping[str, Any],
    vary: Mapping[str, Sequence[Any]],
    seeds: list[int],
) -> Plan:
    """The plan of a directory, which must be what is asked for, as far as anything is."""
    plan = plans.read(directory)
    if source is not None or changes or vary or seeds:
        plans.same(plan, source, changes, checked(vary) if vary else {}, seeds)
    return plan
