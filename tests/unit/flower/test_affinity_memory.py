"""A client's record lasts, is heard once, and is never in the way."""

import logging

import numpy as np
import pytest

from horae.clustering import CLUSTERING, Auxo
from horae.engines.store import ClientStore
from horae.errors import ConfigError, RunError
from horae.flower.affinity import MOST, Memory, affinity_mod, described, number, understood
from horae.types import UNKNOWN, Feedback

AUXO = Auxo(gamma=0.5)


def told(path, reward, cluster, leaves, towards=UNKNOWN, visit=1, client=3):
    return Feedback(
        path, np.array([client]), np.array([reward]), np.array([cluster]), leaves, np.array([towards]), visit
    )


STORY = [
    told((), float("nan"), 0, ((),)),
    told((), float("nan"), 1, ((0,), (1,)), visit=0),
    told((1,), 0.4, 0, ((0,), (1,))),
    told((0,), -0.5, UNKNOWN, ((0,), (1,)), towards=1),
    told((1,), 0.8, 0, ((0,), (1, 0), (1, 1)), visit=0),
]


def by_path(records):
    columns = (records.reward, records.cluster, records.visits, records.heard)
    return {path: [c[0, i].item() for c in columns] for i, path in enumerate(records.paths)}


def test_it_remembers_what_the_simulator_remembers_for_its_client(tmp_path):
    store, memory = ClientStore(), Memory.open(tmp_path, "run", 3)
    for serial, message in enumerate(STORY, 1):
        store.make_room(message)
        store.write(AUXO.react(store.records(message.clients), message))
        memory.read(AUXO, [message], serial)
        assert by_path(memory.records()) == by_path(store.records(np.array([3])))
    assert by_path(memory.records())[(1,)][0] == pytest.approx(0.6)  # 0.5 x 0.4 + 0.5 x 0.8
    assert len(memory.dump()) < 200


def test_a_message_counts_once(tmp_path):
    memory = Memory.open(tmp_path, "run", 3)
    memory.read(AUXO, STORY[:3], 5)
    before = memory.dump()
    for serial in (5, 4, 0):
        memory.read(AUXO, [STORY[3]], serial)
    assert memory.dump() == before
    memory.read(AUXO, [STORY[3]], 6)
    assert memory.dump() != before


def test_it_lasts_over_restarts_and_each_run_has_its_own(tmp_path):
    Memory.open(tmp_path / "deep" / "er", "run", 3).read(AUXO, STORY, 5)
    again = Memory.open(tmp_path / "deep" / "er", "run", 3)
    assert again.serial == 5
    assert again.records().visits.sum() == 3
    for run, client in (("another run", 3), ("run", 4)):
        other = Memory.open(tmp_path / "deep" / "er", run, client)
        assert (other.serial, other.records().paths) == (0, ())
        other.read(AUXO, STORY[:1], 1)
    assert Memory.open(tmp_path / "deep" / "er", "run", 3).dump() == again.dump()
    assert len(list((tmp_path / "deep" / "er").iterdir())) == 3


SPOILS = [
    lambda data: b"",
    lambda data: data[:-1],
    lambda data: b"x" * 300,
    lambda data: data[:30] + b"?" + data[31:],
    lambda data: b"?" * 16 + data[16:],
]


@pytest.mark.parametrize("spoil", SPOILS)
def test_a_damaged_or_foreign_file_is_no_record_and_one_warning(tmp_path, spoil, caplog):
    Memory.open(tmp_path, "run", 3).read(AUXO, STORY, 5)
    (file,) = tmp_path.iterdir()
    file.write_bytes(spoil(file.read_bytes()))
    with caplog.at_level(logging.WARNING, "flwr.horae"):
        memory = Memory.open(tmp_path, "run", 3)
    assert memory.records().paths == ()
    assert [r.levelname for r in caplog.records] == (["WARNING"] if file.read_bytes() else [])
    memory.read(AUXO, STORY, 1)
    assert Memory.open(tmp_path, "run", 3).serial == 1


def test_a_place_that_cannot_be_used_is_a_warning(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING, "flwr.horae"):
        memory = Memory.open(tmp_path / "file", "run", 3)
        memory.read(AUXO, STORY, 5)
    assert memory.serial == 5
    assert [len(r.getMessage().splitlines()) for r in caplog.records] == [1, 1]


def test_in_ram_it_is_the_same():
    memory = Memory.held(b"", "run", 3)
    memory.read(AUXO, STORY, 5)
    assert Memory.held(memory.save(), "run", 3).dump() == memory.dump()
    assert Memory.held(memory.save(), "other", 3).records().paths == ()


def test_a_request_is_read_or_refused_in_one_line(tmp_path):
    memory = Memory.open(tmp_path, "run", 3)
    memory.read(AUXO, STORY, 5)
    assert by_path(Memory.parse(memory.dump())) == by_path(memory.records())
    for data in (b"", b"nothing", memory.dump()[:-1], b"x" * (MOST + 1), None, 5):
        with pytest.raises(RunError, match=r"^client 3 sent an affinity request .* is not used$"):
            Memory.parse(data, "client 3")


def test_clients_react_by_the_servers_hyper_parameters():
    for kind in CLUSTERING.values():
        assert understood(described(kind())) == kind()
    own = Auxo(gamma=0.7, at=(3, 5), reward="paper")
    assert understood(described(own)) == own
    assert described(object()) == ""
    for text in ("", "{}", "[]", '{"name": "auxo", "gama": 1}', '{"name": "none"}', '{"name": "auxo", "gamma": 7}'):
        with pytest.raises(ConfigError):
            understood(text)


def test_node_ids_become_client_numbers():
    assert number(5) == 5
    assert number(2**64 - 1) == 2**63 - 1


def test_the_mod_refuses_what_is_no_directory():
    with pytest.raises(ConfigError, match="state_dir"):
        affinity_mod(state_dir=5)
