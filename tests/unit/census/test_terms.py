"""Terms: refused in one line, and what follows from them."""

import pytest

from horae.census import Terms
from horae.errors import ConfigError


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": 0}, r"census.labels should be in \[1, 1048576\], got 0"),
        ({"clip": 0}, "census.clip should be in"),
        ({"n_min": 2}, "census.n_min should be in"),
        ({"degree": 7}, "census.degree should be even and at least 2, got 7"),
        ({"threshold": 33}, r"census.threshold should be in \[1, degree = 32\], got 33"),
        ({"threshold": 20}, r"exceed \(degree \+ colluders\) / 2 = 20.5, got 20; take at least 21"),
        ({"colluders": -1}, "census.colluders should be at least 0"),
        ({"transport": "ring"}, "census.transport should be one of chain, star, got 'ring'"),
        ({"segments": 0}, "census.segments"),
        ({"hop_s": 0}, "census.hop_s"),
        ({"attempts": 0}, "census.attempts"),
        ({"noise": 1.0}, r"census.noise should be 0 or at least 2 √n_min = 6.32, got 1.0"),
        ({"noise": 10.0}, "census.most should be at least 1 where there is noise"),
    ],
)
def test_what_cannot_be_is_one_line(changes, words):
    with pytest.raises(ConfigError, match=words):
        Terms(**{"labels": 10, **changes})


def test_the_threshold_shrinks_with_the_neighbourhood():
    terms = Terms(labels=1)
    # 21 of 32; of 9: max(5, ceil(5.906)) = 6; of 31: ceil(20.34) = 21
    assert [terms.shares_needed(d) for d in (32, 9, 31)] == [21, 6, 21]
    assert all(2 * terms.shares_needed(d) > d for d in range(2, 33))


def test_what_members_agree_on():
    terms = Terms(labels=10)
    assert terms.context(b"a") != terms.context(b"b")
    assert terms.context(b"a") == Terms(labels=10, transport="chain", segments=4, hop_s=1).context(b"a")
    assert terms.context(b"a") != Terms(labels=10, clip=7).context(b"a")


def test_room_for_the_sum():
    terms = Terms(labels=2, clip=2**30)
    assert terms.fits(2**31)  # 2^31 * 2^30 * 2 = 2^62
    assert not terms.fits(2**32)


def test_epsilon_falls_with_noise_and_grows_with_windows():
    quiet, loud = (Terms(labels=10, noise=noise, most=50) for noise in (500.0, 2000.0))
    assert 0 < loud.epsilon(1e-6, 1) < quiet.epsilon(1e-6, 1) < quiet.epsilon(1e-6, 5)
    assert Terms(labels=10).epsilon(1e-6, 1) is None
