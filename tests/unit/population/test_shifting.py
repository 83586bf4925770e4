import numpy as np
import pytest

from horae.errors import ConfigError
from horae.population import SHIFTS, Pool, shifts
from horae.population.partitioners import NaturalId
from horae.population.sharing import share_out
from horae.population.shifting import Affine, Colour, LabelNoise, LabelPermutation, Rotation
from horae.population.shifting.applied import digits, planted

N, OWNERS = 60, np.arange(60) // 10


def pool(dtype=np.uint8, shape=(6, 6), **fields):
    x = np.random.default_rng(0).integers(1, 200, (N, *shape)).astype(dtype)
    return Pool(x, np.arange(N) % 5, **{"classes": 5, "owners": OWNERS, "scale": 1 / 255, **fields})


def people(*shifts, pool_=None, seed=0):
    return share_out(pool_ or pool(), NaturalId(), shifts, name="made", seed=seed)


def moved(held, at_s):
    """How many training samples of each client are not what they were at 0."""
    clients = np.arange(held.clients)
    return [int((a != b).sum()) for a, b in zip(held.train_at(clients, 0), held.train_at(clients, at_s), strict=True)]


@pytest.mark.parametrize("name", SHIFTS)
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
@pytest.mark.parametrize("shape", [(6, 6), (3, 6, 6), (6, 6, 3)])
def test_shape_and_type_stay_and_the_same_seed_gives_the_same(name, dtype, shape):
    shift, p = SHIFTS[name](), pool(dtype, shape)
    for group in range(shift.groups):
        seen = shift.inputs(p.x, group, 7)
        assert seen.shape == p.x.shape
        assert seen.dtype == p.x.dtype
        np.testing.assert_array_equal(seen, shift.inputs(p.x, group, 7))
        part = shift.inputs(p.x[:2], group, 7)  # whatever else is changed with it
        np.testing.assert_allclose(part, seen[:2], rtol=1e-6)
    if name in ("rotation", "affine", "colour"):
        assert shift.inputs(p.x, 0, 7) is p.x
        assert (shift.inputs(p.x, 1, 7) != p.x).any()


@pytest.mark.parametrize("degrees", [30.0, -45.0, 90.0, 180.0, 400.0])
def test_a_turn_is_that_of_the_digits(degrees):
    x = np.zeros((3, 9, 9), np.float32)  # at the border ours fades out where scipy cuts off
    x[:, 2:7, 2:7] = np.random.default_rng(1).random((3, 5, 5))
    seen = Rotation((degrees,)).inputs(x, 0, 0)
    np.testing.assert_allclose(seen, shifts.rotate(x, degrees), atol=1e-5)


def test_a_quarter_turn_by_hand():
    x = np.array([[[1, 2], [3, 4]]], np.uint8)
    assert Rotation((90,)).inputs(x, 0, 0).tolist() == [[[2, 4], [1, 3]]]


def test_bytes_stay_in_range_and_groups_differ():
    x = np.array([[[0, 255], [128, 10]]], np.uint8)
    seen = [Colour(4, 1.0).inputs(x, group, 0).tolist() for group in range(4)]
    assert len({str(image) for image in seen}) == 4
    signed = np.array([[[-100, 0], [100, 50]]], np.int16)
    found = Colour(2, 1.0).inputs(signed, 1, 0)
    assert found[0, 0, 1] == 0  # a gain alone
    assert found[0, 0, 0] == -found[0, 1, 0]


def test_affine_maps_differ_by_group_and_seed():
    x = np.random.default_rng(1).random((2, 9, 9)).astype(np.float32)
    found = [Affine(3, 1.0).inputs(x, group, seed) for group in (1, 2) for seed in (0, 1)]
    assert all((a != b).any() for i, a in enumerate(found) for b in found[:i])


def test_names_are_permuted_by_group():
    y, shift = np.arange(5), LabelPermutation(3)
    assert shift.labels(y, 0, 5, 0, 0) is y
    for group in (1, 2):
        named = shift.labels(y, group, 5, 0, 0)
        assert sorted(named.tolist()) == [0, 1, 2, 3, 4]
        assert (named != y).any()
    for seed in range(10):  # two labels have one other order
        assert LabelPermutation(2).labels(np.arange(2), 1, 2, seed, 0).tolist() == [1, 0]


def test_noise_is_wrong_as_often_as_asked_and_tests_stay_true():
    y = np.zeros(5000, int)
    named = LabelNoise(0.3).labels(y, 0, 4, 0, 1)
    assert abs((named != 0).mean() - 0.3) < 0.03
    assert set(named.tolist()) == {0, 1, 2, 3}
    p = pool()
    held = people(LabelNoise(1.0), pool_=p)
    assert held.x is p.x
    every = np.arange(6)
    assert all((held.y[row] != p.y[row]).all() for row in held.train.rows(every))
    assert all((held.y[row] == p.y[row]).all() for row in held.test.rows(every))
    both = people(LabelNoise(1.0, tests=True), pool_=p)
    assert all((both.y[row] != p.y[row]).all() for row in both.test.rows(every))


