import pickle

import numpy as np
import pytest

from horae.errors import ConfigError, DataError
from horae.experiment import load
from horae.population import TraceAvailability, TraceDevices

DAY = 86_400.0
IDS = np.arange(7)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "hours.csv").write_text("client,start_s,end_s\na,0,100\nb,50,150\nc,90000,100000\n")
    (tmp_path / "phones.csv").write_text("client,ms_per_sample,kbps\na,1,10\nb,2,20\nc,3,30\n")
    return tmp_path


def test_client_i_has_row_i_modulo_n(root):
    hours = TraceAvailability(file="hours.csv").opened(root)
    assert hours.online(IDS, 10.0, 0).tolist() == [True, False, False] * 2 + [True]
    assert hours.until(IDS, 120.0, 0).tolist() == [120, 150, 120, 120, 150, 120, 120]
    assert hours.online(IDS, 2 * DAY + 10, 0)[0]  # two days long, then anew
    assert TraceDevices(file="phones.csv").opened(root).capacity(IDS, 0).kbps.tolist() == [10, 20, 30, 10, 20, 30, 10]


def test_shuffled_rows_follow_the_seed_and_each_is_dealt_once(root):
    phones = TraceDevices(file="phones.csv", shuffle=True).opened(root)
    dealt = [tuple(phones.capacity(IDS[:3], seed).ms_per_sample) for seed in range(20)]
    assert set(map(frozenset, dealt)) == {frozenset({1.0, 2.0, 3.0})} and len(set(dealt)) > 1
    assert phones.capacity(np.array([5, 2]), 4).kbps.tolist() == phones.capacity(IDS, 4).kbps[[5, 2]].tolist()


def test_a_part_of_the_days(root):
    second = TraceAvailability(file="hours.csv", from_day=1.0, days=1.0).opened(root)
    assert second.online(IDS[:3], 3600.0, 0).tolist() == [False, False, True]  # 90,000 s is an hour into day 1
    assert second.until(IDS[:3], 3600.0, 0)[2] == 100_000 - DAY
    with pytest.raises(ConfigError, match=r"from_day, days: .*hours.csv: the part kept should lie within .* 172800 s"):
        TraceAvailability(file="hours.csv", days=3.0).opened(root)
    with pytest.raises(ConfigError, match="somebody should be online"):
        TraceAvailability(file="hours.csv", from_day=1.5).opened(root)


def test_an_opened_member_is_the_same_member_with_its_trace(root):
    closed = TraceAvailability(file="hours.csv", shuffle=True)
    hours = closed.opened(root)
    assert hours == closed and hash(hours) == hash(closed) and closed.loaded is None and hours.loaded.clients == 3
    again = pickle.loads(pickle.dumps(hours))
    assert again.online(IDS, 10.0, 0).tolist() == hours.online(IDS, 10.0, 0).tolist()


def test_an_unopened_one_looks_in_the_usual_place(root, monkeypatch):
    monkeypatch.setenv("HORAE_DATA", str(root))
    assert TraceDevices(file="./phones.csv").capacity(IDS[:2], 0).kbps.tolist() == [10, 20]
    assert TraceAvailability(file="./hours.csv").online(IDS[:2], 60.0, 0).tolist() == [True, True]


def test_without_a_file_the_example_answers_but_no_experiment_runs_on_it(root):
    assert TraceDevices().capacity(IDS[:1], 0).kbps.tolist() == [868.0]  # the first row of the example
    with pytest.raises(ConfigError, match=r"availability.file should be a trace of who is online when, got ''; name"):
        TraceAvailability().opened(root)
    with pytest.raises(ConfigError, match=r"devices.file should be a trace of devices, got ''; name .*durations_1000"):
        TraceDevices().opened(root)


def test_checking_an_experiment_reads_no_file_and_opening_it_does():
    made = load({"availability": {"name": "trace", "file": "no/such.csv"}, "devices": {"name": "trace", "file": "x"}})
    assert made.table()["availability"] == {
        "name": "trace", "file": "no/such.csv", "shuffle": False, "from_day": 0.0, "days": 0.0,
    }  # fmt: skip
    with pytest.raises(DataError, match=r"no/such.csv is missing"):
        made.parts["availability"].opened(None)


def test_files_of_the_other_kind_are_refused(root):
    with pytest.raises(DataError, match=r"phones.csv should hold who is online when, got devices \(horae CSV\)"):
        TraceAvailability(file="phones.csv").opened(root)
    with pytest.raises(DataError, match=r"hours.csv should hold devices, got who is online when"):
        TraceDevices(file="hours.csv").opened(root)


@pytest.mark.parametrize("fields", [{"from_day": -1.0}, {"days": -1.0}, {"days": float("nan")}])
def test_bad_values_are_refused(fields):
    with pytest.raises(ConfigError, match=f"availability.{next(iter(fields))} should be in"):
        TraceAvailability(**fields)
