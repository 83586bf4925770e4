"""The server optimisers beside Flower's, given the same updates.

The numbers were made by `flower_servers.py` in this folder, with flwr 1.41.0.
"""

import numpy as np
import pytest

from horae.algorithms import FedAdam, FedAvgM, FedYogi
from horae.algorithms.common import Moments
from horae.types import ROOT, Outcome, Ref, Round, Updates

START, SAMPLES = np.array([0.5, -1.0, 2.0], np.float32), np.array([30, 10])
UPDATES = (  # three rounds, two clients: as in flower_servers.py
    ([0.3, -0.2, 0.0], [-0.1, 0.4, 0.8]),
    ([0.1, 0.1, -0.5], [0.2, -0.3, 0.1]),
    ([-0.4, 0.05, 0.3], [0.0, 0.6, -0.9]),
)

FLOWER = {
    "fedavgm": ([0.64, -1.035, 2.14], [0.8535, -1.0665, 2.021], [0.83565, -0.9636, 1.9139]),
    "fedadam": (
        [0.5707104560384255, -1.0618716490336222, 2.0707104560384257],
        [0.6498785155355649, -1.1097672266171732, 2.044509409666981],
        [0.6461078828485485, -1.0681582518220059, 2.0230008065719294],
    ),
    "fedyogi": (
        [0.5952380952380952, -1.0833333333333333, 2.0952380952380953],
        [0.7192977190686789, -1.1583333333333332, 2.0540871156441685],
        [0.7127861126982429, -1.0862929379147868, 2.0170512340096343],
    ),
}


def steps(algorithm_of, state):
    """The model after each of three rounds. algorithm_of: by round, as a learning rate of Flower's may change."""
    model, models = START, []
    ids, nothing = np.arange(2), np.full(2, np.nan)
    for number, rows in enumerate(UPDATES):
        algorithm, updates = algorithm_of(number), Updates(np.array(rows, np.float32))
        round_ = Round(ROOT, number, Ref("m", 0), ids, 2, 1e9, nothing, np.zeros(2, bool))
        outcome = Outcome(
            round_, 0.0, 1.0, ids, updates, np.zeros(0, np.float32), SAMPLES, np.ones(2), np.ones(2), nothing,
            round_.exploring,
        )  # fmt: skip
        weights = algorithm.weigh(outcome)
        model, state = algorithm.step(state, model, updates.combine(weights / weights.sum()), outcome)
        models.append(model)
    return models


def nothing_yet():
    """Flower's v starts at 0, the paper's and ours at τ²."""
    return Moments(np.zeros(3, np.float32), np.zeros(3, np.float32))


def test_fedavgm():
    found = steps(lambda _: FedAvgM(lr=0.7, beta=0.9), np.zeros(3, np.float32))
    np.testing.assert_allclose(found, FLOWER["fedavgm"], rtol=2e-6)


def test_fedadam_once_flower_s_bias_correction_is_in_the_learning_rate():
    def algorithm_of(number):  # rounds are counted from 1 there, and their exponent is one more
        power = number + 2
        return FedAdam(lr=0.1 * (1 - 0.99**power) ** 0.5 / (1 - 0.9**power))

    np.testing.assert_allclose(steps(algorithm_of, nothing_yet()), FLOWER["fedadam"], rtol=2e-6)


def test_fedyogi():
    np.testing.assert_allclose(steps(lambda _: FedYogi(lr=0.1), nothing_yet()), FLOWER["fedyogi"], rtol=2e-6)


@pytest.mark.parametrize("cls", [FedAdam, FedYogi])
def test_the_papers_first_second_moment_makes_the_first_step_a_little_shorter(cls):
    """v starts at τ² and not at 0: 0.99 τ² or τ² more under the root, of Δ²/100 = (0.0004, 0.000025, 0.0004)."""
    ours, theirs = (steps(lambda _: cls(lr=0.1), state)[0] - START for state in (cls().init(START), nothing_yet()))
    assert (np.abs(ours) < np.abs(theirs)).all()
    np.testing.assert_allclose(ours, theirs, rtol=0.02)
