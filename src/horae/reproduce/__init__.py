"""What papers claim, carried out again at the size of this machine, and set beside what they say."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from horae.compare import compare
from horae.compare import plan as plans
from horae.compare.bars import cores
from horae.compare.plan import Plan, Wish
from horae.errors import ConfigError, DataError, Stopped, require
from horae.reproduce.claims import Reproduction, Size
from horae.reproduce.finding import called
from horae.reproduce.judging import judge
from horae.reproduce.measures import Measured, Runs
from horae.reproduce.probing import Order, measure
from horae.reproduce.reading import read
from horae.reproduce.records import Record, record_of

__all__ = ["Carried", "check", "plan_of", "reproduce", "source_of"]

MOST = 1000  # seeds: more is a slip of the finger


@dataclass(frozen=True)
class Carried:
    """A reproduction that was carried out. failures: arm, seed and reason of runs that failed."""

    record: Record
    directory: Path
    failures: list[tuple[str, int, str]]


def reproduce(
    reproduction: Reproduction,
    *,
    size: str = "small",
    seeds: int = 3,
    jobs: int | None = None,
    out: Path | None = None,
    data_root: Path | None = None,
    console: Console | None = None,
) -> Carried:
    """Measure what is not measured yet, and judge every row.

    seeds: how many, from 0 on. out: default reproductions/<paper>-<name>-<size>-<n>seeds, where it also goes on.
    Errors: ConfigError, DataError before anything is started, RunError, Stopped.
    """
    require(jobs is None or jobs >= 1, "--jobs", "be >= 1", jobs)
    require(1 <= seeds <= MOST, "--seeds", f"be in [1, {MOST}]", seeds, "it is how many seeds")
    owner = source_of(reproduction, size)
    check(reproduction, size)
    there = owner.sizes[size]
    place = out or Path("reproductions") / f"{owner.folder}-{owner.name}-{size}-{seeds}seeds"
    quiet = console or Console(stderr=True, quiet=True)
    root = None if data_root is None else data_root.absolute()
    try:
        if there.probe is not None:
            if words := there.probe.missing(root):
                raise DataError(words)
            measured, why = measure(Order(owner, size, range(seeds), place, root), jobs or cores(), quiet)
            found: Measured = measured
            failures = [("probe", seed, reason) for seed, reason in why.items()]
        else:
            runs = _runs(there, range(seeds), place, jobs, root, quiet)
            found = runs
            failures = [(r["arm"], r["seed"], r["reason"]) for r in runs.results["runs"] if r["state"] == "failed"]
    except Stopped as why_stopped:
        again = shlex.join(["horae", "reproduce", called(reproduction), "--seeds", str(seeds)])
        raise Stopped(f"{str(why_stopped).partition(';')[0]}; go on with: {again}, and the same options") from None
    against = reproduction.sizes[size].against or there.against or found.arms[0]
    rows = [judge(one, size, against, found) for one in reproduction.checks_at(size)]
    return Carried(record_of(reproduction, owner, size, found, rows), place, failures)


def source_of(reproduction: Reproduction, size: str) -> Reproduction:
    """The reproduction whose runs are judged: this one, or the one it names. Errors: ConfigError."""
    own = reproduction.sizes[size]
    if own.none:
        raise ConfigError(f"{reproduction.title} has no size {size}: {own.words}")
    if not own.runs:
        return reproduction
    owner = read(reproduction.file.with_name(f"{own.runs}.toml"))
    once = not (owner.sizes[size].runs or owner.sizes[size].none)
    require(once, f"{reproduction.title}: {size}.runs", "name a file with runs of its own", own.runs)
    return replace(owner, folder=reproduction.folder)


def check(reproduction: Reproduction, size: str) -> None:
    """Refuse what could not be carried out, without data: every arm, and every row's arms. Errors: ConfigError."""
    owner = source_of(reproduction, size)
    there = owner.sizes[size]
    title, rows = f"{reproduction.title}, {size}", reproduction.checks_at(size)
    require(bool(rows), title, "have a [[check]] at this size", [])
    if there.probe is not None:
        return
    try:
        plan = plan_of(there, [0, 1, 2])
        for arm in plan.arms:
            for tuned in plan.trials.get(arm.name, [{}]):
                plan.experiment(arm, 0, tuned)
    except ConfigError as error:
        raise ConfigError(f"{title}: {error}") from None
    known = Runs(plan, {}, Path())
    sides = [side for one in rows for side in (one.arm[size], one.against[size])]
    own = reproduction.sizes[size].against
    pictured = reproduction.claim.arms if size == "small" else ()
    for side in (*sides, (own,) if own else None, pictured):
        for name in side if isinstance(side, tuple) else ():
            try:
                known.arm(name)
            except ConfigError as error:
                raise ConfigError(f"{title}: {error}") from None


def plan_of(there: Size, seeds: list[int], data_root: Path | None = None) -> Plan:
    """The comparison that a size describes. Errors: ConfigError."""
    wish = Wish(there.against or None, data_root, there.target, there.tune, there.tune_seeds, there.tune_budget)
    return plans.make(there.experiment, there.settings, there.vary, seeds, there.named, wish)


def _runs(there: Size, seeds: Any, place: Path, jobs: int | None, data_root: Path | None, console: Console) -> Runs:
    """Carry out the comparison, or go on with it."""
    begun = (place / plans.FILE).exists()
    where: dict[str, Any] = {"resume": place} if begun else {"out": place}
    done = compare(
        there.experiment,
        vary=there.vary,
        arms=there.arms or None,
        seeds=list(seeds),
        changes=there.settings,
        against=there.against or None,
        target=there.target,
        tune=there.tune,
        tune_seeds=there.tune_seeds,
        tune_budget=there.tune_budget,
        jobs=jobs,
        data_root=data_root,
        console=console,
        **where,
    )
    return Runs(plans.read(place), done.results, place)
