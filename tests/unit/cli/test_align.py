"""`horae align`: what one client is shown, where the picture goes, and what is refused."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from horae.alignment import Halor
from horae.cli import app
from horae.errors import HoraeError
from horae.population import Population


@dataclass(frozen=True)
class Three:
    """Three clients: of 3 and 1 samples, of one label, and of the rest; together 7, 6 and 3 of 16."""

    def build(self, seed, data_root=None):
        """The clients."""
        cuts = [np.repeat([0, 1, 2], counts) for counts in ([3, 1, 0], [4, 0, 0], [0, 5, 3])]
        clients = [(np.zeros((labels.size, 2)), labels) for labels in cuts]
        return Population.from_arrays(clients, test_fraction=0.0)


@dataclass(frozen=True)
class Many:
    """One client that has each of 50 labels once, label 7 twice."""

    def build(self, seed, data_root=None):
        """The client."""
        return Population.from_arrays([(np.zeros((51, 2)), np.append(np.arange(50), 7))], test_fraction=0.0)


@dataclass(frozen=True)
class Ratings:
    """Samples without labels."""

    def build(self, seed, data_root=None):
        """The client."""
        one = Population.from_arrays([(np.zeros((4, 2)), np.zeros(4, int))], test_fraction=0.0)
        y = np.linspace(0, 1, 4, dtype=np.float32)
        return Population("ratings", one.x, y, one.train, one.test, one.groups, 1, task="regression")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty current directory and a wide terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")


def invoke(*args, population="Three"):
    return CliRunner().invoke(app, ["align", "--set", f"population.name=test_align:{population}", *args])


def call(*args, population="Three"):
    result = invoke(*args, population=population)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def test_one_client_sees_every_label_before_and_after():
    lines = call("--client", "0", "--explain", "--set", "alignment.mode=exact").splitlines()
    # everybody: 7 of label 0, 6 of label 1, 3 of label 2; m = 1, ⌊7/6⌋ = 1 of label 0
    assert lines[1].split() == ["0", "3", "75.0%", "43.8%", "1", "1.00", "50.0%"]
    assert lines[2].split() == ["1", "1", "25.0%", "37.5%", "1", "1.00", "50.0%"]
    assert lines[3].split() == ["2", "0", "0.0%", "18.8%", "0", "–", "0.0%"]
    assert lines[5] == "client 0 of 3: 4 samples of 2 of 3 labels; exact keeps 2"
    assert "0.312 before, 0.188 after: nearer" in lines[6]
    assert lines[7].startswith("unfixable: 0.188,")
    assert lines[8].endswith("the true ones of 3 clients, as a census would tell")
    assert lines[-1] == "picture: align-client-0.png"
    assert Path("align-client-0.png").stat().st_size > 10_000


def test_without_explain_the_summary_and_no_picture():
    assert call("--client", "1").splitlines()[0] == "client 1 of 3: 4 samples of 1 of 3 labels; weight keeps 4"
    assert "no nearer" in call("--client", "1")
    assert list(Path().iterdir()) == []


def test_one_json_object_and_the_picture_where_it_is_wanted():
    told = json.loads(call("--client", "0", "--json", "--out", "mine.png"))
    assert (told["client"], told["clients_counted"], told["mode"]) == (0, 3, "weight")
    assert (told["samples"], told["samples_after"], told["picture"]) == (4, 4, "mine.png")
    assert [row["target"] for row in told["labels"]] == [7 / 16, 6 / 16, 3 / 16]
    assert told["unfixable"] == 3 / 16
    assert Path("mine.png").exists()


def test_the_picture_is_the_same_for_the_same_client():
    call("--client", "0", "--out", "one.png")
    call("--client", "0", "--out", "two.png")
    assert Path("one.png").read_bytes() == Path("two.png").read_bytes()


def test_many_labels_are_cut_where_the_screen_ends():
    text = call("--client", "0", "--explain", population="Many")
    assert "and 10 labels more: --json has them all" in text
    assert [line.split()[0] for line in text.splitlines()[1:41]] == [str(c) for c in range(40)]
    assert len(json.loads(call("--client", "0", "--json", population="Many"))["labels"]) == 50


def test_of_a_million_clients_some_are_counted():
    told = json.loads(
        CliRunner()
        .invoke(app, ["align", "--client", "999999", "--json", "--set", "population.name=virtual",
                      "--set", "population.clients=1000000"])
        .stdout
    )  # fmt: skip
    assert (told["clients"], told["clients_counted"]) == (1_000_000, 2000)


def test_the_experiment_file_says_how():
    Path("exp.toml").write_text('[alignment]\nname = "halor"\nmode = "waterfill"\nrho = 1.0\n')
    assert json.loads(call("exp.toml", "--client", "0", "--json"))["samples_after"] == 4
    Path("exp.toml").write_text('[alignment]\nname = "halor"\nmode = "exact"\n')
    assert json.loads(call("exp.toml", "--client", "0", "--json"))["mode"] == "exact"
    Path("exp.toml").write_text('[alignment]\nname = "off"\n')
    assert json.loads(call("exp.toml", "--client", "0", "--json"))["mode"] == Halor().mode


@pytest.mark.parametrize(
    ("args", "population", "why"),
    [
        (("--client", "3"), "Three", "--client should be in [0, 3), a client's number, got 3"),
        (("--client", "-1"), "Three", "--client should be in [0, 3), a client's number, got -1"),
        (("--client", "0"), "Ratings", "population should have samples with a label each to count, got 'regression'"),
        (("--client", "0", "--set", "alignment.name=off"), "Three", "alignment.name should be a method that"),
        (("--client", "0", "--set", "alignment.mode=all"), "Three", "alignment.mode should be one of 'exact'"),
        (("--client", "0", "--out", "no/where.png"), "Three", "cannot write no/where.png"),
    ],
)
def test_a_mistake_is_one_line(args, population, why):
    result = invoke(*args, population=population)
    assert isinstance(result.exception, HoraeError), (result.output, result.exception)
    assert str(result.exception).startswith(why)
    assert "\n" not in str(result.exception) and result.stdout == ""
