import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from horae.errors import ConfigError, DataError
from horae.population.traces import Phones, Sessions, located, read_trace, write_trace

REAL = Path(__file__).parents[5] / "shared" / "data" / "traces"
DAY = 86_400


def saved(directory, name, content):
    file = directory / name
    file.write_bytes(content if isinstance(content, bytes) else str(content).encode())
    return file


def read(directory, content, name="trace.bin"):
    return read_trace(saved(directory, name, content))


def refused(directory, content, name="trace.bin"):
    with pytest.raises(DataError) as error:
        read(directory, content, name)
    words = str(error.value)
    assert words.startswith(str(directory / name)) and "\n" not in words
    return words


def spans(known):
    """The sessions of each client, in seconds."""
    pairs = np.stack([known.start, known.end], axis=1) / 1024
    return {name: pairs[known.rows == i].tolist() for i, name in enumerate(known.names)}


# ---------------------------------------------------------------- each format, by hand


def test_fedscale_behaviour(tmp_path):
    trace = {
        7: {"duration": 3, "inactive": [20, 60], "finish_time": 100, "active": [10, 50], "model": "x"},
        9: {"duration": 3, "inactive": [20], "finish_time": 200, "active": [10, 150], "model": "x"},
        11: {"duration": 0, "inactive": [], "finish_time": 100, "active": [], "model": "x"},
    }
    known, form = read(tmp_path, pickle.dumps(trace), "client_behave_trace")
    assert form == "FedScale pickle"
    assert spans(known) == {"7": [[10, 20], [50, 60]], "9": [[10, 20], [150, 200]], "11": []}
    assert known.period_s.tolist() == [100, 200, 100]
    # client 9 is there again 10 s after its second period began, at 210
    assert known.online(np.array([0, 1]), 215.0).tolist() == [True, True]


def test_fedscale_capacity(tmp_path):
    entries = {1: {"computation": 153.0, "communication": 2209}, 5: {"computation": 80, "communication": 500.5}}
    known, _ = read(tmp_path, pickle.dumps(entries, protocol=2))
    assert known.ms_per_sample.tolist() == [153.0, 80.0] and known.kbps.tolist() == [2209.0, 500.5]
    assert known.names == ("1", "5")


def test_flash_events(tmp_path):
    trace = {"two_state": {"1": [[0, 2], [300, 0], [1000, 2]], "2": [[0, 0], [5, 2], [5, 0], [9, 2], [12, 0]]}}
    known, form = read(tmp_path, json.dumps(trace))
    assert form == "FLASH state events"
    assert spans(known) == {"1": [[0, 300], [1000, DAY]], "2": [[9, 12]]}
    # five days and more: days 1 to 4, and time begins with day 1
    trace["two_state"]["1"] += [[DAY + 50, 0], [5 * DAY - 10, 2], [5 * DAY + 7, 0]]
    known, _ = read(tmp_path, json.dumps(trace))
    assert spans(known) == {"1": [[0, 50], [4 * DAY - 10, 4 * DAY]], "2": []}
    assert known.until(np.array([0]), 4.0 * DAY - 1).tolist() == [4 * DAY + 50]  # from the last day into the first


def test_fedscale_absence(tmp_path):
    away = {"unavailable": {"a": [[8000, 2000], [12_000, 8000]], "b": [[0, 9200]], "c": []}}
    known, form = read(tmp_path, json.dumps(away))
    # it ends at 20,000 s, and begins two hours in
    assert form == "FedScale hours of absence"
    assert known.period_s.tolist() == [12_800] * 3
    assert spans(known) == {"a": [[0, 800], [2800, 4800]], "b": [[2000, 12_800]], "c": [[0, 12_800]]}


