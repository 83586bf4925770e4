"""The operator's end of the connections, with sockets of this process at the other end."""

import socket
from contextlib import contextmanager

import pytest

from horae.census import frames
from horae.census.frames import framed
from horae.census.hub import Hub
from horae.errors import RunError

TOKEN, IDENTITY = b"t" * 32, b"i" * 32


def never():
    return False


def heard(line):
    """One frame."""
    size = int.from_bytes(line.recv(4, socket.MSG_WAITALL), "little")
    return line.recv(size, socket.MSG_WAITALL) if size else b""


def knock(hub):
    """A connection, and the challenge that it is given."""
    line = socket.create_connection(("127.0.0.1", hub.port), timeout=5)
    hub._step(1.0, ())
    return line, heard(line)


def greet(line, challenge, client, token=TOKEN):
    line.sendall(framed(frames.write_greeting(token, challenge, client, IDENTITY)))


@contextmanager
def admitted(*clients):
    """A hub with these clients, and their connections with their challenges."""
    with Hub(TOKEN, 100) as hub:
        pairs = [knock(hub) for _ in clients]
        for client, pair in zip(clients, pairs, strict=True):
            greet(*pair, client)
        assert hub.admit(clients, 5.0, never) == dict.fromkeys(clients, IDENTITY)
        yield hub, pairs
        for line, _ in pairs:
            line.close()


def test_it_listens_on_this_machine_only():
    with Hub(TOKEN, 100) as hub:
        assert hub._door.getsockname()[0] == "127.0.0.1"


def test_who_holds_the_token_is_let_in_and_told_of_everybody():
    with admitted(4, 9) as (hub, pairs):
        assert hub.strangers == 0
        for line, challenge in pairs:
            assert frames.read_directory(TOKEN, challenge, heard(line)) == {4: IDENTITY, 9: IDENTITY}
        pairs[0][0].sendall(framed(b"one") + framed(b"two"))
        assert hub.poll(5.0) == [(4, b"one"), (4, b"two")]
        hub.send(9, b"back")
        assert heard(pairs[1][0]) == b"back"
        with pytest.raises(ConnectionRefusedError):  # the door is closed
            socket.create_connection(("127.0.0.1", hub.port), timeout=5)


def test_strangers_are_turned_away():
    with Hub(TOKEN, 100) as hub:
        pairs = [knock(hub) for _ in range(6)]
        greet(*pairs[0], 1, b"u" * 32)  # another token
        greet(*pairs[1], 5)  # nobody waits for client 5
        pairs[2][0].sendall((2**31).to_bytes(4, "little"))  # a frame of 2 GB
        hub._step(1.0, [1])
        greet(*pairs[3], 1)
        hub._step(1.0, [1])
        greet(*pairs[4], 1)  # client 1 is here already
        hub._step(1.0, [1])
        assert hub.admit([1], 5.0, never) == {1: IDENTITY}
        assert hub.strangers == 5  # the last has said nothing
        for line, _ in pairs:
            line.close()


def test_a_cut_connection_is_noticed_at_once_and_once():
    with admitted(1) as (hub, pairs):
        pairs[0][0].close()
        assert hub.poll(60.0) == [(1, None)]
        hub.send(1, b"nobody hears this")
        assert hub.poll(0.0) == []


def test_who_goes_before_everybody_is_there_is_not_forgotten():
    with Hub(TOKEN, 100) as hub:
        first, second = knock(hub), knock(hub)
        greet(*first, 1)
        hub._step(1.0, [1, 2])
        first[0].close()
        greet(*second, 2)
        hub.admit([1, 2], 5.0, never)
        assert hub.poll(5.0) == [(1, None)]
        second[0].close()


def test_a_member_that_sends_too_much_is_cut():
    with admitted(1) as (hub, pairs):
        pairs[0][0].sendall(framed(bytes(101)))
        assert hub.poll(5.0) == [(1, None)]


def test_more_than_fits_into_the_line_waits_until_it_is_read():
    with admitted(1) as (hub, ((line, _),)):
        heard(line)
        whole = bytes(range(256)) * 2**16  # 16 MB
        hub.send(1, whole)
        parts, left = [], len(whole) + 4
        while left:
            hub.drain(0.01)
            parts.append(line.recv(2**20))
            left -= len(parts[-1])
        assert b"".join(parts) == framed(whole)


def test_who_does_not_come_is_missed():
    with Hub(TOKEN, 100) as hub, pytest.raises(RunError, match=r"2 of 2 members did not connect within 0.01 s"):
        hub.admit([1, 2], 0.01, never)
    with Hub(TOKEN, 100) as hub, pytest.raises(RunError, match="before their processes ended"):
        hub.admit([1, 2], 60.0, lambda: True)
