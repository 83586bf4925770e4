"""Small whole runs with alignment: thirty clients of 48 training samples, five of them in a round."""

import dataclasses
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.alignment_people import Known, truth
from horae.alignment import Halor
from horae.engines import Simulation
from horae.experiment import load
from horae.federate import federate

SMALL = {
    "name": "small", "participants": 5, "overcommit": 1.0, "baseline": "none", "clustering": {"name": "single"},
    "budget": {"participations": 30}, "model": {"name": "mlp", "hidden": [16]}, "devices": {"name": "equal"},
    "population": {"name": "digits-dirichlet", "clients": 30, "images_per_client": 60, "alpha": 1.0},
    "availability": {"name": "always"}, "alignment": {
        "name": "halor", "window_clients": 30, "window_rounds": 2, "every": 2, "group": 10,
    },
}  # fmt: skip


class Notebook:
    def __init__(self):
        self.outcomes = []

    def round(self, outcome, *_):
        self.outcomes.append(dataclasses.replace(outcome, updates=outcome.updates.rows.copy()))


def go(changes=None, alignment=None, people=None, world=None):
    """A small run: its outcomes, with copied updates, the last model, and the ledger."""
    experiment = load(SMALL, changes)
    world, plan, notes = world or experiment.world(people=people), experiment.plan(), Notebook()
    plan = plan if alignment is None else dataclasses.replace(plan, alignment=alignment)
    start = (world.trainer.initial_params, world.trainer.initial_buffers)
    end = federate(plan, start, Simulation(plan, world, experiment.engine), notes)
    return notes.outcomes, end.tree.leaves()[0].params, end.ledger


def known(people, **fields):
    """Aligned from the first round on."""
    return Known(Halor(**fields), tuple(truth(people)))
