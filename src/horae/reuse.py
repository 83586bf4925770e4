"""Cohorts that were found in one run, for another: the tree and what clients remember, but no model."""

from __future__ import annotations

from pathlib import Path

from horae.checkpoint import read_ended
from horae.engines import Simulation
from horae.engines.executor import Distributed
from horae.errors import RunError
from horae.federate import Standing, first_tree
from horae.types import Floats, Plan, State


def reusable(run: str, clients: int, participants: int) -> tuple[Standing, State]:
    """How that run ended, and what its clients remember.

    run: the directory of a finished run; clients, participants: how many there are now. Errors: RunError.
    """
    directory = Path(run)
    if not (directory / "summary.json").exists():
        raise RunError(f"clustering.from: {run} is no finished run; give the directory of one (see horae run)")
    standing, states = read_ended(directory / "checkpoints")
    remembered = states["engine"]["clients"]
    most, leaves = int(remembered[0].max(initial=-1)), len(standing.tree.paths())
    if most >= clients:
        raise RunError(
            f"clustering.from: {run} had a client {most}, here there are {clients}; raise population.clients"
        )
    if leaves > participants:
        raise RunError(f"clustering.from: {run} has {leaves} cohorts for {participants} participants; raise these")
    return standing, remembered


def begin_in(
    run: str, plan: Plan, model: tuple[Floats, Floats], engine: Simulation | Distributed, clients: int
) -> Standing:
    """Where a run begins that takes another one's cohorts: every leaf with the first model, every client with what it
    remembers.
    """
    standing, remembered = reusable(run, clients, plan.participants)
    tree = first_tree(plan, model, engine.ask)
    for path, k in sorted(standing.tree.children.items(), key=lambda item: (len(item[0]), item[0])):
        tree = tree.split(path, k, plan.clustering.init())
    engine.recall(remembered)
    return Standing(tree, alignment=plan.alignment.begin(plan.seed))
