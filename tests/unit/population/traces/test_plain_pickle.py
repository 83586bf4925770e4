import os
import pickle
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from horae.population.traces.plain_pickle import plain_pickle
from horae.population.traces.wrong import Wrong

PLAIN = {1: {"computation": 153.0, "active": [1, 2**40, -3], "model": "ü", "none": (None, True, b"x")}}


class Call:
    """Pickles as a call."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_things_are_read(protocol):
    plain = {1: {key: value for key, value in PLAIN[1].items() if key != "none"}}
    assert plain_pickle(pickle.dumps(plain, protocol)) == plain
    if protocol >= 3:
        assert plain_pickle(pickle.dumps(PLAIN, protocol)) == PLAIN


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    ("hostile", "name"),
    [
        (Call(os.system, "touch hostile-was-here"), "posix.system"),
        ({1: {"computation": [Call(os.system, "touch hostile-was-here")]}}, "posix.system"),
        (Call(eval, "1"), "eval"),
        (np.arange(3), "_reconstruct"),
        (np.float64(3), "scalar"),
        ({1, 2}, "set"),
    ],
)
def test_whatever_asks_for_more_is_refused_by_name(hostile, name, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if isinstance(hostile, set) and protocol == 4:
        assert plain_pickle(pickle.dumps(hostile, 4)) == {1, 2}  # from protocol 4 on a set is a plain container
        return
    with pytest.raises(Wrong, match=f"plain containers and numbers, but asks for .*{name}; do not trust it"):
        plain_pickle(pickle.dumps(hostile, protocol))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "bomb",
    [
        b"\x80\x04]r\xff\xff\xff\xff.",  # a place in the memo that takes 64 GB
        b"]p4000000000\n.",
        b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b".",  # bytes that are not there
        b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b".",
        b"\x80\x04\x8b" + struct.pack("<i", 2**30) + b".",
        b"\x80\x04\x95" + struct.pack("<Q", 2**60) + b".",
        b"\x80\x04Pelsewhere\n.",
        b"\x80\x04\x82\x01.",
        b"L" + b"9" * 9999 + b"L\n.",
        b"\x80\x04\xff.",
        b"\x80\x04.",
        b"",
    ],
)
def test_bombs_and_nonsense_are_refused_in_one_line(bomb):
    with pytest.raises(Wrong) as error:
        plain_pickle(bomb)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_truncated_pickle_is_refused_wherever_it_ends(protocol):
    whole = pickle.dumps({1: {"computation": 1.5, "communication": [1, 2, 300]}}, protocol)
    for end in range(len(whole)):
        with pytest.raises(Wrong, match=r"truncated|broken"):
            plain_pickle(whole[:end])


@given(st.binary(max_size=60))
def test_no_bytes_lead_to_anything_but_a_value_or_a_refusal(data):
    try:
        plain_pickle(b"\x80\x04" + data)
    except Wrong as error:
        assert "\n" not in str(error)
