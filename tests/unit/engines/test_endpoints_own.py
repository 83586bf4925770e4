"""Endpoints that bring their own clients: nothing is read at the controller, and the model is the same."""

import json

import numpy as np
import pytest
from own_people import CLIENTS, everybody

import horae
from horae.endpoint import Endpoints
from horae.errors import ConfigError, DataError, RunError
from horae.experiment import load
from horae.population import Card, part, roster
from horae.population.roster import Told
from horae.report.schema import fault_of_event

PARTS = ((0, 0), (1, 3), (4, 7))
TABLE = {
    "name": "owned", "participants": 4, "overcommit": 1.0, "baseline": "none", "budget": {"participations": 16},
    "engine": {"min_clients": 1}, "clustering": {"name": "single"}, "evaluation": {"every": 2, "metrics": ["f1"]},
}  # fmt: skip
PEOPLE = {"population": {"name": "digits-rotated", "clients": CLIENTS, "images_per_client": 12}}


def endpoints(parts=PARTS, function="own_people:some"):
    return [
        {
            "name": f"clients {first} to {last}",
            "population": function,
            "argument": json.dumps({"clients": [first, last]}),
        }
        for first, last in parts
    ]


def run(out, executor="inline", more=None, **site):
    site = {"executor": executor, "endpoints": endpoints(), **site}
    return horae.run({**TABLE, "site": site, **(more or {})}, out=out)


def events(result, kind):
    found = [json.loads(line) for line in (result.directory / "events.jsonl").read_text().splitlines()]
    assert all(fault_of_event(event) is None for event in found)
    return [event for event in found if event["event"] == kind]


@pytest.mark.parametrize(
    ("more", "executor", "plane"),
    [
        ({}, "inline", "inline"),
        ({"pruning": {"name": "autoflip"}}, "thread", "shm"),
        ({"clustering": {"name": "ifca", "k": 2}}, "inline", "inline"),
        ({"algorithm": {"name": "ftfa"}}, "inline", "shm"),
        ({"clustering": {"name": "flexcfl"}}, "inline", "inline"),
    ],
    ids=["plain", "explored", "losses", "tuned", "practised"],
)
def test_the_model_is_that_of_a_controller_with_a_copy(more, executor, plane, tmp_path):
    copy = horae.run({**TABLE, **PEOPLE, **more, "site": {"executor": "inline"}}, out=tmp_path / "copy")
    own = run(tmp_path / "own", executor, {**more, "data_plane": {"name": plane}})
    assert own.models.keys() == copy.models.keys()
    for path, params in copy.models.items():
        np.testing.assert_array_equal(own.models[path], params)
    for number in ("accuracy", "accuracy_worst10", "participations", "flops", "accuracy_global", "f1"):
        assert own.summary[number] == pytest.approx(copy.summary[number], abs=1e-12), number
    assert events(own, "run")[0]["site"]["data"] == "their own" and not events(own, "failure")


def test_a_run_goes_on_with_the_same_data_only(tmp_path):
    def stop():
        return True

    table = {**TABLE, "site": {"executor": "inline", "endpoints": endpoints()}}
    with pytest.raises(horae.errors.Stopped):
        horae.run(table, out=tmp_path / "run", stop=stop)
    whole, parts = run(tmp_path / "whole"), horae.run(resume=tmp_path / "run")
    assert (whole.models[()] == parts.models[()]).all()


def test_an_endpoint_that_is_not_there_is_named(tmp_path):
    for function, why in (
        ("own_people:broken", "the disk is gone"),
        ("own_people:nothing", "return a horae.Population"),
    ):
        table = {**TABLE, "site": {"executor": "inline", "endpoints": endpoints(PARTS[:1], function)}}
        with pytest.raises(RunError, match=f"endpoint clients 0 to 0: .*{why}"):
            horae.run(table, out=tmp_path / "run")
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("site", "more", "why"),
    [
        ({"executor": ""}, {}, "site.executor should name whose workers"),
        ({"endpoints": [*endpoints(), *endpoints()]}, {}, "site.endpoints.name should differ"),
        ({"endpoints": [{"name": "a", "population": "nowhere"}]}, {}, "site.endpoints.population should be package"),
        ({"endpoints": [{"name": "a"}]}, {}, "site.endpoints.population should be package"),
        ({"endpoints": {"name": "a"}}, {}, "site.endpoints should be a list of tables"),
        ({}, PEOPLE, "population.name should be sites"),
    ],
)
def test_mistakes_are_one_line(site, more, why):
    table = {**TABLE, "site": {"executor": "inline", "endpoints": endpoints(), **site}, **more}
    with pytest.raises(ConfigError, match=why):
        load(table)


def test_a_table_of_endpoints_is_the_same_when_it_is_read_again():
    table = {**TABLE, "site": {"executor": "inline", "endpoints": endpoints()}}
    experiment = load(table)
    assert load(experiment.table()) == experiment
    assert experiment.names()["population"] == "sites"
    with pytest.raises(ConfigError, match="should go with sites that have data"):
        load({**TABLE, "population": {"name": "sites"}}).world()


def test_the_coordinator_holds_no_sample():
    experiment = load({**TABLE, "site": {"executor": "inline", "endpoints": endpoints()}})
    people = Endpoints(experiment).people
    assert people.clients == CLIENTS and people.firsts.tolist() == [0, 1, 4]
    assert not people.x.any() and len(people.x) == 1
    whole = everybody()
    sizes = whole.train.sizes_of(np.arange(CLIENTS))
    assert (people.train.sizes_of(np.arange(CLIENTS)) == sizes).all()
    assert people.facts()["train_samples"] == sizes.sum() and people.facts()["label_skew"] is None
    with pytest.raises(RunError, match="stay where they are"):
        people.train_at(np.array([0]), 0.0)


def test_a_part_has_its_own_clients_under_their_numbers():
    whole = everybody()
    mine = part(whole, 3, 20, 12)
    assert mine.clients == 20 and mine.classes == 12
    assert (mine.train.row(4) == whole.train.row(1)).all() and mine.train.most == whole.train.most
    assert mine.groups[np.array([3, 5])].tolist() == [whole.groups[0], whole.groups[2]]
    for stranger in (2, 3 + CLIENTS):
        with pytest.raises(RunError, match="this site holds clients 3 to"):
            mine.train.rows(np.array([stranger]))


def test_cards_of_two_kinds_are_no_roster():
    card = Card.of("one", everybody())
    assert roster([card, card]).clients == 2 * CLIENTS
    with pytest.raises(ConfigError, match="two has samples of shape"):
        roster([card, Card(**{**vars(card), "name": "two", "shape": (3,)})])
    for wrong in ({"train": np.zeros(CLIENTS, np.int64)}, {"test": np.zeros(2, np.int64)}, {"classes": 0}):
        with pytest.raises(DataError, match="what it says of its clients cannot be"):
            Card(**{**vars(card), **wrong}).check()
    assert Told(np.array([4, 9])).most == 9
