"""Flower's nodes as an engine of horae's loop."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from horae.engines.executor import Distributed
from horae.engines.mailbox import Letter
from horae.engines.messages import Recipe
from horae.engines.routes import Routes
from horae.engines.world import World
from horae.errors import RunError
from horae.experiment import Experiment
from horae.flower.affinity import parse
from horae.flower.affinity_bytes import message_bytes
from horae.flower.engine.checking import Checker
from horae.flower.engine.nodes import Nodes
from horae.flower.engine.post import GridPost
from horae.population import Roster, roster
from horae.types import Ints, Plan, Records


def recipe_of(experiment: Experiment, run: str, total: int = 0, classes: int = 0) -> Recipe:
    """What nodes make their worlds of. total, classes: of the whole federation, 0 before it is known."""
    table = {"experiment": experiment.untold().table(), "total": total, "classes": classes, "run": run}
    return Recipe("horae.flower", json.dumps(table))


class Keeper:
    """Letters and records as bytes."""

    def letters(self, client: int, waiting: tuple[Letter, ...]) -> bytes:
        """What goes with this client's next task."""
        return message_bytes([(letter.serial, letter.message) for letter in waiting]) if waiting else b""

    def record(self, data: bytes, client: int) -> Records:
        """What came with its reply. Errors: RunError."""
        records, _ = parse(data, f"client {client}")
        if records.clients[0] != client:
            raise RunError(f"client {client} sent the affinity record of client {records.clients[0]}; it is not used")
        return records


class Online(Distributed):
    """The engine whose clients are Flower's nodes: only those that are online can be invited."""

    nodes: Nodes

    def _idle(self, seen: Ints) -> Ints:
        return super()._idle(self.nodes.idle(seen))


class Field:
    """The nodes of one run. people: what they said of themselves."""

    def __init__(self, grid: Any, experiment: Experiment, out: Path) -> None:
        """Waits for the nodes. Errors: RunError where too few come."""
        site = experiment.site
        self._grid = grid
        self._run = f"{experiment.name}-{hashlib.blake2b(str(out.resolve()).encode()).hexdigest()[:12]}"
        want = site.nodes or max(experiment.participants, experiment.participants_later)
        self._nodes = Nodes(grid, recipe_of(experiment, self._run))
        self.people: Roster = roster(self._nodes.meet(want, site.timeout_s))

    def engine(self, experiment: Experiment, plan: Plan, world: World) -> Distributed:
        """An engine over these nodes."""
        people = self.people
        recipe = recipe_of(experiment, self._run, people.clients, people.classes)
        routes = Routes((recipe,) * people.clients, np.arange(people.clients))
        sizes = world.trainer.n_params, world.trainer.initial_buffers.size
        post = GridPost(
            self._grid, self._nodes, Checker(plan, *sizes, people.train.sizes_of), experiment.site.timeout_s
        )
        engine = Online(plan, world, experiment.site, routes, experiment.engine, post=post, keeper=Keeper())
        engine.nodes = self._nodes
        return engine
