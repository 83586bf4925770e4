"""What noise is worth: against numbers known otherwise, and against the accountant where it is installed."""

import importlib.util

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from horae.channels import ClipNoise, privacy
from horae.channels.privacy import delta_of, epsilon_of, sigma_for
from horae.errors import ConfigError

installed = pytest.mark.skipif(importlib.util.find_spec("dp_accounting") is None, reason="needs horae[privacy]")


def test_delta_by_hand():
    # At ε = 0 it is the total variation of two Gaussians μ apart, 2 Φ(μ/2) - 1: for μ = 2 it is 2 x 0.841345 - 1.
    assert delta_of(0.0, 2.0) == pytest.approx(0.682689, abs=1e-6)
    # μ = 1, ε = 1: Φ(-1/2) - e Φ(-3/2) = 0.308538 - 2.718282 x 0.066807 = 0.126937.
    assert delta_of(1.0, 1.0) == pytest.approx(0.126937, abs=1e-6)


def test_epsilon_is_where_delta_is_reached():
    assert epsilon_of(2.0, 0.126937, 1) == pytest.approx(1.0, abs=1e-4)  # σ = 2 is μ = 2 / 2 = 1
    assert epsilon_of(2.0, 0.5, 1) == 0.0  # 2 Φ(1/2) - 1 = 0.38 is less: the two can hardly be told apart


def test_four_participations_cost_what_one_with_half_the_noise_does():
    assert epsilon_of(3.0, 1e-6, 4) == pytest.approx(epsilon_of(1.5, 1e-6, 1), rel=1e-9)


@settings(max_examples=60)
@given(st.floats(0.05, 50), st.integers(1, 1000))
def test_more_noise_is_less_epsilon_and_more_participations_are_more(sigma, visits):
    def epsilon(sigma, visits):
        found = epsilon_of(sigma, 1e-6, visits)
        return np.inf if found is None else found  # None is beyond a million

    here = epsilon(sigma, visits)
    assert here >= 0
    assert epsilon(2 * sigma, visits) <= here
    assert epsilon(sigma, 2 * visits) >= here
    if 0 < here < np.inf:
        assert delta_of(here, 2 * np.sqrt(visits) / sigma) == pytest.approx(1e-6, rel=1e-4)


def test_where_there_is_no_bound_there_is_none():
    assert epsilon_of(0.0, 1e-6, 1) is None
    assert epsilon_of(1e-9, 1e-6, 1) is None
    assert epsilon_of(1.0, 1e-6, 0) is None


def test_without_the_accountant_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(privacy, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r'pip install "horae\[privacy\]"') as why:
        ClipNoise(epsilon=8.0, visits=10)
    assert "\n" not in str(why.value)
    ClipNoise(noise=1.0)  # which needs none


def test_an_accountant_that_cannot_be_imported_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "dp_accounting", None)
    with pytest.raises(ConfigError, match="needs an accountant"):
        sigma_for(3.21, 1e-6, 7)


@installed
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("epsilon", "visits"), [(8.0, 1), (4.0, 40), (2.0, 9), (0.5, 3)])
def test_the_accountants_sigma_spends_the_epsilon_that_was_asked_for(epsilon, visits):
    channel = ClipNoise(epsilon=epsilon, visits=visits)
    spent = channel.spent(visits)["epsilon"]
    assert 0.99 * epsilon < spent <= epsilon
