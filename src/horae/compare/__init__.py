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
from horae.compare.arms import read_arms
from horae.compare.bars import Bars, cores
from horae.compare.jobs import run_jobs, trial_jobs
from horae.compare.plan import Plan, Wish
from horae.compare.processes import Job, carry_out, listens
from horae.compare.results import gather
from horae.compare.trials import decide, decided, why_none
from horae.compare.vary import checked, checked_seeds, parse_seeds, parse_vary
from horae.errors import ConfigError, RunError, Stopped, require
from horae.experiment import Experiment, load
from horae.files import check_writable, claimed, is_free
from horae.pids import recorded
from horae.report.comparison import write_results

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
    arms: str | Path | Sequence[Mapping[str, Any]] | None = None,
    seeds: Sequence[int] = (),
    changes: Mapping[str, Any] | None = None,
    against: str | None = None,
    target: float | None = None,
    tune: Mapping[str, Sequence[Any]] | None = None,
    tune_seeds: Sequence[int] = (),
    tune_budget: int | None = None,
    jobs: int | None = None,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    data_root: str | Path | None = None,
    console: Console | None = None,
) -> Comparison:
    """Run every arm on every seed and compare them; `resume` goes on in a directory where that was stopped.

    source, changes, data_root: as for `horae.run`. vary: {"clustering": ["single", "auxo"]}. arms: a file of named
    arms, or [{"name": "mine", "set": {"clustering.gamma": 0.5}}]; each meets every choice of `vary`. against: the arm
    that the others are compared with, else the first one. target: the accuracy whose reaching is timed, else the best
    that every seed of `against` reaches. tune, tune_seeds, tune_budget: the settings
    that every arm tries first, on which seeds, and how many at most. jobs: processes at a time, else one for each
    core. out: default comparisons/<name>-<time>. console: where to draw progress, if anywhere.

    A run that fails is among the results. Errors: ConfigError and DataError before anything is started, RunError for a
    directory that cannot be used, Stopped after Ctrl-C or `horae stop`.
    """
    require(jobs is None or jobs >= 1, "--jobs", "be >= 1", jobs)
    root = None if data_root is None else Path(data_root).absolute()
    named, varied, settings = read_arms(arms), checked(vary or {}), changes or {}
    wish = Wish(against, root, target, checked(tune or {}, "--tune"), tune_seeds, tune_budget)
    if resume is None:
        plan = plans.make(source, settings, varied, checked_seeds(seeds), named, wish)
        plans.check(plan)
        directory = _fresh(plan, out)
    else:
        directory = Path(resume)
        if out is not None and Path(out) != directory:
            raise ConfigError(f"--out and --resume name two places, {out} and {directory}; leave --out away")
        plan = plans.read(directory)
        plans.check_target(target)
        if source is not None or settings or varied or seeds or named or wish.tunes:
            plans.same(plan, source, settings, varied, list(seeds), named, wish)
        plan = plan.told(against, root, target)
    with claimed(directory), recorded(directory, gentle=listens()):
        if resume is None and not is_free(directory):  # somebody was quicker
            raise RunError(f"{directory} is not empty; choose another --out")
        return _compare(plan, directory, jobs or cores(), console or Console(stderr=True, quiet=True))


def _compare(plan: Plan, directory: Path, at_once: int, console: Console) -> Comparison:
    """What is left to do, then the results."""
    plans.write(plan, directory)
    stage = _Stage(plan, directory, at_once, console)
    known = decided(directory, plan)
    tuned, chosen, tried = known, {}, 0
    if plan.tuning:
        trials = trial_jobs(plan, directory)
        open_ = [job for (arm, _, _), job in trials.items() if arm not in known]
        failed = stage.run(open_, "trials", len(trials) - len(open_), len(plan.arms) * len(plan.seeds))
        tuned = decide(plan, trials, failed, known, directory)
        chosen, tried = {name: table["chosen"] for name, table in tuned.items()}, len(trials)
    runs = run_jobs(plan, directory, chosen)
    barred = {job: why_none(tuned[arm]) for (arm, _), job in runs.items() if arm in tuned and chosen[arm] is None}
    failed = stage.run([job for job in runs.values() if job not in barred], "runs", tried, len(barred))
    results = gather(plan, runs, {**failed, **barred}, directory, tuned)
    write_results(directory, results)
    return Comparison(results, directory)


@dataclass(frozen=True)
class _Stage:
    """Carries out jobs, some at a time."""

    plan: Plan
    directory: Path
    at_once: int
    console: Console

    def run(self, jobs: Sequence[Job], what: str, before: int, after: int) -> dict[Job, str]:
        """The reasons of jobs that failed. before, after: runs that are done, and that are not begun in this stage.

        Errors: Stopped.
        """
        todo = [job for job in jobs if not job.finished]
        budgets = {job: load(job.experiment).budget for job in todo}
        root = None if self.plan.data_root is None else Path(self.plan.data_root)
        with Bars(self.console, budgets, len(jobs) - len(todo), quiet=self.console.quiet, what=what) as bars:
            failed, stopped = carry_out(todo, self.at_once, lambda job: job.command(root), bars)
        if stopped:
            done, all_ = before + sum(job.finished for job in jobs), before + len(jobs) + after
            again = f"go on with: horae compare --resume {shlex.quote(str(self.directory))}"
            raise Stopped(f"stopped with {done} of {all_} runs finished; {again}")
        return failed


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
