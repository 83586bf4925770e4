"""horae's engine over nodes in this process: parity, by reference, and nodes that lie, leave or are strangers."""

import json
import logging
from dataclasses import replace

import numpy as np
import pytest

import horae
from horae.errors import RunError
from horae.settings import dumps

pytest.importorskip("flwr")
from flwr.app import ConfigRecord, Context, Message, RecordDict
from nearby import Nearby
from test_engine_flower import _table, events, models

from horae.flower import client_app
from horae.flower.apps import conduct
from horae.flower.engine.heads import TO_SERVER, content, message_of
from horae.pure.packing import pack, unpack

pytestmark = pytest.mark.flower
NODES = 4
SMALL = {
    "name": "near", "participants": NODES, "overcommit": 1.0, "baseline": "none", "budget": {"participations": 16},
    "engine": {"min_clients": 1, "check_in_s": 1.0, "feedback": "next contact"}, "clustering": {"name": "single"},
    "population": {"name": "digits-rotated", "clients": NODES, "images_per_client": 12},
    "availability": {"name": "always"}, "devices": {"name": "equal"}, "cost": {"name": "fedscale"},
    "evaluation": {"every": 2}, "site": {"nodes": NODES, "in_step": True, "timeout_s": 20.0},
}  # fmt: skip


class Near(Nearby):
    """Nodes 0..n-1, each with a state directory; `numbers` are what they say they are."""

    def __init__(self, place, n=NODES, numbers=None, **more):
        super().__init__(n, **more)
        for i, node in enumerate(self.nodes):
            number = i if numbers is None else numbers[i]
            self.add(node, {"client": number, "state-dir": str(place / str(i))})

    def add(self, node, config):
        if node not in self.nodes:
            self.nodes.append(node)
        self._contexts[node] = Context(1, node, config, RecordDict(), {})
        self._apps[node] = client_app()


@pytest.fixture
def flower(tmp_path):
    grids = []

    def begin(table=SMALL, grid=None, out="run", **config):
        place = tmp_path / "app"
        place.mkdir(exist_ok=True)
        (place / "experiment.toml").write_text(dumps(table))
        grids.append(grid or Near(tmp_path / "state", table["site"]["nodes"]))
        return conduct(grids[-1], {"out": str(tmp_path / out), **config}, place)

    yield begin
    for one in grids:
        one.close()


def simulated(table, out):
    return horae.run({k: v for k, v in table.items() if k != "site"}, out=out)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"pruning": {"name": "autoflip"}},
        {"channels": [{"name": "int8"}]},
        {"clustering": {"name": "ifca", "k": 2}},
        {"algorithm": {"name": "fedyogi"}, "data_plane": {"name": "shm"}},
    ],
    ids=["plain", "explored and masked", "quantised", "losses", "by reference"],
)
def test_the_simulation_and_flower_take_the_same_course(more, flower, tmp_path):
    table = {**SMALL, **more}
    sim, run = simulated(table, tmp_path / "sim"), flower(table)
    for path, params in sim.models.items():
        np.testing.assert_allclose(run.models[path], params, rtol=1e-4, atol=1e-6)
    assert run.accuracy == pytest.approx(sim.accuracy, abs=1e-6) and run.flops == sim.flops
    assert not events(run.directory, "failure")


def test_two_cohorts_are_those_of_the_simulation(flower, tmp_path):
    table = _table()
    sim, whole = simulated(table, tmp_path / "sim"), flower(table)
    assert whole.cohorts == sim.cohorts == 2
    for path, params in sim.models.items():
        np.testing.assert_allclose(whole.models[path], params, rtol=1e-4, atol=1e-6)
    assert models(whole.directory).keys() == sim.models.keys()


