"""Reproductions whose runs are small scripts: what is run, what is gone on with, what is kept and shown."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "compare"))

from scripted_runs import Runs, patched

from horae.cli import app
from horae.errors import ConfigError, RunError, Stopped
from horae.reproduce import page as pages
from horae.reproduce import records, reproduce
from horae.reproduce.finding import kept
from horae.reproduce.reading import read

TEXT = """
[claim]
paper = "P"
where = "Table 1"
words = "Auxo helps."
picture = "dots"

[small]
words = "digits."
vary = { clustering = ["single", "auxo"] }

[paper]
words = "nothing larger"
none = true

[[check]]
words = "accuracy"
arm = "auxo"
measure = "accuracy"
direction = "higher"
paper = "+3"

[[check]]
words = "time"
arm = "auxo"
measure = "speedup_time"
direction = "higher"
paper = "2x"

[[check]]
words = "compute"
arm = "auxo"
measure = "extra_compute"
direction = "lower"
paper = "none"
why = "it asks for losses."
"""
PROBE = TEXT.replace(
    'vary = { clustering = ["single", "auxo"] }', 'probe = { name = "update-similarity", rounds = [0] }'
)


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    """An empty folder; the comparison's page has its own tests."""
    monkeypatch.setattr("horae.report.comparison.page.comparison_page", lambda results, directory: "")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")


@pytest.fixture
def runs(monkeypatch):
    return patched(monkeypatch, Runs())


@pytest.fixture
def file(tmp_path):
    (tmp_path / "experiments" / "it").mkdir(parents=True)
    found = tmp_path / "experiments" / "it" / "table1.toml"
    found.write_text(TEXT)
    return found


def test_rows_are_judged_by_pairs_and_nothing_is_run_twice(runs, file):
    done = reproduce(read(file), seeds=3, jobs=2)
    assert len(runs.begun) == 6 and done.failures == []
    accuracy, time, compute = done.record.rows
    assert (accuracy.mean, accuracy.low) == pytest.approx((0.23333, 0.16162), abs=1e-4)
    assert time.mean == pytest.approx(1.477, abs=1e-3)  # see tests/unit/compare/test_compare.py
    assert [row.verdict for row in done.record.rows] == ["yes", "yes", "no"]
    assert compute.ours == [0.25, 0.25, 0.25]
    assert done.directory == Path("reproductions/it-table1-small-3seeds")
    again = reproduce(read(file), seeds=3)
    assert len(runs.begun) == 6
    assert again.record.dumps() == done.record.dumps()


def test_ctrl_c_stops_and_the_same_command_goes_on(runs, file, monkeypatch):
    # the third run asks to stop: by what a terminal sends
    command, n = runs.command, [0]

    def third(job, data_root):
        n[0] += 1
        if n[0] == 3:
            threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
            return [sys.executable, "-c", "import time; time.sleep(60)"]
        return command(job, data_root)

    monkeypatch.setattr(runs, "command", third)
    with pytest.raises(
        Stopped, match=r"stopped with 2 of 6 runs finished; go on with: horae reproduce .*table1\.toml --seeds 3"
    ):
        reproduce(read(file), seeds=3, jobs=1)
    done = reproduce(read(file), seeds=3, jobs=2)
    assert n[0] == 7, "two were finished, the third ran twice"
    assert [row.verdict for row in done.record.rows] == ["yes", "yes", "no"]


def test_a_file_that_changed_does_not_go_on_in_the_old_place(runs, file):
    reproduce(read(file), seeds=2)
    file.write_text(
        TEXT.replace("[[check]]", "set = 0\n[[check]]", 0).replace("vary =", "set = { participants = 9 }\nvary =")
    )
    with pytest.raises(ConfigError, match="participants should be 30 as when this comparison began, got 9"):
        reproduce(read(file), seeds=2)


def test_a_failed_run_is_told_and_not_kept(monkeypatch, file):
    patched(monkeypatch, Runs(failing={("auxo", 1): "boom"}))
    done = CliRunner().invoke(app, ["reproduce", str(file), "--seeds", "2", "--keep"])
    assert "failed: auxo, seed 1: boom" in done.stdout
    assert done.exit_code == 1
    assert not kept(read(file), "small").exists()


def test_results_are_kept_and_shown(runs, file, tmp_path, monkeypatch):
    done = CliRunner().invoke(app, ["reproduce", str(file), "--keep"])
    assert done.exception is None, done.output
    assert "not distinguishable" not in done.stdout and "compute: it asks for losses." in done.stdout
    table = json.loads(kept(read(file), "small").read_text())
    assert table["command"] == "horae reproduce it/table1 --seeds 3"
    assert [arm["name"] for arm in table["arms"]] == ["single", "auxo"]
    assert table["arms"][1]["values"]["accuracy"] == [0.75, 0.8, 0.95]
    text, drawn = pages.page(tmp_path / "experiments")
    assert "| [it/table1](#ittable1) | Auxo helps. | accuracy: +3 | +23.3 [+16.2, +30.5] | 2 yes, 1 no |" in text
    assert "- compute: it asks for losses." in text
    assert list(drawn) == ["it-table1.svg"] and drawn["it-table1.svg"].count("<path") > 6
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr("horae.reproduce.finding._CHECKOUT", tmp_path / "experiments")
    (tmp_path / "pyproject.toml").touch()
    assert [file.name for file in pages.write_page()] == ["evidence.md", "it-table1.svg"]
    assert (tmp_path / "docs" / "evidence.md").read_text() == text


