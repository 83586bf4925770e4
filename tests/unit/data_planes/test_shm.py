"""Files in memory: whole, checked, read in place, and gone at the end, however the end comes."""

import copy
import errno
import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from horae.data_planes import Shm, attach, shm
from horae.errors import ConfigError, PlaneError
from horae.types import ROOT, Ref

MODEL = {"params": np.arange(6, dtype=np.float32), "mask": np.array([True, False])}


@pytest.fixture
def plane(tmp_path):
    made = Shm(str(tmp_path))
    yield made
    made.close()


def file_of(plane, key):
    return Path(plane.address.removeprefix("shm:")) / key


def failed(act, *args):
    with pytest.raises(PlaneError) as refused:
        act(*args)
    return refused.value.kind


def test_one_file_for_each_object_and_no_directory_afterwards(plane, tmp_path):
    ref = plane.put(MODEL, (0, 1))
    assert ref.key == "0.1-model-1"
    assert ref.nbytes == 6 * 4 + 2
    assert file_of(plane, ref.key).is_file()
    plane.close()
    assert os.listdir(tmp_path) == []


def test_a_model_is_read_in_place_and_stays_readable_when_it_is_evicted(plane):
    large = {"params": np.arange(2**19, dtype=np.float32)}  # 2 MiB
    ref = plane.put(large, ROOT)
    read = plane.get(ref)
    with file_of(plane, ref.key).open("r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(np.float32(7).tobytes())
    assert read["params"][-1] == 7  # every reader sees the same memory
    assert failed(plane.get, ref) == "corrupt"
    plane.evict(ref)
    np.testing.assert_array_equal(read["params"][:-1], large["params"][:-1])
    assert failed(plane.get, ref) == "missing"


def test_many_small_objects_hold_no_files_open(plane):
    before = len(os.listdir("/proc/self/fd"))
    kept = [plane.get(plane.put(MODEL, ROOT)) for _ in range(50)]
    assert len(kept) == 50
    assert len(os.listdir("/proc/self/fd")) <= before + 2  # the lock


def test_an_aggregator_among_the_workers_makes_keys_of_its_own(plane):
    first = plane.put(MODEL, ROOT)
    ref = attach(plane.address).put({"params": np.ones(2)}, ROOT)
    assert ref.key != first.key
    np.testing.assert_array_equal(plane.get(first)["params"], MODEL["params"])


def test_nothing_is_made_anew_by_asking_or_evicting_after_the_end(plane, tmp_path):
    ref = plane.put(MODEL, ROOT)
    plane.close()
    plane.evict(ref)
    assert plane.keys() == []
    assert os.listdir(tmp_path) == []


def test_a_changed_byte_is_noticed(plane):
    ref = plane.put(MODEL, ROOT)
    file = file_of(plane, ref.key)
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    assert failed(plane.get, ref) == "corrupt"
    file.write_bytes(b"")
    assert failed(plane.get, ref) == "corrupt"


def test_half_a_file_is_nobodys_object(plane):
    plane.put(MODEL, ROOT)
    file_of(plane, "root-update-9.part").write_bytes(b"half")
    assert plane.keys() == ["root-model-1"]


@pytest.mark.parametrize("key", ["../root", ".lock", "a/b", "", "x" * 300])
def test_a_foreign_key_leads_nowhere(plane, key):
    assert failed(plane.get, Ref(key, 1)) == failed(plane.evict, key) == failed(plane.put_as, key, MODEL) == "missing"


def test_a_full_disk_is_said_to_be_full_and_leaves_no_half(plane, monkeypatch):
    plane.put(MODEL, ROOT)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(shm.os, "replace", full)
        assert failed(plane.put, MODEL, ROOT) == "full"
    assert len(os.listdir(file_of(plane, ""))) == 2  # the lock, and the first


def test_a_directory_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"data_plane.directory.*choose another"):
        Shm(str(tmp_path / "file" / "in")).put(MODEL, ROOT)


def test_a_key_says_whose_and_what_for_in_letters_that_a_file_may_have(plane):
    assert plane.reserve((0, 1), "update of Zoë/../x", 1.0) == "0.1-update-of-Zo-----x-1"


def test_copies_open_for_themselves(plane):
    plane.put(MODEL, ROOT)
    for other in (copy.deepcopy(plane), pickle.loads(pickle.dumps(plane))):
        assert other == plane
        assert other.stats()["objects"] == 0
        assert other.address != plane.address
        other.close()
    assert plane.stats()["objects"] == 1


