"""Each algorithm's server step and local rule, with numbers worked out by hand."""

import numpy as np
import pytest

from horae.algorithms import (
    ALGORITHMS,
    FTFA,
    Ditto,
    FedAdam,
    FedAvg,
    FedAvgM,
    FedBuff,
    FedProx,
    FedYogi,
    QFedAvg,
    Scaffold,
)
from horae.errors import ConfigError
from horae.types import ROOT, Correction, Keeping, Late, Outcome, Personal, Ref, Round, Updates, Weighing


def outcome(rows, **more):
    rows = np.asarray(rows, np.float32)
    q = len(rows)
    nothing, ids = np.full(q, np.nan), np.arange(q)
    round_ = Round(ROOT, 0, Ref("m", 0), ids, q, 1e9, nothing, np.zeros(q, bool))
    told = {"samples": np.ones(q, int), "losses": np.ones(q), **more}
    return Outcome(
        round_, 0.0, 1.0, ids, Updates(rows), np.zeros(0, np.float32), told.pop("samples"), told.pop("losses"),
        np.ones(q), nothing, round_.exploring, **told,
    )  # fmt: skip


def stepped(algorithm, rows, start=(0.0, 0.0), state=None, **more):
    """The model and the state after one round."""
    round_, start = outcome(rows, **more), np.array(start, np.float32)
    weights = algorithm.weigh(round_)
    direction = round_.updates.combine(weights / weights.sum())
    return algorithm.step(algorithm.init(start) if state is None else state, start, direction, round_)


def test_fedavgm_adds_up_what_came_before():
    algorithm = FedAvgM(lr=0.5, beta=0.9)
    first, v = stepped(algorithm, [[2, 0], [0, 4]])  # the mean is (1, 2)
    np.testing.assert_allclose(first, [0.5, 1.0])
    second, v = stepped(algorithm, [[1, 0], [1, 0]], first, v)  # v = 0.9 (1, 2) + (1, 0)
    np.testing.assert_allclose(v, [1.9, 1.8], rtol=1e-6)
    np.testing.assert_allclose(second, [0.5 + 0.95, 1.0 + 0.9], rtol=1e-6)


def test_fedavgm_without_momentum_is_fedavg():
    rows, samples = [[2, 0], [0, 4]], np.array([3, 1])
    np.testing.assert_array_equal(
        stepped(FedAvgM(beta=0.0), rows, samples=samples)[0], stepped(FedAvg(), rows, samples=samples)[0]
    )


def test_fedadam_by_hand():
    algorithm = FedAdam(lr=0.1, beta1=0.5, beta2=0.75, tau=1.0)
    first, state = stepped(algorithm, [[2, -4]])  # m = Δ/2 = (1, -2); v = 3/4 + Δ²/4 = (1.75, 4.75)
    np.testing.assert_allclose(state.m, [1, -2])
    np.testing.assert_allclose(state.v, [1.75, 4.75])
    np.testing.assert_allclose(first, [0.1 / (1 + 1.75**0.5), -0.2 / (1 + 4.75**0.5)], rtol=1e-6)
    _, state = stepped(algorithm, [[0, 0]], first, state)
    np.testing.assert_allclose(state.v, [1.75 * 0.75, 4.75 * 0.75])


def test_fedyogi_moves_its_second_moment_by_a_fixed_share_of_the_square():
    algorithm = FedYogi(lr=0.1, beta1=0.5, beta2=0.75, tau=1.0)
    _, state = stepped(algorithm, [[2, 0.5]])  # v - Δ² = (-3, 0.75): v = 1 + 4/4 and 1 - 0.25/4
    np.testing.assert_allclose(state.v, [2, 0.9375])


def test_fedprox_pulls_back():
    assert FedProx(mu=0.3).correction(None) == Correction(prox=0.3)  # + μ (w - w0): see `Correction`
    np.testing.assert_allclose(stepped(FedProx(lr=2.0), [[1, 3]])[0], [2, 6])


def test_qfedavg_by_hand():
    """q = 1, L = 1/0.5 = 2, F = (1, 3), u = (1, 0) and (0, 2).

    Σ Δ = -(1·2·u_1 + 3·2·u_2) = -(2, 12); h = ‖2 u‖² + 2 F = (4 + 2, 16 + 6), 28 together.
    """
    algorithm, told = QFedAvg(q=1.0), {"losses": np.array([1.0, 3.0]), "lr": 0.5}
    np.testing.assert_allclose(algorithm.weigh(outcome([[1, 0], [0, 2]], **told)), [1 / 3, 1])
    np.testing.assert_allclose(stepped(algorithm, [[1, 0], [0, 2]], (5, 5), **told)[0], [5 + 2 / 28, 5 + 12 / 28])


def test_qfedavg_is_the_plain_mean_for_q_0_and_bears_odd_losses():
    rows = [[1, 0], [0, 2]]
    same = stepped(QFedAvg(q=0.0), rows, losses=np.array([1.0, 9.0]), samples=np.array([1, 7]), lr=0.1)[0]
    np.testing.assert_allclose(same, [0.5, 1.0])
    for losses in ([0.0, 0.0], [1.0, np.nan], [np.inf, 2.0], [1e-300, 1e30]):
        for q in (0.5, 1.0, 10.0):
            assert np.isfinite(stepped(QFedAvg(q=q), rows, losses=np.array(losses), lr=0.1)[0]).all()


