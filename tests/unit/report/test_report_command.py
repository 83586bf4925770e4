"""`horae report`: what it prints, where it writes, and what it refuses."""

import json

import pytest
import typer
from handmade import begin, end, last, parse, score, write
from typer.testing import CliRunner

from horae.cli.report import report
from horae.errors import HoraeError

app = typer.Typer()
app.command()(report)


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Two runs in the current directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        events = [begin(), score(0, 0.5, {"0": [2, 0.5]}), last(["0"], [0.5, 0.5]), end()]
        write(tmp_path / name, events, accuracy=0.5)
        (tmp_path / name / "experiment.toml").write_text(f"seed = {len(name)}\n")
    return tmp_path


def call(*args):
    """A command that works: what it prints."""
    result = CliRunner().invoke(app, args)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def refused(*args):
    """A command that is refused: what it would say on stderr."""
    result = CliRunner().invoke(app, args)
    assert isinstance(result.exception, HoraeError), (result.output, result.exception)
    assert result.stdout == "" and "\n" not in str(result.exception)
    return str(result.exception)


def test_one_run_is_drawn_beside_its_files(runs):
    assert call("one") == "one/report.html\n"
    assert "No split: one cohort, 50.0 % on average" in parse(runs / "one" / "report.html").text
    assert not (runs / "report.html").exists()


def test_several_runs_are_drawn_here(runs):
    assert call("one", "two") == "report.html\n"
    assert "2 runs, 50.0 % on average" in parse(runs / "report.html").text
    assert not (runs / "one" / "report.html").exists()


def test_the_file_can_be_chosen_and_told_as_json(runs):
    assert json.loads(call("one", "--out", "mine.html", "--json")) == {"report": "mine.html", "runs": ["one"]}
    assert "No split" in parse(runs / "mine.html").text
    assert json.loads(call("two", "one", "--out", "mine.html", "--json"))["runs"] == ["two", "one"]
    assert "2 runs" in parse(runs / "mine.html").text


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nowhere"], "there is no nowhere/events.jsonl; is this a run directory?"),
        (["one", "nowhere"], "there is no nowhere/events.jsonl; is this a run directory?"),
        (["one", "--out", "two"], "cannot write two: it is not a file; choose another --out"),
        (["one", "--out", "/dev/null"], "cannot write /dev/null: it is not a file; choose another --out"),
        (["one", "--out", "no/such/file.html"], "cannot write no/such/file.html: No such file or directory; choose"),
    ],
)
def test_what_cannot_be_drawn_is_refused_and_nothing_touched(args, message, runs):
    before = {file: file.stat().st_mtime_ns for file in runs.rglob("*")}
    assert refused(*args).startswith(message)
    assert {file: file.stat().st_mtime_ns for file in runs.rglob("*")} == before
