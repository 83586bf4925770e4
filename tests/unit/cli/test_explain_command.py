"""`horae explain`: what it prints, where the picture goes, and what it refuses."""

import json
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from horae.cli.explain import explain
from horae.errors import HoraeError

sys.path.append(str(Path(__file__).parents[1] / "explain"))  # the log written by hand
from madelog import events, write

app = typer.Typer()
app.command()(explain)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run directory, the current directory above it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return write(tmp_path / "run")


def call(*args):
    """A command that works: what it prints."""
    result = CliRunner().invoke(app, args)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def test_words_tables_and_where_the_picture_lies(run):
    lines = call("run", "--client", "2").splitlines()
    assert lines[1].startswith("It sits in 0.0 because it holds its highest reward for it: R = 0.600")
    assert lines[-1] == "picture: run/explain-client-2.png"
    row = next(line.split() for line in lines if line.startswith("8 min 20 s"))
    assert row == ["8", "min", "20", "s", "0.1", "5", "by", "wish", "0.460", "−0.400", "0", "0.0", "0.288"]
    assert (run / "explain-client-2.png").stat().st_size > 10_000


def test_everything_as_one_json_object(run):
    told = json.loads(call("run", "--round", "5", "--cohort", "0.1", "--json", "--out", "mine.png"))
    assert (told["what"], told["outliers"], told["picture"]) == ("round", [4, 2], "mine.png")
    assert told["words"][0].startswith("Round 5 of cohort 0.1")
    assert Path("mine.png").exists() and not list(run.glob("*.png"))


@pytest.mark.parametrize(
    ("args", "what"), [((), "run"), (("--cohort", "0.1"), "cohort-0.1"), (("--round", "1"), "round-1")]
)
def test_each_kind_has_its_file(args, what, run):
    assert call("run", *args).endswith(f"picture: run/explain-{what}.png\n")
    assert (run / f"explain-{what}.png").exists()


def test_a_baseline_is_a_run_as_well(run):
    write(run / "baseline")
    assert call("run/baseline").endswith("picture: run/baseline/explain-run.png\n")


def test_what_a_terminal_would_obey_is_not_printed(run):
    lines = events()
    lines[3]["reason"] = "no split: \x1b[2J [red]loud[/red]"
    write(run, lines)
    printed = call("run", "--cohort", "0")
    assert "\x1b" not in printed and "[red]loud[/red]" in printed


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nowhere"], "there is no nowhere/events.jsonl; is this a run directory?"),
        (["run", "--client", "6"], "--client should be an id of this run, 0 to 5, got 6"),
        (["run", "--cohort", "9"], "--cohort should be a cohort of this run, got '9'; known: 0, 0.0, 0.1"),
        (["run", "--out", "run.svg"], "--out should end in .png, got 'run.svg'"),
        (
            ["run", "--out", "no/where.png"],
            "cannot write no/where.png: No such file or directory; choose another place",
        ),
    ],
)
def test_a_mistake_is_one_line(args, message, run):
    result = CliRunner().invoke(app, args)
    assert isinstance(result.exception, HoraeError) and str(result.exception) == message
    assert result.stdout == "" and not list(run.parent.rglob("*.png"))
