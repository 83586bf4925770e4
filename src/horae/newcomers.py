"""Clients that come after training: how many cohorts must each try before it finds its own?

A trial is one download of a cohort's model and one look at how well it fits the client's own samples. Four ways to go
on are compared on the same clients, from the same first cohort (drawn at random):

random      the others in random order
binary      Auxo's search: a bad fit foretells ΔR / (d + 1) for the others, and the best prediction is next (4.3)
update      the client also trains, and goes to the cohort whose model its update points to (decision 0007)
exhaustive  all cohorts; the best one

The first three stop where the client fits in: its loss is at most mean + sd of the members' (ΔR >= 0).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from horae.checkpoint import read_ended
from horae.engines.simulation import World
from horae.errors import ConfigError, RunError, require
from horae.experiment import load
from horae.pure.affinity import predicted
from horae.pure.streams import stream
from horae.report.recorder import read
from horae.training import Work
from horae.types import CohortTree, Doubles, Ints

WAYS = ("random", "binary", "update", "exhaustive")
MEMBERS = 1000  # whose losses say what is usual


@dataclass(frozen=True)
class Newcomers:
    """What there is to know about some new clients and a run's cohorts.

    loss, test `(clients, leaves)`: mean loss on the client's own training samples, accuracy on its test samples.
    reward `(clients, leaves)`: ΔR = 1 - loss / (mean + sd of the leaf's members). towards `(clients, leaves, leaves)`:
    the cosine of the client's update, trained at one leaf, with the way to another. group: planted, or UNKNOWN.
    """

    tree: CohortTree
    loss: Doubles
    test: Doubles
    reward: Doubles
    towards: Doubles
    group: Ints


def newcomers_of(run: str | Path, clients: int, data_root: Path | None = None) -> Newcomers:
    """New clients of the population that a finished run was about. Errors: RunError, ConfigError."""
    directory = Path(run)
    require(1 <= clients <= 100_000, "clients", "be in [1, 100000]", clients)
    if not (directory / "summary.json").exists():
        raise RunError(f"{run} is no finished run; give the directory of one (see horae run)")
    experiment = load(directory / "experiment.toml")
    tree = read_ended(directory / "checkpoints")[0].tree
    recipe = experiment.parts["population"]
    names = {field.name for field in dataclasses.fields(recipe)}
    if "clients" not in names:
        raise ConfigError(f"the population of {run} cannot be made larger, and so there are no new clients")
    old = experiment.world(data_root)
    more = {"clients": old.population.clients + clients} | ({"group_sizes": ()} if "group_sizes" in names else {})
    people = dataclasses.replace(recipe, **more).build(experiment.seed, data_root)
    world = dataclasses.replace(old, population=people)
    ids = np.arange(old.population.clients, people.clients)
    if people.x.shape != old.population.x.shape or people.x.tobytes() != old.population.x.tobytes():
        raise ConfigError(f"a larger population than that of {run} has other samples; there are no new clients")
    usual = _usual(old, tree, read(directory / "events.jsonl"))
    loss, test = _fits(world, tree, ids)
    return Newcomers(tree, loss, test, 1 - loss / usual, _towards(world, tree, ids), people.groups[ids])


def search(found: Newcomers, way: str, seed: int) -> tuple[Ints, Ints]:
    """The leaf that each client ends in, and how many it tried: `(clients,)` each."""
    n, leaves = found.loss.shape
    ends, trials = np.empty(n, np.int64), np.empty(n, np.int64)
    for i in range(n):
        order = stream(seed, "newcomer", i).permutation(leaves)
        if way == "exhaustive":
            ends[i], trials[i] = found.loss[i].argmin(), leaves
            continue
        tried = _tried(found, way, i, order)
        fits = found.reward[i, tried[-1]] >= 0
        ends[i] = tried[-1] if fits else min(tried, key=lambda leaf: found.loss[i, leaf])
        trials[i] = len(tried)
    return ends, trials


def report(found: Newcomers, seed: int = 0) -> list[dict[str, Any]]:
    """By way: mean and largest number of trials, accuracy, and the share that ended in the best cohort."""
    rows, every = [], np.arange(len(found.loss))
    for way in WAYS:
        ends, trials = search(found, way, seed)
        rows.append(
            {
                "way": way,
                "cohorts": found.loss.shape[1],
                "clients": len(every),
                "trials": float(trials.mean()),
                "trials_most": int(trials.max()),
                "accuracy": float(np.nanmean(found.test[every, ends])),
                "in_the_best": float((ends == found.loss.argmin(axis=1)).mean()),
            }
        )
    return rows


def _tried(found: Newcomers, way: str, i: int, order: Ints) -> list[int]:
    """The leaves that client i tries, one after the other, until it fits in or has tried all."""
    paths = found.tree.paths()
    here, tried, outlook = int(order[0]), [], np.zeros(len(paths))
    while True:
        tried.append(here)
        left = [int(leaf) for leaf in order if leaf not in tried]
        if found.reward[i, here] >= 0 or not left:
            return tried
        if way == "binary":
            delta = found.reward[i, here : here + 1]
            outlook += [float(predicted(delta, paths[here], there)[0]) for there in paths]
        elif way == "update":
            outlook = found.towards[i, here]
        here = left[0] if way == "random" else max(left, key=lambda leaf: outlook[leaf])


def _usual(world: World, tree: CohortTree, events: list[dict[str, Any]]) -> Doubles:
    """mean + sd of the members' losses at each leaf, `(leaves,)`; of everybody's where a leaf has none."""
    last = next(event for event in reversed(events) if event["event"] == "clients")
    ids, home = np.array(last["ids"])[:MEMBERS], np.array(last["home"])[:MEMBERS]
    loss, _ = _fits(world, tree, ids)
    usual = np.empty(loss.shape[1])
    for leaf in range(usual.size):
        own = loss[home == leaf, leaf]
        own = own if own.size else loss.min(axis=1)
        usual[leaf] = own.mean() + own.std()
    return usual


def _fits(world: World, tree: CohortTree, ids: Ints) -> tuple[Doubles, Doubles]:
    """Losses on training samples and accuracies on test samples, at every leaf: `(clients, leaves)` each."""
    losses, accuracies = [], []
    for cohort in tree.leaves():
        models = (cohort.params, cohort.buffers)
        losses.append(world.trainer.evaluate(*models, world.population.train.rows(ids))[2])
        right, tested, _ = world.trainer.evaluate(*models, world.population.test.rows(ids))
        accuracies.append(np.where(tested > 0, right / np.maximum(tested, 1), np.nan))
    return np.stack(losses, 1), np.stack(accuracies, 1)


def _towards(world: World, tree: CohortTree, ids: Ints) -> Doubles:
    """Cosines of updates with ways between models, `(clients, leaves, leaves)`."""
    leaves, rows = tree.leaves(), world.population.train.rows(ids)
    cosines = np.zeros((len(ids), len(leaves), len(leaves)))
    for i, cohort in enumerate(leaves):
        updates = world.trainer.train(Work(cohort.params, cohort.buffers, ids, rows, cohort.round)).updates
        lengths = np.maximum(np.linalg.norm(updates, axis=1), 1e-30)
        for j, other in enumerate(leaves):
            way = other.params - cohort.params
            cosines[:, i, j] = updates @ way / lengths / max(float(np.linalg.norm(way)), 1e-30)
    return cosines
