"""Shares: any t are the secret, t - 1 fit every secret."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from horae.census.keys import seeded
from horae.census.shamir import PRIME, SIZE, join, split, value_of, weights

secrets = st.binary(min_size=32, max_size=32)


def constant(value):
    """A source whose numbers are all `value`."""
    return lambda n: value.to_bytes(n, "big")


def test_a_line_worked_out_by_hand():
    # f(x) = 5 + 3 x: shares 8, 11, 14; from 1 and 3: w_1 = 3 / 2, w_3 = -1 / 2, 8 * 1.5 - 14 * 0.5 = 5
    shares = split((5).to_bytes(32, "big"), 3, 2, constant(3))
    assert [int.from_bytes(share, "big") for share in shares] == [8, 11, 14]
    assert weights((1, 3)) == (3 * pow(2, -1, PRIME) % PRIME, -pow(2, -1, PRIME) % PRIME)
    assert join({1: shares[0], 3: shares[2]}, 2) == (5).to_bytes(32, "big")


def test_the_field_is_prime():
    assert PRIME == 2**256 + 297
    assert all(pow(base, PRIME - 1, PRIME) == 1 for base in (2, 3, 5, 7, 11, 13))


@given(secrets, st.integers(1, 12), st.integers(0, 8), st.randoms(use_true_random=False))
def test_any_t_of_n_are_the_secret(secret, threshold, more, draw):
    holders = threshold + more
    shares = split(secret, holders, threshold, seeded(secret))
    chosen = draw.sample(range(1, holders + 1), threshold)
    assert join({x: shares[x - 1] for x in chosen}, threshold) == secret


@given(secrets, secrets)
def test_fewer_than_t_fit_every_secret(secret, other):
    """Two shares of threshold 3: for every other secret there is one polynomial with the same two shares."""
    shares = split(secret, 4, 3, seeded(secret))
    two = {0: int.from_bytes(other, "big"), 1: value_of(shares[0]), 2: value_of(shares[1])}
    third = 0
    for x, y in two.items():  # the parabola through the three points, at 3
        above = below = 1
        for z in two:
            if z != x:
                above, below = above * (3 - z), below * (x - z)
        third += y * above * pow(below, -1, PRIME)
    forged = (third % PRIME).to_bytes(SIZE, "big")
    assert join({1: shares[0], 2: shares[1], 3: forged}, 3) == other


def test_every_set_of_t_agrees():
    secret = bytes(range(32))
    shares = dict(enumerate(split(secret, 5, 3, seeded(b"x")), 1))
    assert {join({x: shares[x] for x in three}, 3) for three in combinations(shares, 3)} == {secret}


def test_what_is_refused():
    shares = dict(enumerate(split(bytes(32), 3, 2, seeded(b"x")), 1))
    with pytest.raises(ValueError, match="1 shares, 2 needed"):
        join({1: shares[1]}, 2)
    with pytest.raises(ValueError, match="not a share"):
        join({1: shares[1], 2: PRIME.to_bytes(SIZE, "big")}, 2)
    with pytest.raises(ValueError, match="not a share"):
        join({1: shares[1], 2: b"short"}, 2)
    with pytest.raises(ValueError, match="32 bytes"):
        split(b"short", 3, 2, seeded(b"x"))
    # f(0) = p - 1 is no secret of 32 bytes: the line through (1, 0) and (2, 1)
    with pytest.raises(ValueError, match="do not belong together"):
        join({1: bytes(SIZE), 2: (1).to_bytes(SIZE, "big")}, 2)
