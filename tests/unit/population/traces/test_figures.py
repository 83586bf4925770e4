import numpy as np
import pytest

from horae.population import AlwaysOnline
from horae.population.traces import Phones, Sessions
from horae.population.traces.figures import Hours, compared, distance, facts, watched, watched_trace

DAY = 86_400.0


def test_samples_by_hand():
    # columns are clients: one is there in minutes 1-2 and 4 on, the other never
    hours = Hours(np.array([[0, 0], [1, 0], [1, 0], [0, 0], [1, 0], [1, 0]], bool))
    assert hours.samples["share_online"].tolist() == [4 / 6, 0]
    assert hours.samples["session_s"].tolist() == [120.0]  # the second was not seen to end
    assert hours.samples["left_s"].tolist() == []  # nobody was there at the full hour
    assert Hours(np.ones((61, 1), bool)).samples["left_s"].tolist() == [60.0, 61 * 60.0]


def test_the_daily_harmonic_is_the_amplitude_of_a_wave():
    hour, day = np.arange(48), np.sin(2 * np.pi * np.arange(48) / 24)
    present = np.arange(1000) < (500 * (1 + 0.4 * day))[:, None]
    hours = Hours(present, step_s=3600.0)
    assert hours.daily == pytest.approx(0.4, abs=0.005)
    np.testing.assert_allclose(hours.by_hour, 0.5 * (1 + 0.4 * day[:24]), atol=0.002)
    assert watched(AlwaysOnline(), 2 * DAY, step_s=3600.0).daily == pytest.approx(0, abs=1e-12) and hour.size == 48


def test_a_trace_is_watched_as_it_says():
    known = Sessions.of(["a", "b"], np.array([0, 1]), np.array([0.0, 600.0]), np.array([1200.0, 900.0]), DAY)
    hours = watched_trace(known)
    assert hours.samples["share_online"].tolist() == [20 / 1440, 5 / 1440]
    assert hours.samples["session_s"].tolist() == [300.0]
    assert facts(known)["mean_online"] == pytest.approx(0.5 * (1200 + 300) / DAY, rel=1e-5)
    assert facts(known)["session_s"]["50%"] == 750.0


def test_distance_and_comparison():
    assert distance(np.array([1.0, 2, 3, 4]), np.array([1.0, 2, 3, 4])) == 0
    assert distance(np.array([1.0, 2]), np.array([5.0])) == 1
    real, made = {"kbps": np.arange(101.0)}, {"kbps": np.arange(101.0) + 50.5}
    row = compared(real, made)["kbps"]
    assert row["real"]["25%"] == 25 and row["generated"]["25%"] == 75.5 and row["ks"] == round(51 / 101, 3)
    assert facts(Phones.of(["a", "b"], np.ones(2), np.exp([0.0, 2.0])))["kbps_log_sd"] == pytest.approx(1.0)
