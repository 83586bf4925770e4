"""AutoFLIP's masks from prepared explorations: what is dropped, when masks change, and what becomes of the weights."""

from dataclasses import replace

import numpy as np
import pytest
from test_common import THREE, living

from horae.errors import ConfigError
from horae.pruning import AutoFlip
from horae.pruning.autoflip import Flip
from horae.pure.anatomy import Anatomy, Tensor
from horae.pure.packing import pack, unpack
from horae.types import Exploration, Explore, Layers, Outcome, Round, Updates
from horae.types import Ref as Name

W0 = np.array([1.0, -2.0, 3.0], np.float32)
NONE = np.zeros(0, np.float32)


class Clients:
    """Answers what was prepared, one exploration after the other, and notes what was asked."""

    def __init__(self, *squares, anatomy=THREE, each=None):
        self.left, self.anatomy, self.each, self.asked = list(squares), anatomy, each, []

    def __call__(self, work, *, charge=True):
        if isinstance(work, Layers):
            return self.anatomy
        assert isinstance(work, Explore)
        self.asked.append(work)
        square = np.array(self.left.pop(0), float)
        sums = {name: square if name == "square" else np.sqrt(square) for name in work.sums}
        return Exploration(np.arange(2), sums, np.array([3, 3]), np.zeros(2), 0.1, self.each)


def outcome(number, clients=(0, 1)):
    q = len(clients)
    nothing = Round((), number, Name("m", 0), np.array(clients), q, 1.0, np.full(q, np.nan), np.zeros(q, bool))
    return Outcome(
        nothing, 0.0, 1.0, np.array(clients, np.int64), Updates(np.zeros((q, 3), np.float32)), NONE, np.ones(q, int),
        np.zeros(q), np.ones(q), np.full(q, np.nan), np.zeros(q, bool),
    )  # fmt: skip


def begun(flip, ask):
    return flip.begin(W0, NONE, 0, ask)


def test_the_weight_that_nobody_moves_goes():
    ask = Clients([8.0, 2.0, 0.5])  # g = 4, 1, 0.25: |w0| √g = 2, 2, 1.5
    params, state = begun(AutoFlip(threshold=0.34), ask)
    np.testing.assert_array_equal(params, [1, -2, 0])
    (held,) = AutoFlip().plan(state, 0, np.arange(4), ask).submodels
    assert living(held.keep) == [0, 1]
    (asked,) = ask.asked
    assert (asked.share, asked.epochs, asked.patience, asked.sums) == (0.25, 1, 40, ("square",))
    assert (asked.optimizer, asked.lr) == ("sgd", 0.1)


def test_modes_differ_where_they_should():
    def kept(mode, squares):
        return living(begun(AutoFlip(threshold=0.34, mode=mode), Clients(squares))[1].submodel.keep)

    assert kept("weighted", [2.0, 1.0, 0.5]) == [1, 2]  # 1 * 1, 2 * .71, 3 * .5
    assert kept("square", [2.0, 1.0, 0.5]) == [0, 1]
    assert kept("paper", [2.0, 1.0, 0.5]) == [0, 1]


def test_only_what_a_score_needs_is_sent():
    ask = Clients([8.0, 2.0, 0.5])
    begun(AutoFlip(threshold=0.34, mode="agreement", optimizer="adam"), ask)
    assert ask.asked[0].sums == ("square", "signed") and ask.asked[0].lr == 0.001


def test_nothing_is_asked_where_nothing_is_dropped():
    params, state = begun(AutoFlip(threshold=0.0), None)
    assert params is W0 and state is None
    assert AutoFlip().plan(None, 0, np.arange(2), None) is None
    assert AutoFlip().learn(None, W0, outcome(0), None, frozen=False)[0] is W0


def test_dropped_weights_keep_their_last_value_in_the_master_alone():
    flip, ask = AutoFlip(threshold=0.34, mode="square"), Clients([9.0, 5.0, 1.0])
    _, state = begun(flip, ask)
    params, state = flip.learn(state, np.array([7, 8, 123], np.float32), outcome(0), ask, frozen=False)
    np.testing.assert_array_equal(params, [7, 8, 0])  # whatever came to lie there
    np.testing.assert_array_equal(state.master, [7, 8, 3])


