"""The rivals of AutoFLIP from prepared answers: what goes, what comes back, and when."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from test_autoflip import outcome
from test_common import PERCEPTRON, TWO, living

from horae.errors import ConfigError
from horae.pruning import FedDst, Magnitude, PruneFL, Random, Ssfl
from horae.pruning.common import prunable
from horae.pruning.feddst import swapped
from horae.pruning.prunefl import seconds_of, worthwhile
from horae.pruning.regrowth import Sparse
from horae.pure.anatomy import Anatomy, Tensor
from horae.pure.packing import pack, unpack
from horae.types import Capacity, Exploration, Explore, Layers, Practice, Practise, Speeds, Submodel, Updates

NONE = np.zeros(0, np.float32)
FIVE = Anatomy((Tensor("a", (5,), 0, "weight", 10), Tensor("out", (2,), 5, "classifier", 4)))
W5 = np.array([1, -2, 3, -4, 5, 6, 7], np.float32)
BOTH = pytest.mark.parametrize("regrowing", [PruneFL, FedDst])
ALL = [Random, Magnitude, Ssfl, PruneFL, FedDst]


class Clients:
    """Answers gradients one after the other, one client's update, and devices; notes what was asked."""

    def __init__(self, *gradients, anatomy=FIVE, update=None, found=2, kbps=(64.0, 64.0)):
        self.left, self.anatomy, self.update, self.found, self.asked = list(gradients), anatomy, update, found, []
        self.kbps = np.array(kbps)

    def __call__(self, work, *, charge=True):
        if isinstance(work, Layers):
            return self.anatomy
        if isinstance(work, Speeds):
            return Capacity(np.ones(self.kbps.size), self.kbps)
        self.asked.append(work)
        if isinstance(work, Practise):
            update = np.zeros(work.params.size) if self.update is None else np.asarray(self.update)
            return Practice(np.array([7]), Updates(update[None].astype(np.float32)), np.array([9]), np.ones(1))
        assert isinstance(work, Explore) and charge
        gradient = np.asarray(self.left.pop(0) if self.left else np.ones(work.params.size), float)
        (kind,) = work.sums
        n = self.found
        total = n * {"square": np.square, "absolute": np.abs}[kind](gradient)
        return Exploration(np.arange(n), {kind: total}, np.ones(n, int), np.zeros(n), work.lr)


def flat(n):
    return np.linspace(-1, 1, n, dtype=np.float32)


def sparse(keep, may=None):
    keep = np.array(keep, bool)
    return Sparse(Submodel(keep), np.ones(keep.size, bool) if may is None else np.array(may, bool))


# ---------------------------------------------------------------- masks that stay


def test_small_weights_go():
    params, submodel = Magnitude(threshold=0.4).begin(W5, NONE, 0, Clients())
    np.testing.assert_array_equal(params, [0, 0, 3, -4, 5, 6, 7])
    assert living(submodel.keep) == [2, 3, 4, 5, 6]


def test_of_equal_weights_the_first_go():
    _, submodel = Magnitude(threshold=0.4).begin(np.ones(7, np.float32), NONE, 0, Clients())
    assert living(~submodel.keep) == [0, 1]


def test_weights_without_slope_go():
    ask = Clients([1.0, -0.2, 0.1, 0.5, -0.1, 0.0, 0.0])  # |g w|: 1, .4, .3, 2, .5
    params, submodel = Ssfl(threshold=0.4, explorers=0.5).begin(W5, NONE, 0, ask)
    assert living(~submodel.keep) == [1, 2]
    np.testing.assert_array_equal(params, [1, 0, 0, -4, 5, 6, 7])
    (asked,) = ask.asked
    assert asked.clients is None
    assert (asked.share, asked.steps, asked.epochs, asked.lr, asked.optimizer, asked.sums, asked.purpose) == (
        0.5, 1, 1, 1.0, "sgd", ("absolute",), "exploration",
    )  # fmt: skip


def test_a_random_mask_is_the_seeds():
    wide, w = Anatomy((Tensor("a", (1000,), 0),)), np.ones(1000, np.float32)

    def mask(seed):
        return Random(threshold=0.5).begin(w, NONE, seed, Clients(anatomy=wide))[1].keep

    np.testing.assert_array_equal(mask(1), mask(1))
    assert 400 < (mask(1) == mask(2)).sum() < 600  # as often as chance has it
    assert mask(1).sum() == 500


def test_whole_units_go_first():
    w = np.arange(1, 18, dtype=np.float32)
    ask = Clients(anatomy=PERCEPTRON)
    _, submodel = Magnitude(threshold=0.5, structured=0.3).begin(w, NONE, 0, ask)
    gone = living(~submodel.keep)  # a neuron with all it owns, and one of the weights that are left
    assert gone == [0, 1, 2, 6, 9, 12]
    assert living(prunable(PERCEPTRON) & ~submodel.keep) == [0, 1, 2]
    chosen = {living(~Random(threshold=0.0, structured=0.3).begin(w, NONE, s, ask)[1].keep)[0] for s in range(20)}
    assert chosen == {0, 2, 4}  # any neuron