def test_results_of_an_older_file_are_refused(runs, file, tmp_path):
    one = read(file)
    records.write(reproduce(one, seeds=2).record, kept(one, "small"))
    file.write_text(TEXT.replace("+3", "+4"))
    with pytest.raises(ConfigError, match="it/table1 has changed since its results were made; run: horae reproduce"):
        pages.page(tmp_path / "experiments")
    file.write_text(TEXT.replace("Auxo helps.", "Auxo helps a lot.").replace("it asks for losses.", "other words."))
    assert "other words." in pages.page(tmp_path / "experiments")[0]
    kept(one, "small").write_text("[]")
    with pytest.raises(RunError, match="it is no record"):
        pages.page(tmp_path / "experiments")


def test_what_is_not_measured_is_named(file, tmp_path):
    assert "Not measured yet, for want of time or data: `it/table1`." in pages.page(tmp_path / "experiments")[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--size", "large"], "--size should be small or paper, got 'large'"),
        (["--size", "paper"], "it/table1 has no size paper: nothing larger"),
        (["--seeds", "0"], "--seeds should be in [1, 1000], got 0"),
        (["--jobs", "0"], "--jobs should be >= 1, got 0"),
        (["--page"], "--page should stand alone"),
    ],
)
def test_wrong_options_are_one_line(file, words, said):
    done = CliRunner().invoke(app, ["reproduce", str(file), *words])
    assert said in str(done.exception) and "\n" not in str(done.exception)
    assert done.stdout == ""


def test_without_a_name_everything_is_listed():
    done = CliRunner().invoke(app, ["reproduce", "--json"])
    names = [row["name"] for row in json.loads(done.stdout)["reproductions"]]
    assert {"auxo/table3", "auxo/table5", "auxo/figure14c"} <= set(names)
    assert "auxo/figure12" in CliRunner().invoke(app, ["reproduce"]).stdout
    assert "go with a name" in str(CliRunner().invoke(app, ["reproduce", "--keep"]).exception)


def test_a_probe_has_one_process_for_each_seed_and_goes_on(file, monkeypatch, tmp_path):
    checked = PROBE[: PROBE.index("[[check]]")] + (
        '[[check]]\nwords = "alike"\narm = "after 0 rounds"\nagainst = 0\nmeasure = "correlation"\n'
        'direction = "higher"\npaper = "-"\n'
    )
    file.write_text(checked)
    script = (
        "import json, pathlib, sys; p = pathlib.Path(sys.argv[1]); p.mkdir(parents=True); "
        "number = {'correlation': 0.5 + 0.1 * float(sys.argv[2])}; "
        "(p / 'summary.json').write_text(json.dumps({'arms': {'after 0 rounds': number}}))"
    )
    begun = []

    def command(order, job):
        begun.append(job.seed)
        return [
            sys.executable,
            "-c",
            script if job.seed != 1 or len(begun) > 3 else "1/0",
            str(job.directory),
            str(job.seed),
        ]

    monkeypatch.setattr("horae.reproduce.probing.Order.command", command)
    first = reproduce(read(file), seeds=3, jobs=1)
    assert [(arm, seed) for arm, seed, _ in first.failures] == [("probe", 1)]
    assert "ZeroDivisionError" in first.failures[0][2]
    second = reproduce(read(file), seeds=3, jobs=1)
    assert begun == [0, 1, 2, 1] and second.failures == []
    assert second.record.rows[0].ours == pytest.approx([0.5, 0.6, 0.7])
    assert second.record.rows[0].verdict == "yes"
    file.write_text(checked.replace("rounds = [0]", "rounds = [0, 3]"))
    with pytest.raises(RunError, match="holds something else, or an older state of the file"):
        reproduce(read(file), seeds=3)


@pytest.mark.slow
def test_real_runs_interrupted_and_gone_on_with_find_what_uninterrupted_ones_do(file, tmp_path):
    size = "set = { budget.participations = 1200, population.clients = 40, participants = 8 }\nvary ="
    file.write_text(TEXT.replace("vary =", size))
    command = [sys.executable, "-m", "horae", "reproduce", str(file), "--seeds", "1", "--jobs", "1", "--json"]
    whole = subprocess.run([*command, "--out", "whole"], capture_output=True, text=True, timeout=300, check=True)
    begun = subprocess.Popen(
        [*command, "--out", "parts"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    log, end = tmp_path / "parts" / "runs" / "auxo" / "seed-0" / "events.jsonl", time.monotonic() + 120
    while not (log.exists() and log.read_text().count('{"event":"round"') > 3):
        assert time.monotonic() < end
        time.sleep(0.05)
    begun.send_signal(signal.SIGINT)
    out, said = begun.communicate(timeout=120)
    assert (begun.returncode, out) == (130, "")
    again = f"horae reproduce {file} --seeds 1, and the same options"
    assert said == f"horae: stopped with 1 of 2 runs finished; go on with: {again}\n"
    again = subprocess.run([*command, "--out", "parts"], capture_output=True, text=True, timeout=300, check=True)
    one, other = (json.loads(done.stdout) for done in (whole, again))
    assert one["checks"] == other["checks"]
    assert [row["verdict"] for row in one["checks"]][::2] == ["one seed", "one seed"]
