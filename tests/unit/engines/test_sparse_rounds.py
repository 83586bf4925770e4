"""Rounds of bags of words: updates stay sparse to the server, and say what they would say in full."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from horae.algorithms import ALGORITHMS
from horae.channels import CHANNELS
from horae.engines.simulation import Pace, Simulation
from horae.federate import federate
from horae.population import Population
from horae.training import Trainer, Training
from horae.training.models.sparse import SparseLogistic
from horae.types import SparseUpdates, Updates

sys.path.insert(0, str(Path(__file__).parent))
from test_simulation import Notebook, plan, world

CLIENTS, WORDS = 4, 2000


def played(path, **changes):
    """Three rounds of two clients; the last model, and the outcomes."""
    rng = np.random.default_rng(0)
    counts = [csr_array(rng.random((8, WORDS)) < 0.003).astype(int) for _ in range(CLIENTS)]
    people = Population.from_arrays([(x, rng.integers(0, 3, 8)) for x in counts])
    module = SparseLogistic(WORDS + 1).build(people.shape, people.classes)
    trainer = Trainer(module, Training(steps=2, batch=3, path=path), people.x, people.y, 0)
    here, notes, made = replace(world([1.0] * CLIENTS), population=people, trainer=trainer), Notebook(), plan(**changes)
    start = (trainer.initial_params, trainer.initial_buffers)
    end = federate(made, start, Simulation(made, here, Pace(check_in_s=0.0)), notes)
    return end.tree[()].params, notes.outcomes


def test_a_run_is_what_it_is_in_full():
    (sparse, outcomes), (full, others) = played("auto"), played("lean")
    assert all(type(outcome.updates) is SparseUpdates for outcome in outcomes)
    assert all(type(outcome.updates) is Updates for outcome in others)
    assert np.abs(full).max() > 0.01
    np.testing.assert_allclose(sparse, full, atol=1e-6)
    for one, other in zip(outcomes, others, strict=True):
        np.testing.assert_allclose(one.updates.sketch(64), other.updates.sketch(64), atol=1e-6)
        np.testing.assert_allclose(one.losses, other.losses, rtol=1e-4)
        assert one.at_s == other.at_s and one.charges == other.charges


@pytest.mark.parametrize("changes", [{"channels": (CHANNELS["int8"](),)}, {"algorithm": ALGORITHMS["scaffold"]()}])
def test_whoever_looks_into_updates_gets_them_in_full(changes):
    (sparse, outcomes), (full, _) = played("auto", **changes), played("lean", **changes)
    assert all(type(outcome.updates) is Updates for outcome in outcomes)
    np.testing.assert_allclose(sparse, full, atol=1e-3)
