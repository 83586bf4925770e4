"""First contact: what it costs, and that a run that asks newcomers goes on after a stop to the same bits."""

import json
from contextlib import suppress

import numpy as np
import pytest

import horae
from horae.clustering import CLUSTERING
from horae.clustering.contact import first_updates, means, strangers, unit
from horae.errors import ConfigError, Stopped
from horae.experiment import load
from horae.types import Practice, Practise, Updates

SMALL = {
    "name": "small", "participants": 12, "baseline": "none", "budget": {"participations": 60},
    "population": {"name": "digits-rotated", "clients": 40}, "evaluation": {"every": 5},
}  # fmt: skip
RIVALS = ["flexcfl", "stocfl", "fedclust", "fedgwc", "fielding"]


@pytest.fixture(autouse=True, scope="module")
def no_reports():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("horae.report.html.write_report", lambda directory: None)
        yield


def events(directory):
    return [json.loads(line) for line in (directory / "events.jsonl").read_text().splitlines()]


def test_strangers_have_no_home():
    assert strangers({3: (0,), 5: (1,)}, np.array([1, 3, 4, 5])).tolist() == [1, 4]
    assert strangers({}, np.zeros(0, np.int64)).tolist() == []


def test_updates_that_are_not_finite_are_left_out():
    rows = np.array([[1, 0], [np.nan, 0], [0, 2]], np.float32)
    answer = Practice(np.array([4, 6, 9]), Updates(rows), np.array([10, 20, 30]), np.array([1.0, 2.0, 3.0]))
    told = first_updates(lambda work: answer, Practise(rows[0], rows[0]))
    assert told.clients.tolist() == [4, 9]
    assert told.samples.tolist() == [10, 30]
    np.testing.assert_array_equal(told.updates.rows, rows[[0, 2]])


def test_unit_rows_and_group_means():
    rows = np.array([[3, 4], [0, 0], [0, -2]])
    np.testing.assert_allclose(unit(rows), [[0.6, 0.8], [0, 0], [0, -1]])
    np.testing.assert_allclose(means(rows, np.array([1, 0, 1]), 2), [[0, 0], [1.5, 1]])


@pytest.mark.parametrize("name", RIVALS)
def test_a_stopped_run_goes_on_to_the_same_bits(tmp_path, name):
    table = {**SMALL, "clustering": {"name": name}}
    horae.run(table, out=tmp_path / "whole")
    turns = iter(range(100))
    with pytest.raises(Stopped):
        horae.run(table, out=tmp_path / "run", stop=lambda: next(turns) >= 1)
    while not (tmp_path / "run" / "summary.json").exists():
        with suppress(Stopped):
            horae.run(resume=tmp_path / "run", stop=iter([False, False, True] * 9).__next__)
    assert (tmp_path / "run" / "events.jsonl").read_bytes() == (tmp_path / "whole" / "events.jsonl").read_bytes()


@pytest.mark.parametrize("name", ["flexcfl", "stocfl", "fedclust"])
def test_first_contact_is_in_the_ledger_and_on_the_clock(tmp_path, name):
    """650 weights of 4 bytes down, and up what is sent; 20 steps of 10 samples, forward and backward; the slowest
    answer delays the first round, which would begin after 1800 s."""
    table = {**SMALL, "clustering": {"name": name}, "availability": {"name": "always"}}
    if name == "fedclust":
        table["clustering"]["last"] = 0.5
    horae.run(table, out=tmp_path / "run")
    log = events(tmp_path / "run")
    bill = log[-1]["ledger"]["pre-training"]
    if name == "stocfl":  # those who were gathered
        rounds = [e for e in log if e["event"] == "round"]
        invited = {c for e in rounds for c in [*e["clients"], *e.get("unused", ())]}
        assert len(invited) <= bill["participations"] <= 40
    else:  # everybody is there for the first batch
        assert bill["participations"] == 40
    assert bill["nbytes_down"] == 2600 * bill["participations"]
    assert bill["nbytes_up"] == (1300 if name == "fedclust" else 2600) * bill["participations"]
    flops = next(e for e in log if e["event"] == "run")["flops_per_sample"]
    assert bill["flops"] == bill["participations"] * 20 * 10 * 3 * flops
    began = {e["started_s"] for e in log if e["event"] == "round" and e["started_s"] < 1810}
    assert len(began) == 1  # all cohorts of the shared round
    assert began.pop() > 1800


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"clustering.name": "flexcfl", "clustering.alfa": 3}, "clustering.flexcfl has no 'alfa'|alfa.*alpha"),
        ({"clustering.name": "flexcfl", "clustering.k": 1}, r"clustering.k should be in \[2, 255\], got 1"),
        ({"clustering.name": "flexcfl", "clustering.eta_g": -1.0}, "clustering.eta_g should be in"),
        ({"clustering.name": "stocfl", "clustering.tau": 1.0}, r"clustering.tau should be in \(-1, 1\), got 1"),
        ({"clustering.name": "stocfl", "clustering.lam": -0.1}, "clustering.lam should be in"),
        ({"clustering.name": "fedclust", "clustering.last": 0.0}, r"clustering.last should be in \(0, 1\], got 0"),
        ({"clustering.name": "fedclust", "clustering.threshold": 3.0}, "clustering.threshold should be in"),
        ({"clustering.name": "fedgwc", "clustering.eps": 0.0}, "clustering.eps should be in"),
        ({"clustering.name": "fielding", "clustering.tau": 0.0}, "clustering.tau should be in"),
    ],
)
def test_a_mistake_is_one_line(change, line):
    with pytest.raises(ConfigError, match=line) as told:
        load(None, change)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", RIVALS)
def test_what_needs_shared_rounds_says_so(tmp_path, name):
    """It neither goes on from another run's cohorts nor does without an engine."""
    with pytest.raises(ConfigError, match=r"clustering.from should go with a clustering that learns"):
        load(None, {"clustering.name": name, "clustering.from": str(tmp_path)})
    with pytest.raises(ConfigError, match=r"clustering should be like Auxo\(\)"):
        horae.Cohorts(CLUSTERING[name](), params=np.zeros(4), participants=4, rounds=4)
