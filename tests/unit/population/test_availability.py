import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from horae.errors import ConfigError
from horae.population import AVAILABILITY, AlwaysOnline, SyntheticAvailability

IDS = np.arange(2000)
DAY = 86_400


def shares(availability, days=20, ids=IDS, seed=0):
    """The share of time each client is online, probed every 53 minutes."""
    return np.mean([availability.online(ids, at_s, seed) for at_s in range(0, days * DAY, 3180)], axis=0)


def test_always():
    there = AlwaysOnline()
    assert there.online(IDS, 5.0, 0).all()
    assert np.isinf(there.until(IDS, 5.0, 0)).all()


def test_shares_follow_the_beta_distribution():
    # Beta(.2 * 7.4, .8 * 7.4): mean .2, standard deviation sqrt(.16 / 8.4) = .138
    share = shares(SyntheticAvailability(session_s=900.0))
    assert share.mean() == pytest.approx(0.2, abs=0.01)
    assert share.std() == pytest.approx(0.138, abs=0.015)
    # as in FLASH: mean .162, 5-95 % over phones .017-.411
    flash = shares(SyntheticAvailability(mean=0.162, session_s=900.0))
    np.testing.assert_allclose(np.quantile(flash, [0.05, 0.95]), [0.017, 0.411], atol=0.025)


def test_time_left_is_that_of_the_trace():
    # FLASH, at a random second: 25/50/75 % are 1,999/5,996/16,174 s
    there, left = SyntheticAvailability(), []
    for at_s in range(DAY, 4 * DAY, 7200):
        here = IDS[there.online(IDS, at_s, 0)]
        left.append(there.until(here, at_s, 0) - at_s)
    np.testing.assert_allclose(np.quantile(np.concatenate(left), [0.25, 0.5, 0.75]), [1999, 5996, 16174], rtol=0.2)


def test_there_is_a_day():
    # daily .5 and phases of 5.5 h: a harmonic of .5 exp(-(2π 5.5 / 24)² / 2) = .18 of the mean
    there, hours = SyntheticAvailability(session_s=900.0), np.arange(24 * 10)
    by_hour = np.array([there.online(IDS, 3600.0 * hour, 0).mean() for hour in hours])
    harmonic = 2 * np.abs(np.mean(by_hour * np.exp(-2j * np.pi * hours / 24))) / by_hour.mean()
    assert harmonic == pytest.approx(0.18, abs=0.03)
    flat = SyntheticAvailability(session_s=900.0, daily=0.0)
    by_hour = np.array([flat.online(IDS, 3600.0 * hour, 0).mean() for hour in hours])
    assert 2 * np.abs(np.mean(by_hour * np.exp(-2j * np.pi * hours / 24))) / by_hour.mean() < 0.03


@settings(max_examples=20, deadline=None)
@given(
    at_s=st.floats(0, 30 * DAY),
    seed=st.integers(0, 1000),
    mean=st.sampled_from([0.05, 0.2, 0.6]),
    session_s=st.sampled_from([1.0, 900.0, 8000.0]),
    late=st.sampled_from([0.0, 0.5]),
)
def test_until_is_the_end_of_being_online(at_s, seed, mean, session_s, late):
    # a high concentration keeps p_i (1 + daily) below 1, so that everybody leaves within 200 slots
    there = SyntheticAvailability(mean, 1e4, session_s, late_share=late, late_after_s=10.0 * DAY)
    ids = np.arange(20)
    here = there.online(ids, at_s, seed)
    until = there.until(ids, at_s, seed)
    assert (until[here] > at_s).all() and (until[~here] == at_s).all()
    for i in ids[here]:
        alone = ids[i : i + 1]
        for part in np.linspace(0, 0.999, 5):
            then_s = min(at_s + part * (until[i] - at_s), np.nextafter(until[i], 0))  # not rounded up to the end
            assert there.online(alone, then_s, seed)[0]
        assert not there.online(alone, until[i], seed)[0]


@pytest.mark.parametrize("name", AVAILABILITY)
def test_presence_depends_on_id_second_and_seed_alone(name):
    there = AVAILABILITY[name]()
    some = np.array([9_999_999, 17, 3])
    everyone = there.online(IDS, 1e5, 4)
    assert there.online(some, 1e5, 4)[1:].tolist() == everyone[[17, 3]].tolist()
    assert there.online(some[::-1], 1e5, 4).tolist() == there.online(some, 1e5, 4)[::-1].tolist()
    assert there.until(some, 1e5, 4)[1:].tolist() == there.until(IDS, 1e5, 4)[[17, 3]].tolist()
    assert there.online(np.empty(0, np.int64), 0.0, 0).size == there.until(np.empty(0, np.int64), 0.0, 0).size == 0


def test_late_clients_come_late():
    early, late = SyntheticAvailability(), SyntheticAvailability(late_share=0.4, late_after_s=1000.0)
    before = early.online(IDS, 999.0, 0), late.online(IDS, 999.0, 0)
    assert not (before[1] & ~before[0]).any()
    assert before[1].sum() / before[0].sum() == pytest.approx(0.6, abs=0.08)
    assert np.array_equal(early.online(IDS, 1000.0, 0), late.online(IDS, 1000.0, 0))
    assert not SyntheticAvailability(late_share=1.0, late_after_s=1000.0).online(IDS, 0.0, 0).any()


def test_walking_stops_for_those_who_never_leave():
    there = SyntheticAvailability(mean=0.999, concentration=1e6, daily=0.0, session_s=10.0, session_sd=0.0)
    until = there.until(IDS, 0.0, 0)
    assert until.max() <= 200 * 10 and np.isfinite(until).all()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"mean": 0.0}, r"availability.mean should be in \(0, 1\), got 0.0"),
        ({"mean": 1.0}, "availability.mean"),
        ({"concentration": 0.0}, "availability.concentration should be > 0"),
        ({"session_s": 0.0}, "availability.session_s should be >= 1"),
        ({"session_sd": -1.0}, "availability.session_sd"),
        ({"daily": 1.5}, r"availability.daily should be in \[0, 1\], got 1.5"),
        ({"phase_spread_h": -1.0}, "availability.phase_spread_h"),
        ({"late_share": 2.0}, r"availability.late_share should be in \[0, 1\]"),
        ({"late_after_s": -1.0}, "availability.late_after_s should be >= 0"),
    ],
)
def test_bad_values_are_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        SyntheticAvailability(**fields)


def test_a_hundred_thousand_clients_are_quick():
    ids, there = np.arange(100_000), SyntheticAvailability()
    seconds = []
    for at_s in (0.0, 1e5, 1e6):
        start = time.process_time()
        there.online(ids, at_s, 0)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.1