def test_counts_are_of_this_process(plane):
    ref = plane.put(MODEL, ROOT)
    plane.get(ref)
    plane.get(ref)
    assert plane.stats() == {"objects": 1, "nbytes": 26, "puts": 1, "gets": 2, "evicted": 0}


def test_a_worker_reads_an_object_once_and_forgets_what_it_evicts(plane):
    ref = plane.put(MODEL, ROOT)
    worker = attach(plane.address)
    assert attach(plane.address) is worker
    assert worker.get(ref)["params"] is worker.get(ref)["params"]
    assert worker.stats()["cached_nbytes"] == 26
    worker.evict(ref)
    assert failed(worker.get, ref) == "missing"
    worker.close()
    assert plane.stats()["objects"] == 0


def test_whoever_comes_after_the_end_is_told_so(plane):
    worker, key = attach(plane.address), plane.reserve(ROOT, "update")
    worker.keys()
    plane.close()
    assert failed(worker.put_as, key, MODEL) == "unreachable"
    assert failed(attach(plane.address + "-other").keys) == "unreachable"
    assert failed(attach, "ftp:somewhere") == failed(attach, "inline:none") == "unreachable"


def test_a_store_directory_that_is_removed_in_the_middle_is_an_error_and_no_more(plane):
    ref = plane.put(MODEL, ROOT)
    shutil.rmtree(file_of(plane, ""))
    assert failed(plane.get, ref) == "missing"
    assert failed(plane.put, MODEL, ROOT) == failed(plane.keys) == "unreachable"
    plane.evict(ref)


def work(address, key, die):
    worker = attach(address)
    ref = worker.put_as(key, MODEL)
    if die:
        os.kill(os.getpid(), signal.SIGKILL)
    return ref, float(worker.get(ref)["params"].sum())


def test_nothing_is_left_by_a_worker_that_is_killed_after_its_put(plane, tmp_path):
    keys = [plane.reserve(ROOT, "update") for _ in range(2)]
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        ref, total = pool.submit(work, plane.address, keys[0], False).result(60)
        assert total == 15.0
        np.testing.assert_array_equal(plane.get(ref)["params"], MODEL["params"])
        assert pool.submit(work, plane.address, keys[1], True).exception(60) is not None
    assert plane.keys() == sorted(keys)
    plane.close()
    assert os.listdir(tmp_path) == []


OWNER = """
import sys, time, numpy as np
from horae.data_planes import Shm
plane = Shm(sys.argv[1])
print(plane.put({"w": np.ones(3)}, ()).address, flush=True)
time.sleep(60 if sys.argv[2] == "wait" else 0)
"""


def owner(directory, how):
    return subprocess.Popen([sys.executable, "-c", OWNER, str(directory), how], stdout=subprocess.PIPE, text=True)


def test_a_process_that_ends_without_closing_leaves_nothing(tmp_path):
    with owner(tmp_path, "end") as process:
        assert process.wait(60) == 0
    assert os.listdir(tmp_path) == []


def test_what_a_killed_run_left_is_removed_by_the_next_and_a_living_run_is_not(tmp_path, plane):
    plane.put(MODEL, ROOT)
    with owner(tmp_path, "wait") as process:
        left = process.stdout.readline().strip().removeprefix("shm:")
        other = Shm(str(tmp_path))
        other.put(MODEL, ROOT)
        assert Path(left).is_dir()  # it lives
        process.kill()
    other.close()
    assert Path(left).is_dir()
    again = Shm(str(tmp_path))
    again.put(MODEL, ROOT)
    again.close()
    assert not Path(left).exists()
    assert plane.stats()["objects"] == 1


@pytest.mark.slow
def test_a_model_of_two_gigabytes_passes():
    if os.statvfs("/dev/shm").f_bavail * os.statvfs("/dev/shm").f_frsize < 5 * 10**9:
        pytest.skip("/dev/shm has less than 5 GB")
    plane, model = Shm(), {"w": np.zeros(2**29 + 1000, np.float32), "end": np.ones(1)}
    model["w"][-1] = 7
    try:
        started = time.monotonic()
        ref = plane.put(model, ROOT)
        read = plane.get(ref)
        assert (ref.nbytes > 2**31, read["w"][-1], read["end"][0]) == (True, 7, 1)
        assert time.monotonic() - started < 120
    finally:
        plane.close()
