import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from horae.pure.affinity import average, instant_reward, labelled, leaves_heard_of, predicted

PATHS = ((), (0,), (1,), (0, 0), (0, 1))


def test_at_mean_plus_deviation_the_reward_is_zero():
    # centre 0 of the two known; distances 1, 1, 1 + sqrt(...) are chosen so that one sits exactly at mean + std:
    # distances (0, 0, 0, 4): mean 1, std sqrt(3), threshold 2.732; reward of the last 1 - 4/2.732 = -0.464
    x = np.array([[0.0], [0.0], [0.0], [4.0]])
    reward = instant_reward(x, np.array([True, True, True, False]))
    np.testing.assert_allclose(reward, [1, 1, 1, 1 - 4 / (1 + np.sqrt(3))])


def test_leave_one_out_measures_a_member_against_the_others():
    # members 0 and 2, nobody else: left out, each is 2 from the other: mean 2, std 0, reward 0; else each is 1 from
    # the centre
    x = np.array([[0.0], [2.0]])
    np.testing.assert_allclose(instant_reward(x, np.ones(2, bool)), [0, 0])
    np.testing.assert_allclose(instant_reward(x, np.ones(2, bool), leave_one_out=False), [0, 0])
    y = np.array([[0.0], [2.0], [10.0]])
    known = np.array([True, True, False])
    # distances 2, 2, 9: mean 13/3, std 3.2998
    np.testing.assert_allclose(instant_reward(y, known), 1 - np.array([2, 2, 9]) / (13 / 3 + np.std([2, 2, 9])))


def test_one_participant_teaches_nothing_and_equal_ones_fit_perfectly():
    assert np.isnan(instant_reward(np.ones((1, 3)), np.array([True]))).all()
    np.testing.assert_array_equal(instant_reward(np.ones((4, 3)), np.zeros(4, bool)), np.ones(4))


@given(
    arrays(np.float64, (7, 3), elements=st.floats(-1e3, 1e3)),
    arrays(np.bool_, 7),
    st.permutations(range(7)),
    st.booleans(),
)
def test_rewards_are_bounded_equivariant_and_scale_free(x, known, order, leave_one_out):
    reward = instant_reward(x, known, leave_one_out=leave_one_out)
    assert (reward <= 1).all()
    assert (reward >= 1 - 7).all()  # no distance exceeds clients times their mean
    shuffled = instant_reward(x[order], known[order], leave_one_out=leave_one_out)
    np.testing.assert_allclose(shuffled, reward[order], atol=1e-6)
    np.testing.assert_allclose(instant_reward(4 * x, known, leave_one_out=leave_one_out), reward, atol=1e-9)


@given(st.lists(st.floats(-5, 1), min_size=1, max_size=30), st.floats(0.01, 1))
def test_the_average_stays_within_what_was_seen(deltas, gamma):
    reward = np.zeros(1)
    for delta in deltas:
        reward = average(reward, np.array([delta]), gamma)
    assert min(0, *deltas) - 1e-9 <= reward[0] <= max(0, *deltas) + 1e-9


def test_figure_7():
    assert predicted(np.array([-3.0]), (0, 0, 1), (0, 0, 0)) == -1.5
    assert predicted(np.array([-3.0]), (0, 0, 1), (0, 1)) == -1.0


def test_a_cohort_is_a_leaf_until_one_hears_of_its_children():
    heard = np.array(
        [[True, False, False, False, False], [True, True, True, False, False], [True, True, True, True, True]]
    )
    leaves = leaves_heard_of(PATHS, heard)
    assert leaves.tolist() == [
        [True, False, False, False, False],
        [False, True, True, False, False],
        [False, False, True, True, True],
    ]


def test_labels_name_the_child():
    cluster = np.array([[1, -1, -1, -1, -1], [0, 1, -1, -1, -1]])
    assert labelled(PATHS, cluster).tolist() == [[False, False, True, False, False], [False, True, False, False, True]]
