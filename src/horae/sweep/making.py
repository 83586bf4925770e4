"""From a sweep's file to its runs: every entry with every choice of `[vary]`, on every one of its seeds."""

from __future__ import annotations

import copy
import secrets
import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from horae.checks import check_name
from horae.compare.arms import Named, arms_of
from horae.compare.bars import cores
from horae.compare.vary import MOST
from horae.errors import ConfigError, DataError, require
from horae.experiment import Experiment, load
from horae.files import write_whole
from horae.settings import differences, dumps
from horae.sweep.file import Entry, File, Where
from horae.sweep.plan import Plan, Run
from horae.sweep.slots import Slot
from horae.sweep.variables import expanded, variables

Texts = dict[Run, str]  # each run's experiment as TOML, `${VAR}` as it was written


def make(file: File, jobs: int | None) -> tuple[Plan, Texts]:
    """The plan and the experiments. jobs: as many slots on this machine's processor. Errors: ConfigError."""
    check_name(file.name)
    arms = arms_of(file.vary, [Named(entry.name, entry.changes, {}) for entry in file.entries])
    each = len(arms) // len(file.entries)
    count = sum(each * len(entry.seeds) for entry in file.entries)
    require(count <= MOST, "run", f"make {MOST:,} runs at most", count, "leave some of [vary] or seeds out")
    texts: Texts = {}
    for i, arm in enumerate(arms):
        entry = file.entries[i // each]
        for seed in entry.seeds:
            texts[Run(arm.name, arm.directory, seed)] = _text(file, entry, arm.changes, seed, arm.name)
    stamp = f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    where = replace(file.where, data_root=_beside(file, file.where.data_root))
    return Plan(file.name, f"{file.name}-{stamp}", list(texts), settled(where, jobs)), texts


def settled(where: Where, jobs: int | None) -> Where:
    """The same with slots, if none were named."""
    require(jobs is None or 1 <= jobs <= 1024, "--jobs", "be between 1 and 1024", jobs)
    return replace(where, slots=["cpu"] * (jobs or cores())) if jobs or not where.slots else where


def check(plan: Plan, texts: Texts) -> None:
    """Refuse what cannot be carried out, as far as can be told from here. Errors: ConfigError, DataError."""
    plan.environment()
    for name in {slot.host for slot in plan.slots} - {""}:
        plan.host(name)
        known = shutil.which("ssh") is not None
        require(known, "slots", "be on this machine where there is no ssh", name, "install OpenSSH's client")
    _check_gpus([slot for slot in plan.slots if slot.device == "cuda" and not slot.host])
    here = all(not slot.host for slot in plan.slots)  # elsewhere data lie elsewhere
    for run, text in texts.items():
        experiment = experiment_of(text, run)
        people, participants = experiment.parts["population"], experiment.participants
        if here and hasattr(people, "missing") and (words := people.missing(plan.data_root)):
            raise DataError(f"run {run.arm}: {words}")
        most = getattr(people, "clients", 0) or participants  # 0 is as many as there are
        remedy = "lower participants or raise population.clients"
        require(participants <= most, f"run {run.arm}: participants", f"be <= {most} clients", participants, remedy)


def experiment_of(text: str, run: Run) -> Experiment:
    """What a run is to carry out, with the variables' values. Errors: ConfigError."""
    return load(expanded(tomllib.loads(text), f"run {run.arm}"))


def write(plan: Plan, texts: Texts, directory: Path) -> None:
    """Leave sweep.json and the experiments. Errors: RunError."""
    plan.write(directory)
    for run, text in texts.items():
        place = run.files(directory)[0]
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, text)


def same(plan: Plan, texts: Texts, wanted: Plan, theirs: Texts) -> None:
    """Refuse to go on with other runs than those begun. Errors: ConfigError for the first difference."""
    mine, others = [run.id for run in plan.runs], [run.id for run in wanted.runs]
    require(mine == others, "run", f"be the {len(mine)} runs this sweep began with", others, "start anew by --out")
    for run in plan.runs:
        for key, was, now in differences(tomllib.loads(texts[run]), tomllib.loads(theirs[run])):
            what = f"run {run.arm}: {key} should be {was!r} as when this sweep began, got {now!r}"
            raise ConfigError(f"{what}; start anew by --out")


def _text(file: File, entry: Entry, changes: Mapping[str, Any], seed: int, arm: str) -> str:
    """One run's experiment. Errors: ConfigError that names the run."""
    source = file.folder / expanded(entry.experiment, f"run {arm}: experiment") if entry.experiment else None
    more = {"training.threads": file.threads} if file.threads else {}
    put = {key: expanded(value, f"run {arm}: {key}") for key, value in changes.items()}
    try:
        table = load(source, {**put, **more, "seed": seed}).table()
    except ConfigError as error:
        raise ConfigError(f"run {arm}: {error}") from None
    for key, value in changes.items():
        if variables(value):
            table = _as_written(table, key, value)
    return dumps(table)


def _beside(file: File, place: str) -> str:
    """A place that is named from the file's folder on."""
    return str((file.folder / place).absolute()) if place and not place.startswith(("/", "${")) else place


def _as_written(table: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """The table with what was said in the file in the place of its value."""
    table = copy.deepcopy(table)
    *path, last = key.split(".")
    inner = table
    for part in path:
        inner = inner[part]
    inner[last] = value
    return table


def _check_gpus(slots: list[Slot]) -> None:
    """Refuse GPUs that torch does not see. Errors: ConfigError."""
    if not slots:
        return
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for slot in slots:
        require(int(slot.number or 0) < count, "slots", f"be on the {count} GPUs that torch sees here", slot.name)