def test_groups_are_a_product_near_equal():
    found = planted((LabelPermutation(2), Rotation((0, 90, 180))), 20, 0)
    assert sorted(np.bincount(found).tolist()) == [3, 3, 3, 3, 4, 4]
    assert digits(np.array([0, 1, 2, 3, 5]), (LabelPermutation(2), Rotation((0, 90, 180)))).tolist() == [
        [0, 0, 0, 1, 1],
        [0, 1, 2, 0, 2],
    ]


def test_two_shifts_are_both_there():
    p = pool()
    held = people(Rotation((180,)), LabelPermutation(2), pool_=p)
    back = {image[::-1, ::-1].tobytes(): label for image, label in zip(held.x, held.y, strict=True)}
    for image in p.x:
        assert image.tobytes() in back
    changed = [back[image.tobytes()] != label for image, label in zip(p.x, p.y, strict=True)]
    assert any(changed) and not all(changed)


def test_sudden_drift_changes_everything_at_once():
    held = people(LabelPermutation(2, from_s=100.0))
    assert moved(held, 99.9) == [0] * 6
    group = np.asarray(held.groups)
    now = moved(held, 100.0)
    assert all((n > 0) == (g == 1) for n, g in zip(now, group, strict=True))
    assert now == moved(held, 1e9)


def test_gradual_drift_crosses_over_one_by_one():
    held = people(Rotation((180,), from_s=100.0, over_s=80.0))
    assert len(held.x) == 2 * N
    assert moved(held, 100.0) == [0] * 6
    assert moved(held, 110.0) == [1] * 6  # 8 training samples each: one every 10 s
    assert moved(held, 140.0) == [4] * 6
    assert moved(held, 180.0) == [8] * 6
    early, late = held.train_at(np.array([2]), 110.0)[0], held.train_at(np.array([2]), 140.0)[0]
    base = held.train.row(2)
    assert set(np.flatnonzero(early != base)) < set(np.flatnonzero(late != base))


def test_what_stands_in_is_the_same_sample_shifted():
    held = people(Rotation((180,), from_s=5.0), LabelPermutation(2, from_s=9.0))
    clients = np.arange(6)
    before, turned, named = (held.train_at(clients, at) for at in (0.0, 5.0, 9.0))
    for i in range(6):
        np.testing.assert_array_equal(held.x[turned[i]], held.x[before[i]][:, ::-1, ::-1])
        np.testing.assert_array_equal(held.y[turned[i]], held.y[before[i]])
        np.testing.assert_array_equal(held.x[named[i]], held.x[turned[i]])
        differs = (held.y[named[i]] != held.y[before[i]]).any()
        assert differs == (held.groups[i] == 1)


def test_rows_beyond_the_drifting_ones_stay():
    held = people(Rotation((180,), from_s=5.0))
    beyond = np.array([len(held.x) + 3, 0])
    assert held.drift.at([beyond], np.array([0]), 10.0)[0][0] == beyond[0]


TOKENS = {"dtype": np.int32, "scale": None}
RATINGS = {"dtype": np.float32, "scale": None, "task": "regression", "classes": 1}


@pytest.mark.parametrize(
    ("shift", "fields", "words"),
    [
        (Rotation(), TOKENS, "leave tokens alone"),
        (Affine(), TOKENS, "leave tokens alone"),
        (Colour(), TOKENS, "leave tokens alone"),
        (Rotation((0, 90)), {"shape": (4, 6)}, "turn images of 4x6 by 0 or 180"),
        (Rotation(), {"shape": (6,)}, "have images"),
        (LabelPermutation(), RATINGS, "have labels for label-permutation"),
        (LabelNoise(), RATINGS, "have labels for label-noise"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(shift, fields, words):
    with pytest.raises(ConfigError, match=words) as error:
        people(shift, pool_=pool(**fields))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Rotation(()), "degrees"),
        (lambda: Affine(0), "groups"),
        (lambda: Colour(2, 0.0), "strength"),
        (lambda: LabelNoise(1.5), "share"),
        (lambda: LabelPermutation(2, from_s=-1.0), "from_s"),
        (lambda: Rotation(over_s=float("inf")), "over_s"),
    ],
)
def test_silly_fields_are_refused(make, field):
    with pytest.raises(ConfigError, match=f"population.shifts.{field}"):
        make()
