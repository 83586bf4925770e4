"""An endpoint's work: sizes as a service counts them, limits, and failures that are values."""

import base64
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from horae.data_planes import DATA_PLANES
from horae.proxyfloxy.model import architecture, first_weights
from horae.proxyfloxy.worker import Failure, Reply, Task, encoded, message_size, pack, ready, too_large, unpack, work
from horae.types import Ref

TEXT = architecture(1)
TASK = Task(0, 2, 0, 0, 0, "digits", None, 8, 1, TEXT)


@given(st.integers(0, 2000))
def test_encoded_is_base64_in_lines(n):
    assert encoded(n) == len(base64.encodebytes(bytes(n)))


def test_a_message_is_what_it_pickles_to():
    task = replace(TASK, payload=bytes(100_000))
    assert message_size(task) == pytest.approx(encoded(len(pickle.dumps(task))), abs=20)


def test_arrays_travel_as_safetensors():
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.float32([1.5])}
    back = unpack(pack(arrays))
    assert all((back[name] == array).all() and back[name].shape == array.shape for name, array in arrays.items())


def test_in_the_message():
    arrays = first_weights(TEXT, 0, 0)
    reply = work(replace(TASK, payload=pack(arrays)))
    assert isinstance(reply, Reply) and reply.samples == 8 and reply.update is None
    update = unpack(reply.payload)
    assert update.keys() == arrays.keys() and (update["0.weight"] != arrays["0.weight"]).any()
    assert reply.t_busy >= reply.t_get + reply.t_train + reply.t_put > 0


def test_by_reference_it_is_the_same_update():
    arrays = first_weights(TEXT, 0, 0)
    plane = DATA_PLANES["inline"]()
    key = plane.reserve((0,), "update")
    reply = work(replace(TASK, model=plane.put(arrays, (0,)), address=plane.address, reply_key=key))
    assert isinstance(reply, Reply) and reply.payload == b"" and reply.update.key == key
    other = unpack(work(replace(TASK, payload=pack(arrays))).payload)
    assert all((array == other[name]).all() for name, array in plane.get(reply.update).items())


def test_raw_8_mib_fail_early_and_by_reference_pass():
    raw = replace(TASK, payload=bytes(8 * 2**20))
    refused = too_large(raw, 10_485_760)
    assert refused is not None and refused.kind == "over-limit" and "11,33" in str(refused)
    assert too_large(raw, 0) is None and too_large(replace(TASK, payload=bytes(7 * 2**20)), 10_485_760) is None
    assert too_large(replace(TASK, model=Ref("0-model-1", 100_000_000), address="shm:/x"), 10_485_760) is None


def test_a_result_may_be_too_large():
    payload = pack(first_weights(TEXT, 0, 0))
    failure = work(replace(TASK, payload=payload, limit=encoded(len(payload))))
    assert isinstance(failure, Failure) and failure.kind == "over-limit" and failure.why.startswith("result of 2,28")


@pytest.mark.parametrize(
    ("task", "says"),
    [
        (replace(TASK, payload=b"nonsense"), "SafetensorError"),
        (replace(TASK, payload=pack({"0.weight": np.zeros(3, np.float32)})), "not those of this network"),
        (replace(TASK, data="nothing"), "--data-name"),
        (replace(TASK, model=Ref("0-model-1", 1), address="shm:/dev/shm/horae-none"), "PlaneError"),
    ],
)
def test_it_never_raises(task, says):
    failure = work(task)
    assert isinstance(failure, Failure) and failure.kind == "failed" and says in failure.why
    assert "\n" not in str(failure) and pickle.loads(pickle.dumps(failure)) == failure


def test_ready():
    assert ready(TASK) is None
    assert "too small" in ready(replace(TASK, payload=b"no")).why
    assert "there is no" in ready(replace(TASK, model=Ref("0-model-1", 1), address="shm:/dev/shm/horae-none")).why
    assert "--data-name" in ready(replace(TASK, data="nothing")).why
