"""The operator by itself: time-outs, those who are gone, attempts, and what it passes over."""

import pytest

from horae.census import Coordinator, Kind, Log, Terms, World, local
from horae.census import messages as m
from horae.errors import ConfigError

COUNTS = {client: [client, 1] for client in range(14)}


def test_who_is_gone_is_not_waited_for():
    world = World(Terms(labels=2, transport="chain"), seed=1)
    world.hold(COUNTS)
    directory = {client: member._identity.public for client, member in world.members.items()}
    operator = Coordinator(world.terms, world.run, directory, 1, world.log)
    queue = operator.start(0.0)
    while queue:
        receiver, data = queue.pop(0)
        if receiver == 3 and m.read(data).kind is Kind.TURN:
            queue += operator.gone(3, 0.0)
        elif receiver != 3 or m.read(data).kind < Kind.TURN:
            for reply in world.members[receiver].receive(data):
                queue += operator.receive(receiver, reply, 0.0)
    result = operator.result
    assert result.status == "released" and result.dropped == (3,)
    assert result.totals.tolist() == [sum(range(14)) - 3, 13]


def test_time_outs_cost_one_hop_each():
    world = World(Terms(labels=2, transport="chain", hop_s=7.0), seed=1)
    world.hold(COUNTS)
    result = world.count(drops={3: Kind.TURN})
    # the missing turn ends at 7 s; it is not waited for any more
    assert (result.dropped, world.now) == ((3,), 7.0)


def test_too_few_come_and_nothing_is_opened():
    seen = []
    result = local(COUNTS, Terms(labels=2), seed=1, drops=dict.fromkeys(range(5), Kind.ROSTER), watch=spy(seen))
    assert (result.status, result.attempts, result.totals) == ("aborted", 3, None)
    assert result.reason == "9 members with keys, fewer than n_min = 10"
    assert Kind.OPENING not in seen and Kind.CARRY not in seen


def spy(seen):
    def watch(sender, receiver, data):
        seen.append(m.read(data).kind)
        return data

    return watch


def test_what_the_operator_passes_over():
    world = World(Terms(labels=2), seed=1)
    world.hold(COUNTS)
    kept = []

    def watch(sender, receiver, data):
        if receiver == m.OPERATOR:
            kept.append((sender, data))
        return data

    first = world.count(watch=watch)
    operator, before = world.operator, len(world.operator._rejected)
    assert first.rejected == ()
    late = [operator.receive(sender, data, 0.0) for sender, data in kept]
    assert not any(late) and len(operator._rejected) == before + len(kept)
    fresh = Coordinator(world.terms, world.run, operator._directory, 2, world.log)
    fresh.start(0.0)
    sender, data = kept[0]
    assert fresh.receive(sender, data, 0.0) == []  # keys of another epoch
    forged = m.write(Kind.KEYS, 2, 0, m.read(data).body)
    assert fresh.receive(sender, forged, 0.0) == []
    assert fresh.receive(99, forged, 0.0) == []
    assert fresh.receive(sender, m.write(Kind.CARRY, 2, 0, bytes(4)), 0.0) == []
    words = " ".join(fresh._rejected)
    assert all(part in words for part in ("from elsewhere", "keys that it did not sign", "nobody's", "out of turn"))


@pytest.mark.parametrize("transport", ["chain", "star"])
def test_everything_twice_changes_nothing(transport):
    world = World(Terms(labels=2, transport=transport, segments=2), seed=1)
    world.hold(COUNTS)
    directory = {client: member._identity.public for client, member in world.members.items()}
    operator = Coordinator(world.terms, world.run, directory, 1, world.log)
    queue = operator.start(0.0)
    while queue:
        receiver, data = queue.pop(0)
        replies = world.members[receiver].receive(data)
        assert world.members[receiver].receive(data) == []
        for reply in replies:
            queue += operator.receive(receiver, reply, 0.0)
            passed = len(operator._rejected)
            assert operator.receive(receiver, reply, 0.0) == []
            assert len(operator._rejected) == passed + 1
    assert operator.result.totals.tolist() == [sum(range(14)), 14]


def test_everybody_has_gone():
    operator = Coordinator(Terms(labels=2), b"run", dict.fromkeys(range(12), bytes(32)), 0, Log())
    operator.start(0.0)
    for client in range(12):
        assert operator.result is None or operator.result.status == "aborted"
        operator.gone(client, 1.0)
    assert operator.result.status == "aborted" and operator.tick(1e9) == []


def test_sums_that_could_overflow_are_refused():
    with pytest.raises(ConfigError, match=r"census.clip should be small enough"):
        Coordinator(Terms(labels=2**20, clip=2**39), b"", dict.fromkeys(range(16), b""), 0, Log())


def test_a_result_as_json():
    said = local(COUNTS, seed=1).as_dict()
    assert said["totals"] == [91, 14] and said["survivors"] == list(range(14)) and said["refused"] == []
    assert said["bytes_up_per_client"] > 1000


def test_same_seed_same_bytes():
    runs = []
    for _ in range(2):
        seen = []
        local(COUNTS, seed=4, watch=lambda sender, receiver, data, seen=seen: seen.append(data) or data)
        runs.append(seen)
    assert runs[0] == runs[1]
