"""Sketches of updates stand for the updates."""

import numpy as np
import pytest

from horae.errors import RunError, WireError
from horae.flower.sketches import Base, Sketched, trained
from horae.types import Updates

RNG = np.random.default_rng(0)


def arrays(value):
    return {"w": np.full((2, 3), value, np.float32), "b": np.full(2, 10 * value, np.float64), "n": np.array(5)}


def test_an_update_is_what_was_trained_by_sorted_keys():
    keys = trained(arrays(0.0))
    assert keys == ("b", "w")
    base = Base.of(arrays(1.0), keys)
    sketch, length = base.sketch_of({**arrays(1.5), "n": np.array(9.5)}, 100)
    np.testing.assert_array_equal(sketch, [5, 5, *[0.5] * 6])
    assert length == pytest.approx(np.sqrt(2 * 25 + 6 * 0.25))
    np.testing.assert_array_equal(base.sketch_of(dict(reversed(arrays(1.5).items())), 100)[0], sketch)


def test_a_reply_of_another_model_is_refused():
    base = Base.of(arrays(1.0), ("b", "w"))
    other, nan, inf = np.zeros((3, 2)), np.full((2, 3), np.nan), np.full((2, 3), np.inf)
    wrong = [({"w": other}, "'w' has"), ({"x": other}, "'x'"), ({"w": nan}, "not finite"), ({"w": inf}, "not finite")]
    for odd, what in wrong:
        with pytest.raises(WireError, match=what):
            base.sketch_of({**arrays(1.0), **odd}, 100)
    with pytest.raises(WireError, match="'b' has shape None"):
        base.sketch_of({"w": np.zeros((2, 3)), "n": np.array(5)}, 100)


def test_wide_updates_are_folded_as_everywhere_in_horae():
    rows = RNG.normal(size=(4, 5000)).astype(np.float32)
    base = Base.of({"w": np.zeros(5000, np.float32)}, ("w",))
    found = [base.sketch_of({"w": row}, 512) for row in rows]
    sketched = Sketched(np.stack([s for s, _ in found]), np.array([n for _, n in found]), 5000)
    np.testing.assert_array_equal(sketched.sketch(512), Updates(rows).sketch(512))
    np.testing.assert_allclose(sketched.norms(), np.linalg.norm(rows, axis=1), rtol=1e-6)
    np.testing.assert_allclose(np.diag(sketched.along(rows)), np.diag(rows @ rows.T), rtol=0.3)
    assert len(sketched.only(np.array([True, False, True, False]))) == 2
    with pytest.raises(RunError, match="asked for 1024"):
        sketched.sketch(1024)
    with pytest.raises(RunError, match="whole updates"):
        sketched.combine(np.ones(4))
    with pytest.raises(RunError, match="whole updates"):
        sketched.columns(slice(0, 2))


def test_narrow_updates_are_kept_as_they_are():
    rows = RNG.normal(size=(3, 8)).astype(np.float32)
    sketched = Sketched(rows, np.linalg.norm(rows, axis=1), 8)
    np.testing.assert_array_equal(sketched.sketch(1024), rows)
    np.testing.assert_allclose(sketched.along(rows), rows @ rows.T)
