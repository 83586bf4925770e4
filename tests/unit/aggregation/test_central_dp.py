"""Clipping and noise at the server, what they are worth, and what does not go with them."""

import numpy as np
import pytest

import horae
from horae.aggregation import CentralDP
from horae.checks import check_visits
from horae.errors import ConfigError
from horae.experiment import load
from horae.federate import Budget
from horae.pure.accountant import epsilon_of
from horae.types import Updates


def combined(rule, rows, weights, seed=0):
    return rule.combine(Updates(np.asarray(rows, np.float32)), np.asarray(weights, float), np.random.default_rng(seed))


def test_clipping_by_hand():
    """Lengths 5 and 0.5 with C = 1: (3, 4)/5 and (0, 0.5). The mean is (0.3, 0.65), whatever the weights."""
    rows, rule = [[3, 4], [0, 0.5]], CentralDP(clip=1.0, noise=0.0)
    np.testing.assert_allclose(combined(rule, rows, [0.5, 0.5]), [0.3, 0.65], rtol=1e-6)
    np.testing.assert_allclose(combined(rule, rows, [0.9, 0.1]), [0.3, 0.65], rtol=1e-6)
    np.testing.assert_allclose(combined(rule, rows, [1.0, 0.0]), [0.3, 0.4], rtol=1e-6)  # q is still 2
    np.testing.assert_allclose(combined(rule, [[0, 0], [0, 0]], [0.5, 0.5]), [0, 0])


def test_nobody_moves_the_mean_by_more_than_c_over_q():
    rng = np.random.default_rng(0)
    rows, rule = rng.normal(size=(7, 20)), CentralDP(clip=0.5, noise=0.0)
    before = combined(rule, rows, np.full(7, 1 / 7))
    for change in (1e9, -1e9, 0.0):
        other = rows.copy()
        other[3] *= change
        assert np.linalg.norm(combined(rule, other, np.full(7, 1 / 7)) - before) <= 2 * 0.5 / 7 * (1 + 1e-5)


def test_the_noise_has_standard_deviation_sigma_c_over_q():
    """σ C / q = 2 · 0.5 / 4 = 0.25; over 40,000 coordinates the estimate is within 1 %, four of its own deviations."""
    rule, rows = CentralDP(clip=0.5, noise=2.0), np.zeros((4, 40_000))
    noise = combined(rule, rows, np.full(4, 0.25))
    assert noise.std() == pytest.approx(0.25, rel=0.015)
    assert abs(noise.mean()) < 0.25 / 40_000**0.5 * 4
    np.testing.assert_array_equal(noise, combined(rule, rows, np.full(4, 0.25)))
    assert (noise != combined(rule, rows, np.full(4, 0.25), seed=1)).any()


def test_what_is_spent_is_the_accountant_s():
    """μ = 2 √T / σ: 16 participations at σ = 8 are one at σ = 2, so μ = 1 and at δ = 1e-6 ε = 4.8869.

    Balle and Wang's formula at ε = 4.8869: Φ(0.5 - 4.8869) - e^4.8869 Φ(-0.5 - 4.8869) = 1.0e-6.
    """
    told = CentralDP(clip=0.1, noise=8.0).spent(16)
    assert told["epsilon"] == pytest.approx(epsilon_of(2.0, 1e-6, 1))
    assert told["epsilon"] == pytest.approx(4.8869, abs=2e-3)
    assert (told["clip"], told["sigma"], told["visits"], told["delta"]) == (0.1, 8.0, 16, 1e-6)
    assert CentralDP(noise=0.0).spent(16)["epsilon"] is None


SMALL = {
    "name": "small", "participants": 10, "budget": {"participations": 100}, "overcommit": 1.0, "baseline": "none",
    "clustering": {"name": "oracle"}, "population": {"name": "digits-rotated", "clients": 40},
    "aggregation": {"name": "central-dp", "clip": 0.5, "noise": 4.0},
}  # fmt: skip


def test_a_run_tells_what_its_busiest_client_has_spent(tmp_path, monkeypatch):
    monkeypatch.setattr("horae.report.html.write_report", lambda directory: None)
    table = {**SMALL, "budget": {"participations": 50}, "availability": {"name": "always"}}
    result = horae.run(table, out=tmp_path / "run")
    (told,) = result.summary["privacy"]
    assert told["visits"] >= 2  # 50 participations of 40 clients
    assert told["epsilon"] == pytest.approx(epsilon_of(4.0, 1e-6, told["visits"]))


def test_clients_stay_away_once_their_visits_are_spent(tmp_path, monkeypatch):
    monkeypatch.setattr("horae.report.html.write_report", lambda directory: None)
    table = {**SMALL, "clustering": {"name": "single"}, "availability": {"name": "always"}}
    table["aggregation"] = {"name": "central-dp", "noise": 4.0, "visits": 3}
    assert horae.run(table, out=tmp_path / "run").summary["privacy"][0]["visits"] == 3
    with pytest.raises(ConfigError, match=r"visits should be >= 3, budget\.participations shared by 40 clients, got 2"):
        check_visits((CentralDP(visits=2),), Budget(participations=100), 40)


@pytest.mark.parametrize(
    ("algorithm", "rule", "line"),
    [
        ("qfedavg", "median", "aggregation should be one that weighs clients by their losses for qfedavg"),
        ("qfedavg", "central-dp", "aggregation should be one that weighs clients by their losses for qfedavg"),
        ("fedbuff", "krum", "aggregation should be one that weighs clients by their staleness for fedbuff"),
        ("fedbuff", "central-dp", "aggregation should be one that weighs clients by their staleness for fedbuff"),
        ("scaffold", "central-dp", "aggregation should be another than one that adds noise for scaffold, whose second"),
    ],
)
def test_what_makes_no_sense_together_is_refused_in_one_line(algorithm, rule, line):
    with pytest.raises(ConfigError) as caught:
        load(None, {"algorithm.name": algorithm, "aggregation.name": rule})
    assert str(caught.value).startswith(line)
    assert str(caught.value).endswith(f"got {rule!r}; use the mean, or another algorithm")


@pytest.mark.parametrize("algorithm", ["fedavg", "fedadam", "fedprox", "ditto", "ftfa"])
@pytest.mark.parametrize("rule", ["median", "trimmed-mean", "krum", "central-dp", "mean"])
def test_the_rest_goes_together(algorithm, rule):
    load(None, {"algorithm.name": algorithm, "aggregation.name": rule})


def test_an_unknown_rule_and_an_unknown_field_are_one_line():
    with pytest.raises(ConfigError, match="there is no 'medain'; did you mean 'median'"):
        load(None, {"aggregation.name": "medain"})
    with pytest.raises(ConfigError, match="aggregation 'krum' has no 'g'"):
        load(None, {"aggregation.name": "krum", "aggregation.g": 1})
