"""What is on its way to clients arrives once, whatever is lost."""

import numpy as np
import pytest

from horae.clustering import Auxo
from horae.errors import RunError
from horae.flower.affinity import Memory
from horae.flower.affinity_bytes import read_messages, record_bytes
from horae.flower.roll import WAITING, Roll
from horae.pure.packing import pack, unpack
from horae.types import UNKNOWN, Feedback

AUXO, LEAVES = Auxo(), ((0,), (1,))
KNOWN = {(), (0,), (1,)}


def told(clients, path=(0,), reward=0.5):
    n = len(clients)
    return Feedback(path, np.array(clients), np.full(n, reward), np.zeros(n, int), LEAVES, np.full(n, UNKNOWN))


def deliver(roll, memory, client):
    data = roll.outgoing(client)
    for serial, message in read_messages(data, client) if data else []:
        memory.read(AUXO, [message], serial)


def visits(records):
    return dict(zip(records.paths, records.visits[0].tolist(), strict=True))


def test_a_message_is_sent_until_it_was_heard(tmp_path):
    roll, memory = Roll(AUXO), Memory.open(tmp_path, "run", 4)
    assert roll.outgoing(4) == b""
    roll.tell(told([4, 9]))
    for _ in range(3):  # its replies are lost twice
        deliver(roll, memory, 4)
    roll.tell(told([4]))
    deliver(roll, memory, 4)
    assert visits(memory.records())[(0,)] == 2
    roll.hear(4, memory.dump(), KNOWN)
    assert roll.outgoing(4) == b""
    assert roll.outgoing(9) != b""
    roll.tell(told([4]))
    deliver(roll, memory, 4)
    assert visits(memory.records())[(0,)] == 3


def test_a_request_is_read_as_it_will_be(tmp_path):
    roll, memory = Roll(AUXO), Memory.open(tmp_path, "run", 4)
    roll.tell(told([4], reward=0.5))
    deliver(roll, memory, 4)
    roll.hear(4, memory.dump(), KNOWN)
    roll.tell(told([4], (1,), 0.9))
    expected = roll.records(np.array([4]))
    deliver(roll, memory, 4)
    for name in ("reward", "cluster", "visits", "heard"):
        np.testing.assert_array_equal(getattr(expected, name), getattr(memory.records(), name))


def test_serial_numbers_begin_after_what_a_client_has_heard(tmp_path):
    memory = Memory.open(tmp_path, "run", 4)
    memory.read(AUXO, [told([4])], 41)  # from a server that knew more before it was killed
    roll = Roll(AUXO)
    roll.hear(4, memory.dump(), KNOWN)
    roll.tell(told([4]))
    deliver(roll, memory, 4)
    assert memory.serial == 42


def test_who_stays_away_for_long_is_told_the_last():
    roll = Roll(AUXO)
    for i in range(WAITING + 5):
        roll.tell(told([4], reward=-float(i)))
    waiting = read_messages(roll.outgoing(4), 4)
    assert [-m.reward[0] for _, m in waiting] == list(range(5, WAITING + 5))
    assert len(roll.outgoing(4)) < 1024


def test_a_client_can_lie_only_about_itself(tmp_path):
    roll, memory = Roll(AUXO), Memory.open(tmp_path, "run", 99)  # it says it is 99
    memory.read(AUXO, [told([99], (0,)), told([99], (1, 7), 0.9)], 1)
    roll.hear(4, memory.dump(), KNOWN)
    assert roll.records(np.array([4])).clients.tolist() == [4]
    assert set(roll.records(np.array([4])).paths) == KNOWN  # no cohort that it made up
    before = roll.records(np.array([4]))
    with pytest.raises(RunError, match="client 4"):
        roll.hear(4, record_bytes(memory.records(), 1)[:-2], KNOWN)
    assert roll.records(np.array([4])) is not before
    np.testing.assert_array_equal(roll.records(np.array([4])).visits, before.visits)
    assert roll.records(np.array([99])).visits.sum() == 0


def test_it_comes_back_from_a_checkpoint(tmp_path):
    roll, memory = Roll(AUXO), Memory.open(tmp_path, "run", 4)
    roll.tell(told([4, 5]))
    deliver(roll, memory, 4)
    roll.hear(4, memory.dump(), KNOWN)
    roll.tell(told([4]))
    other = Roll(AUXO)
    other.restore(unpack(pack(roll.snapshot())))
    assert [other.outgoing(c) for c in (4, 5, 6)] == [roll.outgoing(c) for c in (4, 5, 6)]
    assert pack(other.records(np.arange(7))) == pack(roll.records(np.arange(7)))
