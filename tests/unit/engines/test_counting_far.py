"""The census among endpoints that own their data: the totals, the run and the bytes are the simulation's."""

import json
from dataclasses import replace

import counted_people as own
import numpy as np
import pytest

import horae
from horae.census.vault import temporary
from horae.endpoint import Endpoints
from horae.engines import members
from horae.errors import ConfigError, RunError
from horae.experiment import load
from horae.report.schema import fault_of_event
from horae.types import Census

TABLE = {
    "name": "counted", "participants": 8, "overcommit": 1.0, "baseline": "none", "budget": {"participations": 24},
    "engine": {"min_clients": 1, "check_in_s": 1.0}, "clustering": {"name": "single"}, "evaluation": {"every": 2},
    "availability": {"name": "always"}, "devices": {"name": "equal"},
    "alignment": {"name": "halor", "group": 12, "window_clients": 24, "every": 5},
}  # fmt: skip
ASK = Census(n=1000, window=0, number=0, group=12)


def engine(executor, parts=((0, 6), (7, 15), (16, 23)), **site):
    table = {**TABLE, "site": {"executor": executor, "endpoints": own.endpoints(parts), **site}}
    experiment = load(table)
    field = Endpoints(replace(experiment, site=replace(experiment.site, executor="inline")))  # which is quicker
    return field.engine(experiment, experiment.plan(), experiment.world(None, field.people))


def test_a_run_among_endpoints_is_that_of_the_simulation(tmp_path):
    simulated = horae.run({**TABLE, "population": own.TABLE}, out=tmp_path / "simulated")
    site = {"executor": "inline", "endpoints": own.endpoints()}
    away = horae.run({**TABLE, "site": site}, out=tmp_path / "away")
    copy = horae.run({**TABLE, "population": own.TABLE, "site": {"executor": "inline"}}, out=tmp_path / "copy")
    np.testing.assert_array_equal(away.models[()], copy.models[()])
    # Updates are added one after the other there, by BLAS here: the same bits on some processors only.
    np.testing.assert_allclose(away.models[()], simulated.models[()], rtol=1e-4, atol=1e-7)
    assert away.summary["census"] == simulated.summary["census"] == {"windows": 1, "counted": 24, "refused": 0}
    found = [
        [json.loads(line) for line in (run.directory / "events.jsonl").read_text().splitlines()]
        for run in (simulated, away)
    ]
    targets = [[e["target"] for e in events if e["event"] == "census"] for events in found]
    shares = own.counts().sum(axis=0) / own.counts().sum()
    assert targets[0] == targets[1] == [np.round(shares, 6).tolist()]


def test_bytes_are_those_of_the_simulations_census():
    away, here = engine("inline"), load({**TABLE, "population": own.TABLE})
    simulation = horae.engines.Simulation(here.plan(), here.world(), here.engine)
    try:
        found, other = away.ask(ASK), simulation.ask(ASK)
        assert found.labels.tolist() == other.labels.tolist() and found.clients.tolist() == [12, 12]
        bills, others = ([c for c in e._asking.charges if c.purpose == "census"] for e in (away, simulation))
        assert [(c.nbytes_up, c.participations) for c in bills] == [(c.nbytes_up, c.participations) for c in others]
        assert [c.nbytes_down for c in bills] == [c.nbytes_down for c in others]
        assert away._asking.counting._relay.exchanges == 5
    finally:
        away.close()


def test_a_restored_engine_counts_on():
    first, second = engine("inline"), engine("inline")
    try:
        before = first.ask(ASK)
        second.restore(first.snapshot())
        assert second.ask(ASK).clients.size == 0  # this window has counted them
        after = second.ask(replace(ASK, window=1, number=1))
        assert after.labels.tolist() == before.labels.tolist() and after.groups.tolist() == before.groups.tolist()
    finally:
        first.close()
        second.close()


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_worker_processes_find_the_members_of_others_and_leave_nothing(workers):
    away = engine("process", ((0, 15), (16, 23)), workers=workers)
    place = temporary(away._asking.counting._relay.run)
    try:
        found = away.ask(ASK)
        assert found.labels.sum(axis=0).tolist() == own.counts().sum(axis=0).tolist()
        assert place.stat().st_mode & 0o777 == 0o700
        assert {p.name for p in place.iterdir() if p.suffix} == {f"member-{c}.key" for c in range(24)}
    finally:
        away.close()
    assert not place.exists()


def test_a_sum_without_the_protocol_is_refused_where_clients_own_their_data():
    table = {**TABLE, "alignment": {"name": "halor", "protocol": "sum"}}
    site = {"executor": "inline", "endpoints": own.endpoints()}
    words = r'alignment.protocol should be "run" where clients own their data.*got .?sum.?'
    with pytest.raises(ConfigError, match=words):
        horae.run({**table, "site": site}, out="/nonexistent")


def test_a_run_goes_on_unaligned_where_too_few_are_left(tmp_path, monkeypatch):
    """Sixteen clients' site cannot read its members, and the other eight are not counted alone."""

    def broken(self, vault, client, *rest):
        if client == 0:
            raise RunError("member-0.key, a census's member, is damaged")
        plain(self, vault, client, *rest)

    plain = members.Kept.__init__
    monkeypatch.setattr(members.Kept, "__init__", broken)
    table = {**TABLE, "alignment": {"name": "halor", "group": 24}}
    site = {"executor": "inline", "endpoints": own.endpoints(((0, 15), (16, 23)))}
    run = horae.run({**table, "site": site}, out=tmp_path / "run")
    off = horae.run({**TABLE, "alignment": {"name": "off"}, "site": site}, out=tmp_path / "off")
    events = [json.loads(line) for line in (run.directory / "events.jsonl").read_text().splitlines()]
    assert all(fault_of_event(event) is None for event in events)
    told = [(e["what"], e["refused"], e["target"]) for e in events if e["event"] == "census"]
    assert told == [("refused", i + 1, None) for i in range(3)]  # after each of the rounds
    assert {e["why"] for e in events if e["event"] == "failure"} == {"member-0.key, a census's member, is damaged"}
    assert run.participations == off.participations == 24 and run.summary["census"]["windows"] == 0
