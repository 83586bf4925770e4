"""Frames: cut anywhere they come out whole; too long ones, and strangers, are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from horae.census import frames
from horae.census.frames import Frames, framed
from horae.errors import WireError

TOKEN, CHALLENGE, IDENTITY = b"t" * 32, b"c" * 32, b"i" * 32


@given(st.lists(st.binary(max_size=40), max_size=8), st.lists(st.integers(1, 20), min_size=1))
def test_however_a_stream_is_cut_the_messages_come_out(messages, steps):
    stream, inbox, found = b"".join(map(framed, messages)), Frames(40), []
    while stream:
        for step in steps:
            found += inbox.feed(stream[:step])
            stream = stream[step:]
    assert found == messages


def test_a_frame_that_is_too_long_is_refused_before_it_has_come():
    assert Frames(5).feed(framed(b"12345")) == [b"12345"]
    with pytest.raises(WireError, match="a frame of 6 bytes, where 5 are the most"):
        Frames(5).feed(framed(b"123456")[:4])


def test_a_greeting_and_a_directory():
    hello = frames.write_greeting(TOKEN, CHALLENGE, 7, IDENTITY)
    assert len(hello) == frames.GREETING == 4 + 32 + 32
    assert frames.read_greeting(TOKEN, CHALLENGE, hello) == (7, IDENTITY)
    told = frames.write_directory(TOKEN, CHALLENGE, {9: bytes(32), 7: IDENTITY})
    assert frames.read_directory(TOKEN, CHALLENGE, told) == {7: IDENTITY, 9: bytes(32)}
    assert TOKEN not in hello + told


@pytest.mark.parametrize("reader", [frames.read_greeting, frames.read_directory])
def test_another_token_challenge_or_purpose_is_refused(reader):
    hello = frames.write_greeting(TOKEN, CHALLENGE, 7, IDENTITY)
    told = frames.write_directory(TOKEN, CHALLENGE, {7: IDENTITY})
    good, other = (hello, told) if reader is frames.read_greeting else (told, hello)
    assert reader(TOKEN, CHALLENGE, good)
    changed = bytes([good[0] ^ 1]) + good[1:]
    elsewhere = [(b"u" * 32, CHALLENGE, good), (TOKEN, b"d" * 32, good)]
    for wrong in (*elsewhere, *((TOKEN, CHALLENGE, data) for data in (other, changed, b""))):
        with pytest.raises(WireError, match="without the token"):
            reader(*wrong)
