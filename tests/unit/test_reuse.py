"""Cohorts of one run, for another task."""

import json

import numpy as np
import pytest

import horae
from horae.errors import ConfigError, RunError

FEW = {"budget.participations": 3000, "baseline": "none"}


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """A run that found its four cohorts."""
    return horae.run("demo", out=tmp_path_factory.mktemp("reuse") / "before", changes=FEW)


def events(directory):
    return [json.loads(line) for line in (directory / "events.jsonl").read_text().splitlines()]


def test_another_task_begins_in_the_cohorts_that_were_found(before, tmp_path):
    assert before.summary["cohorts"] == 4
    changes = FEW | {"budget.participations": 600, "clustering.from": str(before.directory), "model.name": "mlp"}
    after = horae.run("demo", out=tmp_path / "after", changes=changes)
    log = events(after.directory)
    first = next(event for event in log if event["event"] == "score")
    assert set(first["cohorts"]) == {"0.0", "0.1", "0.2", "0.3"}
    assert first["participations"] == 0
    one, two = (events(run.directory)[-2] for run in (before, after))
    assert np.mean(np.array(one["home"]) == np.array(two["home"])) > 0.95  # of 200; four never came
    assert not [event for event in log if event["event"] == "verdict" and event["split"]]


def test_it_is_the_same_after_a_stop(before, tmp_path):
    changes = FEW | {"budget.participations": 600, "clustering.from": str(before.directory)}
    horae.run("demo", out=tmp_path / "one", changes=changes)
    rounds = iter(range(100))
    with pytest.raises(horae.errors.Stopped):
        horae.run("demo", out=tmp_path / "two", changes=changes, stop=lambda: next(rounds) > 5)
    horae.run(resume=tmp_path / "two")
    assert (tmp_path / "one" / "events.jsonl").read_bytes() == (tmp_path / "two" / "events.jsonl").read_bytes()


def test_what_cannot_be_reused(before, tmp_path):
    for changes, error, message in (
        ({"clustering.from": str(tmp_path)}, RunError, "is no finished run"),
        ({"clustering.from": str(before.directory), "population.clients": 50}, RunError, "here there are 50; raise"),
        ({"clustering.from": 3}, ConfigError, "clustering.from should be"),
        ({"clustering.from": "x", "clustering.name": "single"}, ConfigError, "clustering.from should go with"),
    ):
        with pytest.raises(error, match=message):
            horae.run("demo", out=tmp_path / "run", changes=FEW | changes)


def test_more_participants_during_a_run_allow_more_cohorts(tmp_path):
    few = {"participants": 9, "budget.participations": 4000, "baseline": "none", "clustering.stop": 1.0}
    alone = horae.run("demo", out=tmp_path / "few", changes=few)
    assert alone.summary["cohorts"] == 1  # nine participants are too few for two cohorts of five
    later = few | {"participants_later": 40, "participants_later_from": 0.3}
    assert horae.run("demo", out=tmp_path / "later", changes=later).summary["cohorts"] == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"participants_later": 201}, "participants_later should be <= 200 clients"),
        ({"participants_later": -1}, "participants_later should be in"),
        ({"participants_later_from": 1.0}, "participants_later_from should be in"),
    ],
)
def test_how_many_there_cannot_be_later(tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        horae.run("demo", out=tmp_path / "run", changes=changes)
