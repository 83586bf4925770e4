"""Slots: how they are written, whom they suit, what they tell a run."""

import pytest

from horae.errors import ConfigError
from horae.sweep.slots import slot, slots


@pytest.mark.parametrize("words", ["cpu", "cuda", "cuda:0", "cuda:12", "lab:cpu", "lab.org:cuda", "my lab:cuda:3"])
def test_a_slot_is_named_as_it_is_written(words):
    assert slot(words).name == words


@pytest.mark.parametrize(
    "words", ["", "gpu", "cpu:1", "lab:", "lab", "cuda:x", "a:b:cpu", "CPU", 3, None, "cuda:12345"]
)
def test_anything_else_is_refused(words):
    with pytest.raises(ConfigError, match=r"slots should look like cpu, cuda:0, HOST:cpu or HOST:cuda:0, got "):
        slot(words)


def test_hosts_have_to_be_described():
    assert [s.host for s in slots(["cpu", "lab:cpu"], {"lab": None})] == ["", "lab"]
    with pytest.raises(ConfigError) as error:
        slots(["lap:cpu"], {"lab": None})
    assert str(error.value) == "slots: there is no host 'lap'; did you mean 'lab'?"
    with pytest.raises(ConfigError) as error:
        slots(["lab:cpu"], {})
    assert str(error.value).endswith('; add [hosts.lab] ssh = "...", directory = "..."')
    with pytest.raises(ConfigError, match="slots should be 1 to 1,024 of them, got 1025"):
        slots(["cpu"] * 1025, {})


def test_what_was_begun_goes_on_in_slots_of_its_kind():
    assert slot("cpu").suits(None)
    assert slot("cuda:1").suits(slot("cuda:0"))
    assert not slot("cpu").suits(slot("cuda:0"))
    assert not slot("cpu").suits(slot("lab:cpu"))
    assert slot("lab:cpu").suits(slot("lab:cpu"))


def test_a_gpu_is_one_of_those_that_are_to_be_seen():
    threads = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    assert slot("cpu").environment(2, {}) == threads
    assert slot("cuda").environment(2, {"CUDA_VISIBLE_DEVICES": "3"}) == threads
    assert slot("cuda:1").environment(2, {}) == {**threads, "CUDA_VISIBLE_DEVICES": "1"}
    assert slot("cuda:1").environment(2, {"CUDA_VISIBLE_DEVICES": "3,5"})["CUDA_VISIBLE_DEVICES"] == "5"
    assert slot("lab:cuda:1").environment(2, {"CUDA_VISIBLE_DEVICES": "3,5"})["CUDA_VISIBLE_DEVICES"] == "1"