def test_a_mask_stays_and_what_was_dropped_is_zero():
    magnitude = Magnitude(threshold=0.4)
    params, state = magnitude.begin(W5, NONE, 0, Clients())
    later, after = magnitude.learn(state, params + 1, outcome(0), None, frozen=False)
    assert after is state
    np.testing.assert_array_equal(later, [0, 0, 4, -3, 6, 7, 8])


@pytest.mark.parametrize("pruning", [cls(threshold=0.0) for cls in ALL], ids=lambda p: type(p).__name__)
def test_nothing_is_asked_where_nothing_goes(pruning):
    params, state = pruning.begin(W5, NONE, 0, None)
    assert params is W5 and state is None
    assert pruning.plan(None, 0, np.arange(2), None) is None
    assert pruning.learn(None, W5, outcome(0), None, frozen=False)[0] is W5


@pytest.mark.parametrize("cls", ALL)
@settings(max_examples=40)
@given(
    threshold=st.floats(0.01, 0.99),
    scores=arrays(np.float32, 17, elements=st.floats(-3, 3, width=32)),
    structured=st.sampled_from([0.0, 0.3]),
)
def test_all_drop_equally_many_weights(cls, threshold, scores, structured):
    pruning = cls(threshold=threshold, structured=structured, floor=0.0)
    params, state = pruning.begin(scores, NONE, 3, Clients(scores, anatomy=PERCEPTRON))
    (submodel,) = pruning.plan(state, 0, np.arange(3), None).submodels
    gone = int((prunable(PERCEPTRON) & ~submodel.keep).sum())
    assert gone == max(int(threshold * 6 + 1e-9), 2 if structured else 0)
    assert not params[~submodel.keep].any()
    np.testing.assert_array_equal(params[submodel.keep], scores[submodel.keep])
    again = pruning.begin(scores, NONE, 3, Clients(scores, anatomy=PERCEPTRON))[1]
    np.testing.assert_array_equal(pruning.plan(again, 0, np.arange(3), None).submodels[0].keep, submodel.keep)
    restored = unpack(pack(state))
    np.testing.assert_array_equal(pruning.plan(restored, 0, np.arange(3), None).submodels[0].keep, submodel.keep)


# ---------------------------------------------------------------- masks that change


@BOTH
def test_masks_change_in_their_rounds_and_never_while_frozen(regrowing):
    pruning = regrowing(threshold=0.4, every=3)
    ask = Clients()
    params, state = pruning.begin(W5, NONE, 0, ask)
    begun = len(ask.asked)
    for number, frozen in ((0, False), (1, False), (2, True), (3, False)):
        later, state_ = pruning.learn(state, params, outcome(number), ask, frozen=frozen)
        assert state_ is state
        np.testing.assert_array_equal(later, params)
    assert len(ask.asked) == begun
    pruning.learn(state, params, outcome(2, clients=(4, 8)), ask, frozen=False)
    (asked,) = ask.asked[begun:]
    assert (asked.clients.tolist(), asked.number, asked.steps, asked.lr) == ([4, 8], 3, 1, 1.0)
    np.testing.assert_array_equal(asked.params, params)  # zeros where weights were dropped


@pytest.mark.parametrize("pruning", [PruneFL(0.4, every=1), FedDst(0.4, every=1, alpha=1.0)], ids=type)
def test_a_mask_stays_where_nobody_can_tell(pruning):
    params, state = pruning.begin(W5, NONE, 0, Clients())
    later, after = pruning.learn(state, params, outcome(0), Clients(found=0), frozen=False)
    np.testing.assert_array_equal(after.submodel.keep, state.submodel.keep)
    np.testing.assert_array_equal(later, params)


@pytest.mark.parametrize("pruning", [PruneFL(0.4, every=1, drop=0.5), FedDst(0.4, every=1, alpha=1.0)], ids=type)
@pytest.mark.parametrize("structured", [0.0, 0.3])
@settings(max_examples=30)
@given(data=st.data())
def test_as_many_live_whatever_changes_and_who_comes_begins_at_zero(pruning, structured, data):
    pruning = type(pruning)(**{**vars(pruning), "structured": structured})
    numbers = arrays(np.float32, 17, elements=st.floats(-3, 3, width=32))
    ask = Clients(*(data.draw(numbers) for _ in range(3)), anatomy=PERCEPTRON)
    params, first = pruning.begin(data.draw(numbers), NONE, 0, ask)
    state = first
    for number in range(3):
        moved = params + data.draw(numbers)  # also where weights were dropped: no part of the loop may let them live
        params, after = pruning.learn(state, moved, outcome(number), ask, frozen=False)
        was, now = state.submodel.keep, after.submodel.keep
        assert now.sum() == was.sum()
        assert not params[~now].any() and not params[now & ~was].any()
        np.testing.assert_array_equal(params[now & was], moved[now & was])
        assert now[~prunable(PERCEPTRON) & first.submodel.keep].all()
        gone = ~PERCEPTRON.alive(first.submodel.keep)
        assert not PERCEPTRON.alive(now)[gone].any()  # a unit that was taken out stays out
        state = unpack(pack(after))