def test_flash_phones(tmp_path):
    saved(tmp_path, "flash_real2benchmark.json", json.dumps({"A1": "Alpha", "B1": "Beta", "C1": "unknown"}))
    saved(tmp_path, "flash_benchmark2score.json", json.dumps({"Alpha": 1000}))
    saved(tmp_path, "flash_raw_ai_benchmark_list.json", json.dumps([{"Model": "Beta", "AI_Score": " 4000 1,6"}]))
    lines = {"u": {"down_u": 3000, "up_u": 1000}, "v": {"down_u": 500, "up_u": 500}}
    saved(tmp_path, "flash_speed_distri.json", json.dumps(lines))
    known, form = read(tmp_path, json.dumps([{"guid": "0", "model": m} for m in ("A1", "C1", "B1", "A1")]))
    assert form == "FLASH phones"
    assert known.names == ("A1", "B1", "A1")  # of C1 no score is known
    # scores 1000, 4000, 1000: the median phone takes 153 ms
    assert known.ms_per_sample.tolist() == [153.0, 153 / 4, 153.0]
    assert known.kbps.tolist() == [12_000, 4000, 12_000]  # 8 · 2 / (1/3000 + 1/1000), 8 · 500, and the first again
    (tmp_path / "flash_speed_distri.json").unlink()
    with pytest.raises(DataError, match=r"flash_speed_distri.json is missing; put it there"):
        read(tmp_path, json.dumps([{"model": "A1"}]))


def test_ai_benchmark_lists(tmp_path):
    known, form = read(tmp_path, "Processor,AI Score\n,\nfast,600\nslow,100.0\nmiddle,200\n")
    assert form == "AI-Benchmark CSV"
    assert known.ms_per_sample.tolist() == [51.0, 306.0, 153.0] and set(known.kbps) == {2209.0}
    known, _ = read(tmp_path, json.dumps([{"Model": "a", "AI_Score": " 10 1"}, {"Model": "b", "AI_Score": "30"}]))
    assert known.ms_per_sample.tolist() == [306.0, 102.0]


# ---------------------------------------------------------------- our own


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_our_format_comes_back_as_it_went(tmp_path, ending):
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    rows = np.array([0, 0, 2])
    hours = Sessions.of(["a", "never", "b"], rows, [1.5, 100, 0], [2.5, 200, 300], np.array([500.0, 500.0, DAY]))
    write_trace(hours, file := tmp_path / f"hours.{ending}")
    back, form = read_trace(file)
    assert form.startswith("horae")
    assert (back.names, spans(back), back.period_s.tolist()) == (hours.names, spans(hours), hours.period_s.tolist())
    write_trace(Phones.of(["a", "b"], np.array([1.25, 3]), np.array([5.0, 1e6])), file)
    phones, _ = read_trace(file)
    assert (phones.names, phones.ms_per_sample.tolist(), phones.kbps.tolist()) == (("a", "b"), [1.25, 3], [5, 1e6])


def test_our_csv_in_plain_words(tmp_path):
    known, _ = read(tmp_path, "\ufeffclient,end_s,start_s,note\nx,90,60,\ny,100000,0,\n\nx,30,10,late\n")
    assert spans(known) == {"x": [[10, 30], [60, 90]], "y": [[0, 100_000]]}
    assert known.period_s.tolist() == [2 * DAY] * 2  # whole days, unless period_s says otherwise
    rows = [{"client": 1, "start_s": 5, "end_s": 6}, {"client": 2, "start_s": 5, "end_s": 6.5}]
    assert spans(read(tmp_path, json.dumps(rows))[0]) == {"1": [[5, 6]], "2": [[5, 6.5]]}


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(DataError, match=r"needs pyarrow; pip install 'horae\[parquet\]', or use CSV or JSON"):
        read(tmp_path, b"PAR1whatever")
    with pytest.raises(ConfigError, match=r"--out should end in .csv, .json, .parquet, got 'x.txt'"):
        write_trace(Phones.of(["a"], np.ones(1), np.ones(1)), tmp_path / "x.txt")


# ---------------------------------------------------------------- what is wrong, in one line

