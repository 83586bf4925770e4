import numpy as np
import pytest

from horae.errors import ConfigError, DataError
from horae.population import Pool
from horae.population.partitioners import Dirichlet, Iid, NaturalId
from horae.population.rows import Ragged
from horae.population.sharing import share_out, sorts
from horae.population.shifting import LabelNoise, LabelPermutation, Rotation

X = np.arange(40 * 9, dtype=np.uint8).reshape(40, 3, 3)
Y = np.arange(40) % 4
OWNERS = np.arange(40) // 10  # four owners of ten


def pool(**fields):
    return Pool(X, Y, **{"classes": 4, "owners": OWNERS, "scale": 1 / 255, **fields})


def shared(pool, partition=None, shifts=(), **fields):
    return share_out(pool, partition or NaturalId(), shifts, name="made", **fields)


def rows(held, n):
    return [held.row(i).tolist() for i in range(n)]


def test_without_shifts_the_array_is_the_pool_s_own():
    people = shared(pool())
    assert people.x is X
    assert people.y is Y
    assert people.clients == 4
    assert people.train.sizes.tolist() == [8] * 4
    assert people.test.sizes.tolist() == [2] * 4
    assert people.groups.tolist() == [-1] * 4


def test_a_mapped_file_stays_a_mapped_file(tmp_path):
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="c")
    people = shared(Pool(mapped, Y, 4, OWNERS, scale=1 / 255), shifts=(LabelPermutation(2),))
    assert people.x is mapped


def test_what_the_publisher_tests_on_stays_with_its_owner():
    tested = np.arange(40) % 10 < 3
    people = shared(pool(tested=tested))
    for i in range(4):
        assert people.test.row(i).tolist() == [10 * i, 10 * i + 1, 10 * i + 2]
        assert people.train.row(i).tolist() == list(range(10 * i + 3, 10 * i + 10))


def test_test_samples_that_nobody_owns_follow_the_labels():
    class Halves:
        def share(self, labels, owners, clients, rng):
            even, odd = np.flatnonzero(labels % 2 == 0), np.flatnonzero(labels % 2)
            return Ragged.of([even, odd])

    tested = np.arange(40) >= 32  # two of each label
    people = shared(pool(owners=None, tested=tested), Halves())
    assert people.test.row(0).tolist() == [32, 34, 36, 38]
    assert people.test.row(1).tolist() == [33, 35, 37, 39]


def test_known_groups_are_the_owners_and_shifts_come_first():
    known = pool(groups=np.array([5, 6, 5, 6]))
    assert shared(known).groups.tolist() == [5, 6, 5, 6]
    assert shared(known, Iid(), clients=3).groups.tolist() == [-1] * 3
    assert sorted(shared(known, shifts=(LabelPermutation(2),)).groups.tolist()) == [0, 0, 1, 1]
    assert shared(known, shifts=(LabelNoise(),)).groups.tolist() == [5, 6, 5, 6]


def test_a_cap_keeps_the_ratio():
    people = shared(pool(), samples_per_client=5)
    assert people.train.sizes.tolist() == [4] * 4
    assert people.test.sizes.tolist() == [1] * 4


def test_the_seed_alone_decides():
    one, two, other = (shared(pool(), seed=seed) for seed in (1, 1, 2))
    assert rows(one.train, 4) == rows(two.train, 4) != rows(other.train, 4)


def test_only_held_and_changed_samples_are_copied():
    people = shared(pool(), clients=2, shifts=(Rotation((0, 180)),))
    assert people.x.shape == (20, 3, 3)  # 20 are held, each as its group sees it
    for i in range(2):
        turned = int(people.groups[i]) == 1
        held = people.x[np.concatenate([people.train.row(i), people.test.row(i)])]
        original = X[:, ::-1, ::-1] if turned else X
        assert {image.tobytes() for image in held} <= {image.tobytes() for image in original}


def test_regressions_are_shared_by_tenths():
    y = np.linspace(0, 1, 100, dtype=np.float32)
    found = sorts(Pool(np.zeros((100, 2), np.float32), y, 1, task="regression"))
    assert np.bincount(found).tolist() == [10] * 10


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"clients": -1}, "population.clients should be >= 0"),
        ({"test_fraction": 1.0}, "population.test_fraction should be in"),
        ({"samples_per_client": -2}, "population.samples_per_client should be >= 0"),
        ({"clients": 5}, "population.clients should be in \\[0, 4\\]"),
        ({"shifts": (LabelPermutation(5),)}, "population.shifts should make at most 4 groups"),
    ],
)
def test_mistakes_are_one_line(fields, words):
    with pytest.raises(ConfigError, match=words):
        shared(pool(), **fields)


def test_a_pool_for_testing_alone_is_refused():
    with pytest.raises(DataError, match="leave some to train on"):
        shared(pool(tested=np.ones(40, bool)))


def test_a_partition_that_shares_twice_is_refused():
    class Twice:
        def share(self, labels, owners, clients, rng):
            return Ragged.of([[0, 1], [1, 2]])

    with pytest.raises(ConfigError, match="share no sample twice"):
        shared(pool(), Twice())


def test_dirichlet_over_owned_samples_forgets_the_owners():
    people = shared(pool(), Dirichlet(1.0, 2), clients=5)
    assert people.train.sizes.sum() + people.test.sizes.sum() == 40
