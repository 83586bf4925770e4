"""What every partition promises, whatever the labels: it ends, nobody's sample twice, nobody empty, the same again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from horae.errors import ConfigError
from horae.population import PARTITIONS

LEAVES_OUT = {"pathological"}  # what nobody drew
each = pytest.mark.parametrize("cls", [pytest.param(cls, id=name) for name, cls in PARTITIONS.items()])
pools = st.integers(1, 60).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 6), min_size=n, max_size=n),
        st.one_of(st.none(), st.lists(st.integers(0, 5), min_size=n, max_size=n)),
    )
)


@each
@settings(max_examples=120, deadline=2000, derandomize=True)
@given(pool=pools, clients=st.integers(0, 70), seed=st.integers(0, 3))
def test_it_ends_and_shares_fairly(cls, pool, clients, seed):
    labels, owners = np.array(pool[0]), None if pool[1] is None else np.array(pool[1])
    try:
        shared = cls().share(labels, owners, clients, np.random.default_rng(seed))
    except ConfigError as error:
        assert "\n" not in str(error)
        assert "population." in str(error)
        return
    assert len(shared) == (clients or np.unique(owners).size)
    assert (shared.sizes > 0).all()
    assert np.unique(shared.indices).size == shared.indices.size
    assert set(shared.indices.tolist()) <= set(range(labels.size))
    everybody = owners is None or clients in (0, np.unique(owners).size)
    if cls is PARTITIONS["natural-id"]:
        assert owners is not None
        for row in (owners[shared.row(i)] for i in range(len(shared))):
            assert (row == row[0]).all()
    if PARTITIONS["pathological"] is cls:
        held = np.isin(labels, labels[shared.indices])
        np.testing.assert_array_equal(np.sort(shared.indices), np.flatnonzero(held))
    elif cls is not PARTITIONS["natural-id"] or everybody:
        assert shared.indices.size == labels.size
    again = cls().share(labels, owners, clients, np.random.default_rng(seed))
    np.testing.assert_array_equal(shared.indices, again.indices)
    np.testing.assert_array_equal(shared.offsets, again.offsets)


@each
def test_plenty_of_samples_are_always_shared(cls):
    labels, owners = np.arange(2000) % 10, np.arange(2000) % 50
    shared = cls().share(labels, owners, 50, np.random.default_rng(0))
    assert len(shared) == 50
    assert (shared.sizes > 0).all()
