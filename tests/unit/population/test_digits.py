import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from horae.errors import ConfigError
from horae.population import POPULATIONS, DigitsDirichlet, DigitsIid, DigitsPermuted, DigitsRotated, DigitsSessions
from horae.population.datasets import FORM_STARTS, digits, split_images
from horae.types import UNKNOWN

IMAGES = 1797
NAMES = [name for name in POPULATIONS if name.startswith("digits")]


def test_digits_as_they_come():
    data = digits()
    assert data.x.shape == (IMAGES, 8, 8) and data.x.dtype == np.float32
    assert data.x.min() == 0 and data.x.max() == 1
    assert not data.x.flags.writeable
    assert np.bincount(data.session).tolist() == np.diff(FORM_STARTS).tolist()
    assert all(set(data.y[data.session == form]) == set(range(10)) for form in range(14))


def test_images_split_once():
    train, test = split_images(10, 0.25, np.random.default_rng(0))
    assert (train.size, test.size) == (8, 2)  # round(2.5) is 2
    assert sorted([*train, *test]) == list(range(10))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    clients=st.integers(1, 60),
    images=st.integers(1, 40),
    fraction=st.sampled_from([0.0, 0.2, 0.4]),
)
def test_nobody_trains_on_a_test_image(name, seed, clients, images, fraction):
    people = POPULATIONS[name](clients=clients, images_per_client=images, test_fraction=fraction).build(seed, None)
    assert not set(people.train.indices % IMAGES) & set(people.test.indices % IMAGES)
    n_test = min(round(images * fraction), images - 1)
    assert people.train.sizes.tolist() == [images - n_test] * clients
    assert people.test.sizes.tolist() == [n_test] * clients
    for held in (people.train, people.test):
        assert all(np.unique(held.row(i)).size == held.sizes[i] for i in range(clients))


@pytest.mark.parametrize("name", NAMES)
def test_a_population_depends_on_its_seed_alone(name):
    one, same, other = (POPULATIONS[name](clients=30).build(seed, None) for seed in (5, 5, 6))
    for field in ("train", "test"):
        a, b, c = (getattr(people, field).indices.tolist() for people in (one, same, other))
        assert a == b != c
    assert one.groups.tolist() == same.groups.tolist()
    assert one.facts()["train_samples"] == 30 * 29 and one.facts()["test_samples"] == 30 * 7
    assert one.about and one.licence and one.citation and one.x.flags.writeable
    assert POPULATIONS[name]().missing(None) is None


def test_rotated_clients_hold_their_own_angle():
    people = DigitsRotated().build(0, None)
    assert people.facts()["groups"] == {0: 50, 1: 50, 2: 50, 3: 50}
    assert (np.diff(people.groups) < 0).any()  # not in blocks
    for held in (people.train, people.test):
        assert (held.indices // IMAGES == people.groups[held.owners]).all()
    np.testing.assert_array_equal(people.x[IMAGES : 2 * IMAGES], np.rot90(digits().x, 1, (1, 2)))
    np.testing.assert_array_equal(people.y[IMAGES : 2 * IMAGES], digits().y)


def test_permuted_clients_name_the_same_images_differently():
    people = DigitsPermuted(clients=20).build(0, None)
    assert (people.train.indices // IMAGES == people.groups[people.train.owners]).all()
    np.testing.assert_array_equal(people.x[:IMAGES], people.x[IMAGES : 2 * IMAGES])
    first, second = people.y[:IMAGES], people.y[IMAGES : 2 * IMAGES]
    np.testing.assert_array_equal(first, digits().y)
    assert len(set(zip(first, second, strict=True))) == 10 and (first != second).any()


def test_group_sizes_are_kept_and_checked():
    people = DigitsRotated(clients=10, group_sizes=(1, 2, 3, 4)).build(0, None)
    assert people.facts()["groups"] == {0: 1, 1: 2, 2: 3, 3: 4}
    assert DigitsRotated(clients=10).build(0, None).facts()["groups"] == {0: 3, 1: 3, 2: 2, 3: 2}
    with pytest.raises(ConfigError, match=r"group_sizes should sum to population\.clients, 200, got 10; change"):
        DigitsRotated(group_sizes=(1, 2, 3, 4))
    with pytest.raises(ConfigError, match="have 4 entries, one per group"):
        DigitsPermuted(clients=3, group_sizes=(1, 2))
    with pytest.raises(ConfigError, match="be >= 1 each"):
        DigitsPermuted(clients=3, group_sizes=(0, 1, 1, 1))


def test_sessions_are_the_groups():
    people = DigitsSessions().build(0, None)
    assert (digits().session[people.train.indices] == people.groups[people.train.owners]).all()
    assert (digits().session[people.test.indices] == people.groups[people.test.owners]).all()


def test_skew_by_alpha():
    skew = [DigitsDirichlet(alpha=alpha).build(0, None).facts()["label_skew"] for alpha in (1e-6, 0.3, 1e6)]
    assert skew[0] > 0.85 and 0.75 < skew[1] < 0.85  # one label each: near 0.9
    assert skew[2] == pytest.approx(DigitsIid().build(0, None).facts()["label_skew"], abs=0.03)
    people = DigitsDirichlet(alpha=1e-6).build(0, None)
    assert all(set(people.y[people.train.row(i)]) == set(people.y[people.test.row(i)]) for i in range(200))
    assert (people.groups == UNKNOWN).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DigitsIid(clients=0), "population.clients should be >= 1, got 0; raise it"),
        (lambda: DigitsIid(images_per_client=0), "population.images_per_client should be >= 1, got 0; raise it"),
        (lambda: DigitsIid(test_fraction=1.0), r"population.test_fraction should be in \[0, 1\), got 1.0"),
        (lambda: DigitsDirichlet(alpha=0.0), r"population.alpha should be in \(0, inf\), got 0.0"),
        (lambda: DigitsPermuted(n_groups=0), "population.n_groups should be >= 1"),
        (lambda: DigitsRotated(degrees=()), "population.degrees should name at least one angle"),
        (lambda: DigitsRotated(degrees=(float("nan"),)), "population.degrees should be finite"),
        (lambda: DigitsSessions(images_per_client=500).build(0, None), "population.images_per_client should leave"),
    ],
)
def test_bad_values_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_two_thousand_clients_are_quick():
    DigitsRotated().build(0, None)
    start = time.perf_counter()
    DigitsRotated(clients=2000).build(1, None)
    assert time.perf_counter() - start < 0.3
