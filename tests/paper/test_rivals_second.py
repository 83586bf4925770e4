"""FlexCFL, StoCFL, FedGWC, FedClust and Fielding under their papers' conditions: everybody there, K or τ that fit.

Measured with these settings, `pytest tests/paper/test_rivals_second.py`: see docs/rivals.md.
"""

import numpy as np
import pytest
from sklearn.datasets import load_digits

import horae
from horae.pure.streams import stream

ALWAYS = {"baseline": "none", "availability.name": "always", "overcommit": 1.0}


@pytest.fixture(autouse=True, scope="module")
def no_reports():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("horae.report.html.write_report", lambda directory: None)
        yield


def digits(seed, groups, what):
    """Eighty clients of 24 digits each. groups `(clients,)`; what(rows' labels, group, rng) gives the labels held, or
    UNKNOWN for a digit that this group does not have."""
    x, y = load_digits(return_X_y=True)
    x, rng, people = (x / 16).reshape(-1, 8, 8).astype(np.float32), stream(seed, "people"), []
    for group in groups:
        held = what(y, group, rng)
        rows = rng.choice(np.flatnonzero(held >= 0), 24, replace=False)
        people.append((x[rows], held[rows]))
    return horae.Population.from_arrays(people, groups=groups, seed=seed, name="made up")


def noisy(y, group, rng):
    """Group 1 has nine of ten labels at random."""
    wrong = (rng.random(y.size) < 0.9) & (group == 1)
    return np.where(wrong, rng.integers(10, size=y.size), y)


def parity(y, group, rng):
    """Group 0 holds even digits, group 1 odd ones."""
    return np.where(y % 2 == group, y, -1)


def run(out, population=None, **changes):
    given = {} if population is None else {"population": population}
    named = {name.replace("__", "."): value for name, value in changes.items()}
    return horae.run("demo", changes=ALWAYS | named, out=out, **given).summary


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", ["flexcfl", "stocfl", "fedclust"])
def test_rotations_are_found_where_everybody_is_there(tmp_path, name, seed):
    """All of them reached 1.00 for each seed, with K = 4 or four clusters by τ or λ."""
    summary = run(tmp_path / "run", clustering__name=name, seed=seed, participants=60, budget__participations=1800)
    assert summary["cohorts"] == 4
    assert summary["adjusted_rand_index"] >= 0.95
    assert summary["accuracy"] >= 0.85


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_a_larger_batch_does_not_harm(tmp_path, seed):
    """Half of the clients per round, as in StoCFL's and FedClust's experiments."""
    for name in ("stocfl", "fedclust"):
        out = tmp_path / name
        summary = run(out, clustering__name=name, seed=seed, participants=100, budget__participations=1000)
        assert summary["adjusted_rand_index"] >= 0.95


@pytest.mark.slow
def test_fedgwc_finds_a_minority_of_clients_with_noise(tmp_path):
    """One client in five: 0.94. It does not find rotations, which do not tell in one mean loss: 0.00 there."""
    people = digits(0, (np.arange(80) % 5 == 0).astype(np.int64), noisy)
    settings = {"clustering__name": "fedgwc", "participants": 20, "budget__participations": 4000}
    assert run(tmp_path / "noise", people, **settings)["adjusted_rand_index"] >= 0.8
    assert abs(run(tmp_path / "rotated", **settings)["adjusted_rand_index"]) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_fielding_finds_groups_of_labels_and_no_rotations(tmp_path, seed):
    people = digits(seed, np.arange(80) % 2, parity)
    settings = {"clustering__name": "fielding", "participants": 30, "budget__participations": 900, "seed": seed}
    found = run(tmp_path / "labels", people, **settings)
    assert (found["cohorts"], found["adjusted_rand_index"]) == (2, 1.0)
    blind = run(tmp_path / "rotated", **settings)
    assert (blind["cohorts"], blind["adjusted_rand_index"]) == (1, 0.0)
