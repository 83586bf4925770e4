"""Masks as bytes: a bit per weight or gaps, whichever is less; and their names."""

import numpy as np

from horae.pure.codec import pack, unpack
from horae.pure.mask_code import mask_nbytes, version_of


def living(n, share):
    """Exactly n - ⌊share n⌋ living weights."""
    mask = np.ones(n, bool)
    mask[np.random.default_rng(0).permutation(n)[: int(share * n)]] = False
    return mask


def test_a_version_is_the_mask_itself():
    mask = np.array([True, False, True])
    assert version_of(mask) == version_of(mask.copy())
    longer = np.array([True, False, True, False])  # the same byte when packed
    assert len({version_of(mask), version_of(longer), version_of(~mask)}) == 3
    assert len(version_of(mask)) == 16


def test_a_sparse_mask_travels_as_gaps_where_these_are_fewer_bytes():
    mask = np.zeros(6000, bool)
    mask[[0, 128, 257, 4258]] = True  # gaps 0, 127, 128, 4000: 1 + 1 + 2 + 2 bytes instead of 750
    assert mask_nbytes(mask) == 6
    data = pack(np.zeros(4, np.float32), mask.size, version_of(mask), mask)
    assert data[46 : 46 + 6] == bytes([0, 127, 128, 1, 160, 31])  # 128 = 0 + 128 x 1, 4000 = 32 + 128 x 31
    np.testing.assert_array_equal(unpack(data, {})[2], mask)
    assert mask_nbytes(living(10_000, 0.5)) == 1250
    assert mask_nbytes(np.zeros(10_000, bool)) == 1250  # no gap at all is no description
    lone = np.zeros(2000, bool)
    lone[1999] = True  # two bytes would say it
    assert mask_nbytes(lone) == 2
    lone = np.zeros(3000, bool)
    lone[2999] = True  # so would two here, but two bytes may not ask for more than 2048 weights
    assert mask_nbytes(lone) == 375
    shares = [mask_nbytes(living(100_000, sparsity)) / 12_500 for sparsity in (0.87, 0.89, 0.95)]
    assert shares[0] == 1 > shares[1] > 0.85 > 0.41 > shares[2] >= 0.4  # at least a byte for each of 5,000