def test_what_was_stopped_goes_on(flower, tmp_path):
    table = {**SMALL, "site": {**SMALL["site"], "timeout_s": 3.0}}
    whole = flower(table, out="whole")

    def deaf(message, reply):
        return None if message.metadata.group_id == "0/r2" else reply

    with pytest.raises(RunError, match="nobody could train in 3 rounds in a row"):
        flower(table, Near(tmp_path / "state-2", bend=deaf), "parts")
    parts = flower(table, Near(tmp_path / "state-2"), "parts")
    assert (parts.models[()] == whole.models[()]).all()
    rounds = [e for e in events(parts.directory, "round") if e["clients"]]
    assert [e["number"] for e in rounds] == [e["number"] for e in events(whole.directory, "round")]


def bent(kind, change):
    """A grid's `bend`: node 2's replies of that kind say something else."""

    def bend(message, reply):
        config = message.metadata.dst_node_id % 2**32
        if message.metadata.message_type != kind or not reply.has_content() or config != (2**63 + 5 + 2) % 2**32:
            return reply
        said = message_of(reply.content, TO_SERVER, 2**30)
        return Message(content(change(said)), metadata=reply.metadata)

    return bend


def longer(said):
    arrays = unpack(said.payload)
    return replace(said, payload=pack({"update": np.zeros(arrays["update"].size + 1, np.float32)}))


def endless(said):
    return replace(said, payload=pack({"update": np.zeros(2**20, np.float32)}))


def poison(said):
    arrays = unpack(said.payload)
    return replace(said, payload=pack({"update": np.full_like(arrays["update"], np.nan)}), norm=1.0)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (longer, "an update of shape"),
        (endless, "it is larger than"),
        (lambda said: replace(said, client=1), "it answers for client 1"),
        (lambda said: replace(said, ref=replace(said.ref, key="elsewhere")), "it put its update elsewhere"),
        (lambda said: replace(said, loss=float("nan")), "samples, steps or loss that cannot be"),
        (lambda said: replace(said, buffers=b"1234"), "buffers other than 0 finite numbers"),
        (lambda said: replace(said, record=b"\0" * 9000), "affinity request"),
    ],
    ids=["shape", "size", "client", "key", "loss", "buffers", "record"],
)
def test_a_client_lies_about_itself_alone(change, why, flower, tmp_path):
    grid = Near(tmp_path / "state", bend=bent("train.round", change))
    run = flower(SMALL, grid)
    failures = events(run.directory, "failure")
    assert {f["client"] for f in failures} == {2} and all(why in f["why"] for f in failures), failures
    kept = {tuple(e["clients"]) for e in events(run.directory, "round")}
    assert kept == ({(0, 1, 2, 3)} if why == "affinity request" else {(0, 1, 3)})


def test_an_update_that_is_no_number_is_refused_whatever_its_client_says(flower, tmp_path):
    run = flower(SMALL, Near(tmp_path / "state", bend=bent("train.round", poison)))
    assert np.isfinite(run.models[()]).all()


def test_every_node_keeps_its_record_on_its_disk(flower, tmp_path):
    first = flower(_table() | {"budget": {"participations": 80}}, out="first")
    assert first.cohorts == 2
    records = sorted((tmp_path / "state").glob("*/affinity-*"))
    assert len(records) == 8


def test_two_nodes_of_one_number_are_named(flower, tmp_path):
    with pytest.raises(RunError, match=r"nodes \d+ and \d+ both say client=1"):
        flower(SMALL, Near(tmp_path / "state", numbers=[0, 1, 1, 3]))
    with pytest.raises(RunError, match=r"nodes should be clients 0 to 3, they say \[0, 1, 2, 5\]"):
        flower({**SMALL, "population": {**SMALL["population"], "clients": 6}},
               Near(tmp_path / "state", numbers=[0, 1, 2, 5]))  # fmt: skip


def test_nodes_without_numbers_are_numbered_by_their_keys_and_ids():
    from horae.flower.engine.nodes import Introduced, numbered

    cards = [Introduced(node, key, -1, None) for node, key in ((9, b"b"), (7, b"c"), (8, b"a"))]
    assert [numbered(cards)[i].node for i in range(3)] == [8, 9, 7]