# ---------------------------------------------------------------- FedDST


def test_small_weights_make_room_for_large_gradients():
    state = sparse([0, 1, 1, 1, 1, 0, 0, 1, 1, 0])  # a: 3 of 4 live, b: 3 of 6
    weights = np.array([0, 3, 1, 2, 9, 0, 0, 8, 1, 0], np.float32)
    gains = np.array([5, 0, 1, 0, 0, 2, 7, 0, 9, 3], float)
    keep = swapped(TWO, state, weights, gains, 0.4)  # one of each tensor
    assert living(keep[:4]) == [0, 1, 3]
    assert living(keep[4:]) == [0, 3, 4]  # the smallest has the largest gradient: it stays
    keep = swapped(TWO, state, weights, np.zeros(10), 0.4)
    assert living(keep) == [0, 1, 3, 4, 5, 7]  # of equal gradients the first comes


def test_weights_of_missing_units_do_not_come():
    state = sparse([1, 1, 0, 0, 1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 1, 1, 1, 1, 1, 1])
    keep = swapped(TWO, state, np.arange(10, dtype=np.float32), np.array([0, 0, 1, 9, 0, 0, 0, 0, 0, 0.0]), 0.5)
    assert living(keep[:4]) == [1, 2]


def test_ever_fewer_are_swapped():
    # α/2 (1 + cos(π t / 4)) with α = .8 and n = 10: t = 1: 6.8, t = 2: 4, t = 3: 1.2, t = 4: no more
    wide = Anatomy((Tensor("a", (20,), 0),))
    feddst = FedDst(threshold=0.5, every=1, stop=4, alpha=0.8, first="magnitude")
    w = np.arange(1, 21, dtype=np.float32)
    params, state = feddst.begin(w, NONE, 0, Clients(anatomy=wide))
    assert living(state.submodel.keep) == list(range(10, 20))
    for number, k in ((0, 6), (1, 4), (2, 1), (3, 0)):
        gradient = np.where(state.submodel.keep, 0.0, 1.0)
        ask = Clients(gradient, anatomy=wide)
        _, after = feddst.learn(state, params, outcome(number), ask, frozen=False)
        assert (state.submodel.keep & ~after.submodel.keep).sum() == k
        assert len(ask.asked) == (k > 0)


# ---------------------------------------------------------------- PruneFL


def test_one_client_draws_the_first_mask_and_nothing_else():
    ask = Clients(update=[0, 9, 0, 4, 0, 0, 0])  # |w|: 1, 7, 3, 0, 5
    params, _ = PruneFL(threshold=0.4, steps=50).begin(W5, NONE, 0, ask)
    np.testing.assert_array_equal(params, [0, -2, 3, 0, 5, 6, 7])
    (asked,) = ask.asked
    assert (asked.n, asked.clients, asked.steps, asked.purpose) == (1, None, 50, "exploration")


def test_a_first_client_that_diverges_is_told_of():
    with pytest.raises(ConfigError, match=r"lower training\.lr"):
        PruneFL().begin(W5, NONE, 0, Clients(update=[np.nan] * 7))
    with pytest.raises(ConfigError, match=r"lower training\.lr"):
        Ssfl().begin(W5, NONE, 0, Clients(found=0))


def test_the_best_for_their_time_come_back():
    # Weights 0 and 1 are dropped, 2 is the smallest third of those that live: of these three one may live.
    state = sparse([0, 0, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0, 0])
    params = np.array([0, 0, 3, 4, 5, 6, 7], np.float32)
    prune, t = PruneFL(threshold=0.4, drop=0.34), np.ones(7)

    def kept(squares, seconds=t, how=prune):
        return living(how.chosen(FIVE, state, params, np.array(squares, float), np.array(seconds, float)))

    assert kept([1, 3, 2, 0, 0, 0, 0]) == [1, 3, 4, 5, 6]
    assert kept([1, 3, 2, 0, 0, 0, 0], [1, 4, 1, 1, 1, 1, 1]) == [2, 3, 4, 5, 6]  # 1, .75, 2 for their time
    assert kept([1, 1, 1, 0, 0, 0, 0]) == [2, 3, 4, 5, 6]  # of equal ones the first go


