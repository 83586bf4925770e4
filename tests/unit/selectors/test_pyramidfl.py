"""PyramidFL: who works more, who sends less, and what that costs."""

from dataclasses import replace

import numpy as np
import pytest
from rounds import ids, ledger, outcome

import horae
from horae.errors import ConfigError
from horae.selectors import PyramidFL
from horae.selectors.met import nobody


def tiers(clients, utility, seconds, steps):
    state = PyramidFL().init()
    arms = replace(state.arms, met=nobody("utility", "duration_s", "last").put(clients, utility=np.asarray(utility)))
    return replace(state, arms=arms, work=state.work.put(clients, usual_s=np.asarray(seconds), steps=steps))


def test_the_quick_work_until_the_median():
    # t = 3, 10, 20, 25, 30, T = 20: slack 17 and 10. Of 5 steps each takes .6 and 2 s: floor(28.3) and 5 more steps.
    state = tiers(ids(1, 2, 3, 4, 5), np.ones(5), [3.0, 10.0, 20.0, 25.0, 30.0], 5.0)
    everybody = ids(1, 2, 3, 4, 5, 9)
    np.testing.assert_allclose(PyramidFL().efforts(state, everybody)[0], [6.6, 2, 1, 1, 1, 1])
    np.testing.assert_allclose(PyramidFL(most=3).efforts(state, everybody)[0], [4, 2, 1, 1, 1, 1])
    np.testing.assert_allclose(PyramidFL(beta=0.5).efforts(state, everybody)[0], [3.8, 1.5, 1, 1, 1, 1])
    np.testing.assert_array_equal(PyramidFL().efforts(PyramidFL().init(), everybody), np.ones((2, 6)))


def test_the_less_useful_send_less():
    state = tiers(ids(1, 2, 3), [1.0, 3.0, 2.0], np.ones(3), 5.0)
    _, sent = PyramidFL(low=0.1, high=0.5).efforts(state, ids(1, 2, 3, 9))
    np.testing.assert_allclose(sent, [0.5, 0.9, 0.7, 1.0])
    np.testing.assert_allclose(PyramidFL(low=0.1).efforts(state, ids(2))[1], [0.9])  # alone it is the first


def test_utility_is_the_gradients_norm_whatever_the_work():
    # ‖(3, 4)‖ = 5 after 5 steps at lr .1 is a gradient of 10; ‖(6, 8)‖ after 10 steps with a quarter sent: 10 / √.25.
    rows = np.array([[3, 4], [6, 8]], np.float32)
    told = {"steps": ids(5, 10), "lr": 0.1, "sent": np.array([1.0, 0.25])}
    came = outcome([0, 1], rows=rows, samples=[2, 2], durations=[10.0, 30.0], **told)
    state = PyramidFL().learn(PyramidFL().init(), came)
    np.testing.assert_allclose(state.arms.met.columns["utility"], [20, 40])
    assert state.work.columns["steps"].tolist() == [5, 10]
    later = PyramidFL().learn(state, outcome([0], durations=[25.0], steps=ids(10), lr=0.1))
    assert later.work.of(ids(0), "usual_s").tolist() == [12.5]  # 25 s for twice its usual 5 steps


SMALL = {
    "participants": 10, "budget": {"participations": 200}, "clustering": {"name": "single"}, "baseline": "none",
    "overcommit": 1.5,
    "population": {"name": "digits-rotated", "clients": 60}, "devices": {"name": "synthetic", "ms_per_sample": 3000.0},
    "availability": {"name": "always"}, "deadline_s": 1e6,
}  # fmt: skip


@pytest.mark.parametrize("cost", ["fedscale", "model-aware"])
def test_more_work_and_less_sent_reach_the_ledger_and_the_clock(tmp_path, monkeypatch, cost):
    monkeypatch.setattr("horae.report.html.write_report", lambda directory: None)
    runs = {}
    for name, selector in {
        "plain": PyramidFL(beta=0.0, high=0.0), "more": PyramidFL(high=0.0), "less": PyramidFL(beta=0.0)
    }.items():  # fmt: skip
        horae.run({**SMALL, "cost": {"name": cost}}, selector=selector, out=tmp_path / name)
        runs[name] = ledger(tmp_path / name)["train"]
    for row in runs.values():
        row["flops"] /= row["participations"]
        row["client_s"] /= row["participations"]
        row["nbytes_up"] /= row["participations"]
    assert runs["more"]["flops"] > 1.1 * runs["plain"]["flops"]
    assert runs["more"]["client_s"] > 1.05 * runs["plain"]["client_s"] if cost == "fedscale" else True
    assert runs["more"]["nbytes_up"] == runs["plain"]["nbytes_up"]
    assert runs["less"]["nbytes_up"] < 0.9 * runs["plain"]["nbytes_up"]


@pytest.mark.parametrize(("field", "value"), [("beta", 2.0), ("most", -1.0), ("low", 0.7), ("high", 1.0)])
def test_a_constant_out_of_range_is_one_line(field, value):
    with pytest.raises(ConfigError, match=rf"^selector\.{field} should be .*, got .*$"):
        PyramidFL(**{field: value})