ENTRY = {"active": [10, 50], "inactive": [20, 60], "finish_time": 100}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (pickle.dumps({1: ENTRY})[:-9], "truncated"),
        (pickle.dumps({1: {**ENTRY, "inactive": [20, 45]}}), "end before they start, but client 1 has 50 to 45 s"),
        (pickle.dumps({1: {**ENTRY, "inactive": [55, 60]}}), "should not overlap, but client 1 has one from 50 s"),
        (pickle.dumps({1: {**ENTRY, "inactive": [float("nan"), 60]}}), "finite seconds, but client 1"),
        (pickle.dumps({1: {**ENTRY, "inactive": []}}), "as many inactive as active times"),
        (pickle.dumps({1: {**ENTRY, "active": "no"}}), "client 1 should have numbers for active, got 'no'"),
        (pickle.dumps({1: ENTRY, 2: 3}), "client 2 should have numbers for active"),
        (pickle.dumps({1: {"computation": 1.0, "communication": "x"}}), "client 1 should have a number for communicat"),
        (pickle.dumps({1: {"computation": -1.0, "communication": 1}}), r"ms_per_sample should lie in \[1e-6, 1e9\]"),
        (pickle.dumps({}), "the pickle should hold"),
        (pickle.dumps([1, 2]), "the pickle should hold"),
        ("client,start_s,end_s\na,5,nan\n", "end_s should be a finite number, but client a has 'nan'"),
        ("client,start_s,end_s\na,5,\n", "end_s should be a finite number, but client a has ''"),
        ("client,start_s,end_s\na,20,10\n", "not end before they start, but client a has 20 to 10 s"),
        ("client,start_s,end_s\na,-5,10\n", "start at 0 s or later, but client a has -5 to 10 s"),
        ("client,start_s,end_s\na,0,10\na,5,15\n", "not overlap, but client a has one from 5 s while another lasts"),
        ("client,start_s,end_s\n,0,10\n", "every row should name its client, but row 1 does not"),
        ("client,start_s,end_s\na,0\n", "row 1 should have 3 cells as the header has, got 2"),
        ("client,start_s,end_s\n", "somebody should be online some time"),
        ("client,start_s,end_s,period_s\na,0,1,60\na,2,3,70\n", "period_s should be one number for each client"),
        ("client,start,end\na,0,10\n", "columns client, start_s, end_s .* got client, start, end"),
        ("client,ms_per_sample,kbps\na,1,2\na,1,3\n", "one row for each client, but a has two"),
        ("client,ms_per_sample,kbps\na,0,2\n", "ms_per_sample should lie in"),
        ("client,ms_per_sample,kbps\n", "have a device at least"),
        ("", "it is no CSV"),
        ('{"two_state": {}}', "two_state should be a table of clients"),
        ('{"two_state": {"1": []}}', "client 1 should have events, and has none"),
        ('{"two_state": {"1": [[5, 2], [3, 0]]}}', "client 1 should have its events in order of time"),
        ('{"two_state": {"1": [[5, 2, 1]]}}', "client '1' should have a list of pairs of numbers"),
        ('{"two_state": {"1": 7}}', "client '1' should have a list of pairs of numbers, got 7"),
        ('{"two_state": {"1": [[0, 0]]}}', "somebody should be online some time"),
        ('{"unavailable": {"1": [[5, -2]]}}', "client 1 should be away for .start, duration. in order"),
        ('{"unavailable": {"1": [[5, 10], [7, 1]]}}', "neither negative nor overlapping"),
        ('{"client": ["a"], "start_s": [1], "end_s": []}', "as long as each other"),
        ('{"client": ["a"], "start_s": [1], "end_s": [true]}', "end_s should be a finite number"),
        ('{"what": 3}', "it should be a trace: FedScale's pickles"),
        ('{"client": ', "broken JSON"),
        ("[" * 100_000, "broken JSON"),
        ("Processor,AI Score\na,-5\n", "benchmark scores should be positive"),
        ('[{"Model": "a", "AI_Score": "fast"}]', "AI_Score should begin with a number"),
        (b"\xff\xfe\x00", "neither pickle, Parquet nor text"),
    ],
)
def test_each_wrong_file_is_one_line_that_names_it(tmp_path, content, words):
    import re

    assert re.search(words, refused(tmp_path, content))