def test_too_few_nodes_are_waited_for_and_then_named(flower, tmp_path):
    table = {**SMALL, "site": {**SMALL["site"], "nodes": 5, "timeout_s": 1.0}}
    with pytest.raises(RunError, match=r"4 of 5 nodes introduced themselves in 1 s; start the SuperNodes"):
        flower(table, Near(tmp_path / "state"))


def test_a_node_that_comes_back_under_another_id_is_known_and_a_stranger_is_not(flower, tmp_path, caplog):
    grid = Near(tmp_path / "state")
    old, new, stranger = grid.nodes[3], grid.nodes[-1] + 100, grid.nodes[-1] + 200
    rounds = []

    def swap(messages):
        rounds.extend(m.metadata.group_id for m in messages if m.metadata.message_type == "train.round")
        if "0/r1" in rounds and old in grid.nodes:
            grid.nodes.remove(old)
            grid.add(new, {"client": 3, "state-dir": str(tmp_path / "state" / "3")})
            grid.add(stranger, {"client": 1, "state-dir": str(tmp_path / "state" / "x")})

    grid.before_push = swap
    table = {**SMALL, "budget": {"participations": 60}}
    with caplog.at_level(logging.WARNING, logger="flwr.horae"):
        import horae.flower.engine.nodes as nodes

        nodes.LOOK_S, before = 0.0, nodes.LOOK_S
        try:
            run = flower(table, grid)
        finally:
            nodes.LOOK_S = before
    assert any(
        f"node {stranger} is refused: it says it is client 1, which is online" in r.message for r in caplog.records
    )
    assert (0, 1, 2, 3) in {tuple(e["clients"]) for e in events(run.directory, "round")[3:]}
    assert {node for _, node, kind in grid.sent if kind == "train.round"} >= {new}
    assert not {node for _, node, kind in grid.sent if kind == "train.round"} & {stranger}


def test_who_does_not_reach_the_plane_gets_its_arrays_by_message(flower, tmp_path, monkeypatch):
    import horae.engines.worker as worker
    from horae.errors import PlaneError

    here, calls = worker.attached, []

    def attached(address):
        calls.append(address)
        if len(calls) % 4 == 2:  # somebody's machine
            raise PlaneError("unreachable", "", "no route")
        return here(address)

    monkeypatch.setattr(worker, "attached", attached)
    table = {**SMALL, "data_plane": {"name": "shm"}, "clustering": {"name": "single"}}
    run = flower(table)
    sim = simulated({**table, "data_plane": {"name": "inline"}}, tmp_path / "sim")
    np.testing.assert_allclose(run.models[()], sim.models[()], rtol=1e-4, atol=1e-6)
    assert not events(run.directory, "failure") and calls


def test_small_models_go_by_message_whatever_the_plane(flower, tmp_path, monkeypatch):
    import horae.engines.worker as worker

    monkeypatch.setattr(worker, "attached", lambda address: pytest.fail("by reference"))
    run = flower({**SMALL, "data_plane": {"name": "shm"}, "site": {**SMALL["site"], "reference_above": 10**6}})
    assert not events(run.directory, "failure")


def test_flower_outside_of_a_server_app_is_one_line(tmp_path):
    with pytest.raises(horae.errors.ConfigError, match=r"site\.executor should be another outside of a ServerApp"):
        horae.run({**SMALL, "site": {"executor": "flower"}}, out=tmp_path / "run")


def test_a_foreign_message_is_no_message():
    from horae.errors import WireError

    with pytest.raises(WireError, match="no message of horae's"):
        message_of(RecordDict({"x": ConfigRecord({})}), TO_SERVER, 10)
    for head in (b"", pack({"is": "Popen", "args": "ls"}), pack(["Reply"]), pack({"is": "Reply"})):
        with pytest.raises(WireError):
            message_of(RecordDict({"horae": ConfigRecord({"head": head})}), TO_SERVER, 10)


def test_the_run_says_what_it_is(flower):
    run = flower()
    (opening,) = events(run.directory, "run")
    assert opening["site"]["executor"] == "flower" and opening["site"]["data"] == "their own"
    assert json.loads((run.directory / "summary.json").read_text())["rounds"] == 4
