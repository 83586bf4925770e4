"""The command line: in this process where that is enough, as a command where streams and exit codes matter."""

import json
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import horae
from horae.citations import entries as bibtex
from horae.cli import app
from horae.errors import HoraeError
from horae.families import EVERY

SMALL = ["--set", "budget.participations=60", "--set", "population.clients=30", "--set", "participants=6"]


def call(*args):
    """A command that works: its stdout."""
    result = CliRunner().invoke(app, args)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def refused(*args):
    """A command that horae refuses: what it would say on stderr."""
    result = CliRunner().invoke(app, args)
    assert isinstance(result.exception, HoraeError), (result.output, result.exception)
    assert result.stdout == ""
    return str(result.exception)


def command(tmp_path, *args, **env):
    """`horae ...` as a process of its own, in an empty folder, with nothing on a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "horae", *args], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "COLUMNS": "120", **env},
    )  # fmt: skip


# ---------------------------------------------------------------- what there is


def test_every_entry_belongs_to_a_member_and_is_balanced():
    for name, found in bibtex().items():
        family, _, member = name.rpartition(".")
        assert any(member in members for key, members in EVERY.items() if family in ("", key)), name
        assert all(entry.startswith("@") and entry.count("{") == entry.count("}") for entry in found)


def test_list_names_every_member_of_every_family():
    table = json.loads(call("list", "--json"))
    assert {family: set(members) for family, members in table.items()} == {f: set(m) for f, m in EVERY.items()}
    assert all(about for members in table.values() for about in members.values())
    text = call("list")
    for family, members in EVERY.items():
        assert family in text
        assert all(member in text for member in members)


def test_list_of_one_family_names_no_other():
    assert set(json.loads(call("list", "clustering", "--json"))) == {"clustering"}
    text = call("list", "clustering")
    assert "auxo" in text
    assert "fedavg" not in text
    assert refused("list", "clusterin") == "there is no family 'clusterin'; did you mean 'clustering'?"


def test_show_tells_fields_and_defaults():
    facts = json.loads(call("show", "auxo", "--json"))
    assert (facts["family"], facts["name"], facts["code"]) == ("clustering", "auxo", "horae.clustering.auxo:Auxo")
    assert facts["fields"]["gamma"] == {"type": "float", "default": 0.2}
    assert "Source: Auxo Algorithm 1" in facts["about"]
    text = call("show", "auxo")
    assert all(field in text for field in facts["fields"])
    assert "0.78" in text


def test_show_finds_a_member_by_family_where_a_name_occurs_twice():
    # both devices and availability have a "synthetic"
    assert json.loads(call("show", "availability.synthetic", "--json"))["family"] == "availability"
    assert json.loads(call("show", "devices.synthetic", "--json"))["family"] == "devices"
    assert json.loads(call("show", "inline", "--json"))["fields"] == {}
    assert refused("show", "auxoo") == "there is no 'auxoo'; did you mean 'auxo'?"
    assert refused("show", "devices.auxo").startswith("there is no 'devices.auxo'; ")


def test_cite_prints_what_the_experiment_uses():
    text = call("cite")
    assert bibtex()["auxo"][0] in text
    assert bibtex()["fedyogi"][0] not in text
    entries = json.loads(call("cite", "--set", "algorithm.name=fedyogi", "--set", "clustering.name=single", "--json"))
    assert bibtex()["fedyogi"][0] in entries["bibtex"]
    assert bibtex()["auxo"][0] not in entries["bibtex"]


def test_data_list_says_what_is_here(tmp_path):
    table = json.loads(call("data", "list", "--data-root", str(tmp_path), "--json"))
    assert set(table) == set(EVERY["population"])
    assert table["digits-rotated"]["here"] is True
    assert table["digits-rotated"]["missing"] is None
    assert table["mnist-writers"]["here"] is False
    assert "mnist_writers.npz" in table["mnist-writers"]["missing"]
    assert "digits-iid" in call("data", "list", "--data-root", str(tmp_path))


def test_data_describe_says_what_is_in_it():
    args = (
        "data",
        "describe",
        "digits-rotated",
        "--set",
        "population.clients=30",
        "--set",
        "population.degrees=[0, 90]",
    )
    facts = json.loads(call(*args, "--json"))
    assert (facts["clients"], facts["classes"], facts["shape"]) == (30, 10, [8, 8])
    assert facts["groups"] == {"0": 15, "1": 15}
    assert facts["train_samples"] + facts["test_samples"] == 30 * 36
    text = call(*args)
    assert "train samples" in text
    assert "licence" in text
    assert refused("data", "describe", "digits").startswith("population.name: there is no 'digits'; ")


def test_help_and_version():
    assert call("version").strip() == horae.__version__
    for word in ("run", "list", "show", "cite", "data"):
        assert word in call("--help")


# ---------------------------------------------------------------- a run


def test_a_run_leaves_a_directory_and_prints_one_object(tmp_path):
    done = command(tmp_path, "run", *SMALL, "--seed", "3", "--out", "mine", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    summary = json.loads(done.stdout)
    assert summary.pop("directory") == "mine"
    assert summary == json.loads((tmp_path / "mine" / "summary.json").read_text())
    assert summary["seed"] == 3
    assert 60 <= summary["participations"] < 66  # rounds are at most six
    assert summary["baseline"]["clustering"] == "single"
    files = {str(f.relative_to(tmp_path / "mine")) for f in (tmp_path / "mine").rglob("*") if f.is_file()}
    assert {"experiment.toml", "events.jsonl", "summary.json", "report.html"} <= files
    assert {"baseline/experiment.toml", "baseline/events.jsonl", "baseline/summary.json"} <= files
    assert (tmp_path / "mine" / "experiment.toml").read_text().startswith('name = "digits-rotated"\nseed = 3\n')
    assert [f.name for f in tmp_path.iterdir()] == ["mine"]

    # What it left runs again, to the same end, in words this time and without a bar on a pipe.
    again = command(tmp_path, "run", "mine/experiment.toml", "--out", "again")
    assert (again.returncode, again.stderr) == (0, "")
    assert "mean accuracy" in again.stdout
    assert "report: again/report.html" in again.stdout
    assert "\x1b" not in again.stdout
    assert (tmp_path / "again" / "events.jsonl").read_bytes() == (tmp_path / "mine" / "events.jsonl").read_bytes()


def test_a_mistake_is_one_line_and_exit_code_2_and_leaves_nothing(tmp_path):
    done = command(tmp_path, "run", "--set", "clustering.gama=0.3")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "horae: clustering 'auxo' has no 'gama'; did you mean 'gamma'?\n"
    assert list(tmp_path.iterdir()) == []


def test_missing_data_are_one_line_that_names_the_file(tmp_path):
    done = command(tmp_path, "run", "--set", "population.name=mnist-writers", HORAE_DATA=str(tmp_path / "nowhere"))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "mnist_writers.npz" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--set", "clustering.gamma=2"], "clustering.gamma should be in (0, 1], got 2.0"),
        (["--set", "gamma"], "--set should look like family.field=value, got 'gamma'"),
        (["--set", "clustering.gamma=high"], "clustering.gamma should be a number, got 'high'"),
        (["--seed", "-1"], "seed should be >= 0, got -1"),
        (["none.toml"], "there is no experiment file 'none.toml'; check the path, or leave it out for the demo"),
        (["--set", "population.clients=20"], "participants should be <= 20 clients, got 30; lower participants or"),
    ],
)
def test_a_run_that_cannot_be_made_is_refused_before_it_leaves_anything(args, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert refused("run", *args).startswith(message)
    assert refused("run", *args, "--json").startswith(message)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "args", [["run", "--sed", "3"], ["run", "--seed", "three"], ["fly"], ["show"], ["run", "a", "b"]]
)
def test_options_that_do_not_exist_are_refused(args):
    result = CliRunner().invoke(app, args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Error" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_directory_that_holds_something_is_refused_and_untouched(tmp_path):
    (tmp_path / "notes").write_text("mine")
    assert refused("run", *SMALL, "--out", str(tmp_path)).endswith(
        "is not empty; choose another --out, or go on with it by --resume"
    )
    assert [f.name for f in tmp_path.iterdir()] == ["notes"]
    assert (tmp_path / "notes").read_text() == "mine"
    assert "is not a directory; choose another place" in refused("run", *SMALL, "--out", str(tmp_path / "notes"))
    assert (tmp_path / "notes").read_text() == "mine"