def test_gamma_says_how_many_where_it_may():
    state, t = sparse([0, 0, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0, 0]), np.ones(7)
    params = np.array([0, 0, 3, 4, 5, 6, 7], np.float32)
    free = PruneFL(threshold=0.6, drop=0.34, exact=False)

    def kept(squares):
        return living(free.chosen(FIVE, state, params, np.array(squares, float), t))

    assert kept([0, 0, 0, 1, 1, 1, 1]) == [3, 4, 5, 6]  # Γ = 1: none comes, three of five are gone
    assert kept([2, 3, 0, 1, 1, 1, 1]) == [0, 1, 3, 4, 5, 6]  # 3 > 4/4, then 2 > 7/5, then 0 < 9/6
    assert kept([2, 9, 0, 1, 1, 1, 1]) == [1, 3, 4, 5, 6]  # 9 > 4/4, then 2 < 13/5
    least = PruneFL(threshold=0.2, drop=0.34, exact=False)
    squares = np.array([0, 1, 2, 9, 9, 9, 9], float)
    assert living(least.chosen(FIVE, state, params, squares, t)) == [1, 2, 3, 4, 5, 6]  # at most one of five goes


def test_worth_is_measured_against_all_that_live_so_far():
    squares, seconds = np.array([4.0, 6, 3, 2]), np.array([2.0, 1, 1, 1])
    kept = np.array([True, False, False, False])
    assert worthwhile(squares, seconds, kept, ~kept) == 1  # Γ = 2 < 6, then 10 / 3 > 3
    assert worthwhile(np.array([4.0, 6, 6, 6]), seconds, kept, ~kept) == 3
    assert worthwhile(np.array([4.0, 1, 1, 2]), seconds, kept, ~kept) == 0  # what is as good as the mean is left away
    assert worthwhile(np.array([4.0, 1, 1, 2]), seconds, kept, ~kept, 1.0) == 1  # Γ = 4/3 < 2, then 6/4


@given(arrays(np.float64, 9, elements=st.floats(0, 5)), arrays(np.float64, 9, elements=st.floats(0.1, 5)))
def test_no_other_number_of_weights_has_a_larger_gamma(squares, seconds):
    kept = np.arange(9) < 3
    n = worthwhile(squares, seconds, kept, ~kept)
    order = 3 + np.argsort(-squares[3:] / seconds[3:], kind="stable")

    def gamma(k):
        rows = np.concatenate([np.arange(3), order[:k]])
        return squares[rows].sum() / seconds[rows].sum()

    assert gamma(n) >= max(gamma(k) for k in range(7)) * (1 - 1e-9)


def test_seconds_of_a_weight():
    # 64 bits at 64 kbit/s and 16 kbit/s: 1 and 4 ms, median 2.5 ms. Seven weights take 7 and 28 ms of 10 s and 20 s, so
    # that computing takes 9.993 s and 19.972 s, and 10 / 14 of it belong to five weights, 4 / 14 to two.
    found = seconds_of(FIVE, np.array([10.0, 20.0]), Capacity(np.ones(2), np.array([64.0, 16.0])), 7)
    compute = (9.993 + 19.972) / 2
    np.testing.assert_allclose(found[:5], 0.0025 + compute * 10 / 14 / 5)
    np.testing.assert_allclose(found[5:], 0.0025 + compute * 4 / 14 / 2)
    quick = seconds_of(FIVE, np.zeros(2), Capacity(np.ones(2), np.array([64.0, 64.0])), 7)
    np.testing.assert_allclose(quick, 0.001)  # never less than its bytes


# ---------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Random(threshold=1.0), "pruning.threshold"),
        (lambda: Magnitude(structured=-0.1), "pruning.structured"),
        (lambda: FedDst(floor=1.5), "pruning.floor"),
        (lambda: Ssfl(explorers=0.0), "pruning.explorers"),
        (lambda: PruneFL(every=0), "pruning.every"),
        (lambda: PruneFL(drop=0.0), "pruning.drop"),
        (lambda: PruneFL(steps=-1), "pruning.steps"),
        (lambda: PruneFL(constant_s=-1.0), "pruning.constant_s"),
        (lambda: FedDst(stop=0), "pruning.stop"),
        (lambda: FedDst(alpha=1.1), "pruning.alpha"),
    ],
)
def test_numbers_that_cannot_be_are_refused(make, field):
    with pytest.raises(ConfigError, match=field):
        make()


@pytest.mark.parametrize("cls", ALL)
def test_units_are_refused_where_there_are_none(cls):
    cls().fits(FIVE)
    cls(structured=0.2).fits(PERCEPTRON)
    with pytest.raises(ConfigError, match=r"pruning\.structured should be 0"):
        cls(structured=0.2).fits(FIVE)