def test_the_same_list_many_times_over_is_refused(tmp_path):
    shared = list(range(0, 2000, 2))
    entry = {"active": shared, "inactive": [second + 1 for second in shared], "finish_time": 2000}
    assert "says more than it holds" in refused(tmp_path, pickle.dumps(dict.fromkeys(range(3000), entry)))


def test_files_that_cannot_be_opened(tmp_path):
    with pytest.raises(DataError, match=r"nope.csv is missing; put it there, or name its directory"):
        read_trace(tmp_path / "nope.csv")
    with pytest.raises(DataError, match="cannot read"):
        read_trace(tmp_path)


def test_a_relative_name_is_looked_for_below_the_data_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HORAE_DATA", "/data")
    assert located("traces/x.csv", None) == Path("/data/traces/x.csv")
    assert located("traces/x.csv", tmp_path) == tmp_path / "traces/x.csv"
    assert located("/else/x.csv", tmp_path) == Path("/else/x.csv")
    with pytest.raises(DataError, match="name the directory of the data"):
        located("~nobody-of-this-name/x.csv", tmp_path)


# ---------------------------------------------------------------- the real ones, where they are

needed = pytest.mark.skipif(not REAL.is_dir(), reason="the real traces are not here; see docs/traces.md")


@needed
def test_the_real_hours():
    flash, _ = read_trace(REAL / "flash_availability_300x6d.json")
    assert flash.clients == 300 and set(flash.period_s) == {4.0 * DAY}
    # probed from the file every ten minutes of days 1 to 4, the means are .185, .190, .152, .155
    assert flash.shares.mean() == pytest.approx((0.185 + 0.190 + 0.152 + 0.155) / 4, abs=0.001)
    absence, _ = read_trace(REAL / "fedscale_unavailability_300x48h.json")
    assert absence.clients == 300 and absence.shares.mean() == pytest.approx(0.172, abs=0.001)


@needed
def test_the_real_devices():
    phones, _ = read_trace(REAL / "flash_aggregated_durations_1000.json")
    assert phones.clients == 279 and np.median(phones.ms_per_sample) == 153
    # scores 991 and 7,974 at 10 and 90 %: an 8-fold spread
    slow, fast = np.quantile(phones.ms_per_sample, [0.9, 0.1])
    assert slow / fast == pytest.approx(7974 / 991, rel=0.01)
    processors, _ = read_trace(REAL / "ai_benchmark_2025.csv")
    assert processors.clients == 271
    listed, _ = read_trace(REAL / "flash_raw_ai_benchmark_list.json")
    assert listed.clients == 307


ODD = [None, True, -1, 1e308, 10**400, "", "x", [], {}, [[]], [[1, 2], [3]], {"a": 1}, [None], [[None, 2]]]
SOUND = [
    {"two_state": {"1": [[0, 2], [300, 0]], "2": [[5, 2]]}},
    {"unavailable": {"a": [[8000, 2000]], "b": []}},
    {"client": ["a", "b"], "start_s": [1, 2], "end_s": [3, 4]},
    [{"client": "a", "ms_per_sample": 1, "kbps": 3}],
    [{"Model": "a", "AI_Score": " 10 1"}],
    {1: {"active": [10], "inactive": [20], "finish_time": 100}},
    {1: {"computation": 1.5, "communication": 3}},
]


def spoilt(value):
    """The same with one thing after another replaced by something odd."""
    yield from ODD
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        for odd in spoilt(inner):
            copy = value.copy()
            copy[key] = odd
            yield copy


@pytest.mark.parametrize("sound", SOUND, ids=range(len(SOUND)))
def test_whatever_is_odd_is_read_or_refused_but_never_a_traceback(sound, tmp_path):
    pickled = isinstance(sound, dict) and 1 in sound
    outcomes = set()
    for odd in [sound, *spoilt(sound)]:
        file = saved(tmp_path, "odd", pickle.dumps(odd) if pickled else json.dumps(odd))
        try:
            outcomes.add(type(read_trace(file)[0]))
        except DataError as error:
            outcomes.add(DataError)
            assert "\n" not in str(error)
    assert len(outcomes) == 2