def test_a_higher_q_listens_to_who_is_served_badly():
    told = {"losses": np.array([1.0, 2.0])}
    shares = [(w := QFedAvg(q=q).weigh(outcome([[1, 0], [0, 1]], **told)))[1] / w.sum() for q in (0, 1, 2)]
    np.testing.assert_allclose(shares, [1 / 2, 2 / 3, 4 / 5])


def test_scaffold_by_hand():
    """c = (1, 0), lr 0.5, K = 2 and 4, updates (-2, 0) and (0, 4): c_i⁺ - c_i = -c - update / (K lr)."""
    algorithm, c = Scaffold(), np.array([1, 0], np.float32)
    kept, updates = np.array([[0, 0], [5, 5]], np.float32), np.array([[-2, 0], [0, 4]], np.float32)
    told = algorithm.correction(c)
    np.testing.assert_array_equal(algorithm.bend(told, kept).drift, [[1, 0], [-4, -5]])
    later, sent = algorithm.keep(told, kept, updates, np.array([2, 4]), 0.5)
    np.testing.assert_allclose(later, [[1, 0], [4, 3]])  # by -1 + 2/1 = 1;  by -1 - 0, -4/2
    np.testing.assert_array_equal(sent, later)
    heard = {"extra": sent.mean(axis=0), "steps": np.array([2, 4]), "lr": 0.5}  # (2.5, 1.5)
    model, after = stepped(algorithm, updates, state=c, population=10, **heard)
    np.testing.assert_allclose(model, [-1, 2])
    np.testing.assert_allclose(after, [1 + 0.2 * 1.5, 0.2 * 1.5])
    _, after = stepped(algorithm, updates, state=c, population=4, **heard)
    np.testing.assert_allclose(after, [1 + 0.5 * 1.5, 0.5 * 1.5])  # half of all clients are more than follow
    _, paper = stepped(Scaffold(follow=0), updates, state=c, population=10, **heard)
    np.testing.assert_allclose(paper, [1 + 0.2 * 0.0, 0.2 * -1.0])


def test_scaffold_keeps_what_it_had_where_a_client_took_no_step_or_diverged():
    told, kept = Scaffold().correction(np.ones(2, np.float32)), np.full((3, 2), 7, np.float32)
    updates = np.array([[0, 0], [np.nan, 0], [-1, -1]], np.float32)
    later, sent = Scaffold().keep(told, kept, updates, np.array([0, 3, 1]), 1.0)
    np.testing.assert_array_equal(sent, later)
    np.testing.assert_array_equal(later, [[7, 7], [7, 7], [7, 7]])  # the last one's -1 + 1 is 0
    assert later.dtype == np.float32


def test_fedbuff_weighs_by_staleness():
    """τ = 0 and 3: s = 1 and 1/2. Σ s Δ / K = (1·(2, 0) + 1/2·(0, 4)) / 2 = (1, 1), whatever the samples."""
    told = {"staleness": np.array([0, 3]), "samples": np.array([9, 1])}
    np.testing.assert_allclose(stepped(FedBuff(), [[2, 0], [0, 4]], **told)[0], [1, 1])
    np.testing.assert_allclose(stepped(FedBuff(lr=0.5), [[2, 0], [0, 4]], **told)[0], [0.5, 0.5])
    np.testing.assert_allclose(stepped(FedBuff(), [[2, 0], [0, 4]])[0], [1, 2])  # nobody is late


def test_who_has_which_abilities():
    """They are found by the names of attributes, so a stray one would change how a run goes."""
    abilities = {
        Keeping: {"scaffold"}, Personal: {"ftfa", "ditto"}, Late: {"fedbuff"}, Weighing: {"qfedavg", "fedbuff"},
    }  # fmt: skip
    ours = ["fedavg", "fedavgm", "fedadam", "fedyogi", "fedprox", "qfedavg", "scaffold", "ftfa", "ditto", "fedbuff"]
    for ability, names in abilities.items():
        assert {name for name in ours if isinstance(ALGORITHMS[name](), ability)} == names
    assert (FTFA(steps=3, lr=0.2).tuning.steps, FTFA(lr=0.2).tuning.lr, FTFA().tuning.remembered) == (3, 0.2, False)
    assert (Ditto(lam=0.7).tuning.prox, Ditto(steps=2).tuning.steps, Ditto().tuning.remembered) == (0.7, 2, True)


@pytest.mark.parametrize(
    ("cls", "field", "value", "should"),
    [
        (FedAvgM, "beta", 1.0, "be in [0, 1)"), (FedAdam, "tau", 0.0, "be >= 1e-9 and <= 1000"),
        (FedAdam, "beta2", -0.1, "be in [0, 1)"), (FedProx, "mu", -1.0, "be in [0, 1000]"),
        (QFedAvg, "q", -1.0, "be in [0, 10]"), (QFedAvg, "q", float("nan"), "be in [0, 10]"),
        (Scaffold, "lr", 0.0, "be > 0 and <= 1000"), (FTFA, "steps", 0, "be in [1, 10000]"),
        (Ditto, "lam", -0.1, "be in [0, 1000]"), (FedBuff, "staleness", 0, "be in [1, 10000]"),
    ],
)  # fmt: skip
def test_a_value_out_of_range_is_one_line(cls, field, value, should):
    with pytest.raises(ConfigError) as caught:
        cls(**{field: value})
    assert str(caught.value).startswith(f"algorithm.{field} should {should}, got {value!r}")
    assert "\n" not in str(caught.value)