def test_a_refreshed_mask_is_drawn_from_the_master_and_weights_come_back_as_they_were():
    flip = AutoFlip(threshold=0.34, mode="square", schedule="refresh", every=2, shrink=0.0)
    ask = Clients([9.0, 5.0, 1.0], [1.0, 5.0, 9.0])
    params, state = begun(flip, ask)
    params, state = flip.learn(state, params + np.array([1, 1, 0], np.float32), outcome(0), ask, frozen=False)
    assert len(ask.asked) == 1 and living(state.submodel.keep) == [0, 1]
    params, state = flip.learn(state, params, outcome(1, clients=(4, 7)), ask, frozen=False)
    again = ask.asked[1]
    np.testing.assert_array_equal(again.params, [2, -1, 3])  # the un-pruned master
    assert (again.clients.tolist(), again.number) == ([4, 7], 2)
    assert living(state.submodel.keep) == [1, 2]
    np.testing.assert_array_equal(params, [0, -1, 3])
    np.testing.assert_array_equal(state.master, [2, -1, 3])


def test_masks_are_frozen_while_a_cohort_is_looked_into_and_children_inherit():
    flip, ask = AutoFlip(threshold=0.34, schedule="refresh", every=1), Clients([9.0, 5.0, 1.0])
    params, state = begun(flip, ask)
    _, after = flip.learn(state, params, outcome(0), ask, frozen=True)
    assert after.submodel is state.submodel and len(ask.asked) == 1


def test_a_cohorts_own_guidance_is_shrunk_towards_everybodys():
    flip = AutoFlip(threshold=0.34, mode="square", schedule="refresh", every=1, shrink=2.0)  # λ = 1/2
    ask = Clients([8.0, 4.0, 0.0], [0.0, 0.0, 4.0], [0.0, 0.0, 4.0])
    params, state = begun(flip, ask)
    params, state = flip.learn(state, params, outcome(0), ask, frozen=False)
    np.testing.assert_allclose(state.guidance.square, [2, 1, 1])
    params, state = flip.learn(state, params, outcome(1), ask, frozen=False)
    np.testing.assert_allclose(state.guidance.square, [2, 1, 1])  # towards the first one, not the last


def test_per_round_masks_follow_the_participants():
    each = np.array([[9, 5, 1], [1, 5, 9]], np.float32)
    flip, ask = AutoFlip(threshold=0.34, mode="square", schedule="per-round"), Clients([10.0, 10.0, 10.0], each=each)
    params, state = begun(flip, ask)
    assert ask.asked[0].each
    _, first = flip.learn(state, params, outcome(0, clients=(0,)), ask, frozen=False)
    _, second = flip.learn(state, params, outcome(0, clients=(1, 9)), ask, frozen=False)
    _, nobody = flip.learn(first, params, outcome(1, clients=(9,)), ask, frozen=False)
    assert [living(s.submodel.keep) for s in (first, second, nobody)] == [[0, 1], [1, 2], [0, 1]]


def test_nobody_comes_back_with_finite_weights():
    class Diverged(Clients):
        def __call__(self, work, *, charge=True):
            found = super().__call__(work, charge=charge)
            return found if isinstance(found, Anatomy) else replace(found, clients=np.zeros(0, np.int64))

    with pytest.raises(ConfigError, match=r"no explorer .* at lr 0.1; lower pruning.lr"):
        begun(AutoFlip(), Diverged([1.0, 1.0, 1.0]))


def test_a_frozen_tensor_gives_no_nan_in_any_mode():
    two = Anatomy((Tensor("a", (2,), 0), Tensor("still", (1,), 2)))
    for mode in ("weighted", "square", "agreement", "paper"):
        for how in ("minmax", "robust"):
            _, state = begun(AutoFlip(threshold=0.5, mode=mode, normalisation=how), Clients([1.0, 3, 0], anatomy=two))
            assert state.submodel.kept == 2, (mode, how)


def test_the_state_comes_back_from_a_checkpoint():
    _, state = begun(AutoFlip(schedule="per-round"), Clients([1.0, 2, 3], each=np.ones((2, 3), np.float32)))
    again = unpack(pack(state))
    assert isinstance(again, Flip) and again.submodel.version == state.submodel.version
    np.testing.assert_array_equal(again.each[1], state.each[1])


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("threshold", 1.0, r"pruning.threshold should be in \[0, 1\)"),
        ("explorers", 0.0, "pruning.explorers"),
        ("patience", 0, "pruning.patience"),
        ("structured", -0.1, "pruning.structured"),
        ("every", 0, "pruning.every"),
        ("steps", -1, "pruning.steps"),
        ("lr", -1.0, "pruning.lr"),
    ],
)
def test_what_cannot_be_is_refused(field, value, words):
    with pytest.raises(ConfigError, match=words):
        AutoFlip(**{field: value})


def test_units_are_refused_where_there_are_none():
    with pytest.raises(ConfigError, match=r"pruning\.structured should be 0 for a model without channels"):
        AutoFlip(structured=0.3).fits(THREE)
