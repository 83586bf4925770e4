"""The census over Flower's nodes, in this process: totals, members kept at their nodes, dropouts."""

import json

import pytest

pytest.importorskip("flwr", reason='needs Flower: pip install "horae[flower]", or make test-flower')

import numpy as np
from flwr.app import Context, RecordDict
from nearby import Nearby

import horae
from horae.flower import client_app
from horae.flower.apps import conduct
from horae.settings import dumps

pytestmark = pytest.mark.flower
NODES = 12
TABLE = {
    "name": "counted", "participants": 6, "overcommit": 1.0, "baseline": "none", "budget": {"participations": 18},
    "engine": {"min_clients": 1, "feedback": "next contact", "check_in_s": 1.0}, "model": {"name": "logistic"},
    "clustering": {"name": "single"}, "evaluation": {"every": 2}, "devices": {"name": "equal"},
    "population": {"name": "digits-dirichlet", "clients": NODES, "images_per_client": 20},
    "alignment": {"name": "halor", "group": NODES, "window_clients": NODES}, "availability": {"name": "always"},
    "cost": {"name": "fedscale"},
}  # fmt: skip


class Field(Nearby):
    """Even nodes keep their state on disk, odd ones in RAM. silent: nodes that say nothing from a question on."""

    def __init__(self, root, silent=None):
        super().__init__(NODES, bend=self.told)
        self.asked, self.silent = {}, silent or {}
        self._apps = {node: client_app() for node in self.nodes}
        for i, node in enumerate(self.nodes):
            place = {} if i % 2 else {"state-dir": str(root / str(i))}
            self._contexts[node] = Context(1, node, {"client": i, **place}, RecordDict(), {})

    def told(self, message, reply):
        if message.metadata.message_type != "query.ask":
            return reply
        i = self.nodes.index(message.metadata.dst_node_id)
        self.asked[i] = self.asked.get(i, 0) + 1
        return None if self.asked[i] == self.silent.get(i) else reply


def run(tmp_path, silent=None, **site):
    app = tmp_path / "app"
    app.mkdir()
    (app / "experiment.toml").write_text(dumps({**TABLE, "site": {"nodes": NODES, "in_step": True, **site}}))
    grid = Field(tmp_path / "state", silent)
    return grid, conduct(grid, {"out": str(tmp_path / "run")}, app)


def events(run, kind):
    lines = (run.directory / "events.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == kind]


def test_nodes_are_counted_as_simulated_clients_are(tmp_path):
    simulated = horae.run(TABLE, out=tmp_path / "simulated")
    grid, found = run(tmp_path)
    np.testing.assert_allclose(found.models[()], simulated.models[()], rtol=1e-4, atol=1e-6)
    targets = [[e["target"] for e in events(r, "census")] for r in (found, simulated)]
    assert targets[0] == targets[1] and len(targets[0]) == 1
    assert grid.asked[0] >= 5 and not events(found, "failure")
    for i in range(0, NODES, 2):
        (place,) = (tmp_path / "state" / str(i)).glob("census-*")
        assert place.stat().st_mode & 0o777 == 0o700
        assert sorted(p.name for p in place.iterdir()) == [".lock", f"member-{i}.key"]
    for i in range(1, NODES, 2):
        assert list(grid._contexts[grid.nodes[i]].state["horae.census"]) == [f"member-{i}.key"]


def test_a_silent_node_is_in_no_total_and_named(tmp_path):
    """It does not send its vector, which is its third answer."""
    _, found = run(tmp_path, {4: 3}, timeout_s=15.0)
    (census,) = events(found, "census")
    assert (census["what"], census["counted"], census["refused"]) == ("closed", NODES, 0)
    assert [(e["client"], e["kind"]) for e in events(found, "failure")] == [(4, "timed out")]


def test_too_few_nodes_are_no_total_and_training_goes_on(tmp_path):
    _, found = run(tmp_path, dict.fromkeys((1, 2, 3), 2), timeout_s=15.0)
    first, *_ = events(found, "census")
    assert (first["what"], first["refused"], first["target"]) == ("refused", 1, None)
    assert {e["client"] for e in events(found, "failure")} == {1, 2, 3}
    assert found.participations == 18
