"""`horae proxyfloxy`: the files it leaves, upstream's flags, and one line for what is wrong."""

import csv
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest
from typer.testing import CliRunner

from horae.cli import app
from horae.errors import ConfigError, HoraeError, RunError
from horae.proxyfloxy import COLUMNS

CONFIGS = Path(__file__).parents[3] / "configs"
PIS = str(CONFIGS / "pi-endpoints.yml")
QUICK = ("--executor", "thread", "-s", "6", "-e", "1", "-l", "2", "-t", "0", "--hidden-blocks", "1")


def invoke(tmp_path, *args, endpoints=PIS):
    out = ("--out", str(tmp_path / "out"))
    return CliRunner().invoke(app, ["proxyfloxy", "-E", endpoints, *out, *args], env={"COLUMNS": "100"})


def rows_of(tmp_path):
    (file,) = (tmp_path / "out" / "data").glob("results_*.csv")
    with file.open() as source:
        return list(csv.DictReader(source))


def test_the_sweep(tmp_path):
    done = invoke(tmp_path, *QUICK, "-n", "mystore")
    assert done.exit_code == 0, (done.output, done.exception)
    rows = rows_of(tmp_path)
    assert len(rows) == 2 * 2 * 2 and tuple(rows[0]) == COLUMNS
    assert [row["store"] for row in rows] == ["no_store"] * 4 + ["proxystore"] * 4
    assert {(row["connector"], row["executor"]) for row in rows[4:]} == {("shm", "thread")}
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["blocks", "store", "rows", "came", "transfer", "change"]
    assert lines[1].split()[:4] == ["1", "no_store", "4", "4"]
    assert lines[2].endswith("%") and lines[3].startswith("rows: ") and lines[4].startswith("report: ")
    (page,) = (tmp_path / "out" / "data").glob("results_*.html")
    words = page.read_text()
    assert "remote endpoints" in words and "mystore: shm" in words and "<svg" in words
    assert "http://" not in words.replace("http://www.w3.org", "") and "<script" not in words


def test_no_proxystore_drops_the_second_arm(tmp_path):
    done = invoke(tmp_path, *QUICK, "--no-proxystore", "--json", "--trials", "2")
    assert done.exit_code == 0, (done.output, done.exception)
    facts, rows = json.loads(done.stdout), rows_of(tmp_path)
    assert {row["store"] for row in rows} == {"no_store"} and [row["trial"] for row in rows] == ["0"] * 4 + ["1"] * 4
    assert (facts["rows"], facts["failed"]) == (8, 0)
    assert [(one["store"], one["change"]) for one in facts["models"]] == [("no_store", None)]
    assert rows[0]["test_loss"] != rows[4]["test_loss"]


def test_all_over_the_limit_is_an_error_after_the_rows(tmp_path):
    done = invoke(tmp_path, *QUICK, "--no-proxystore", "--limit", "1000000")
    assert isinstance(done.exception, RunError) and "over-limit: task of 2,28" in str(done.exception)
    assert [row["status"][:10] for row in rows_of(tmp_path)] == ["over-limit"] * 4


def test_ids_without_the_sdk(tmp_path, monkeypatch):
    monkeypatch.setattr("horae.proxyfloxy.sites.find_spec", lambda name: None)
    file = tmp_path / "e.yml"
    one = "00000000-0000-4000-8000-000000000000"
    file.write_text(f"a: {{funcx-id: {one}, proxystore-id: {one}}}")
    done = invoke(tmp_path, "--no-proxystore", endpoints=str(file))
    assert isinstance(done.exception, ConfigError) and "pip install globus-compute-sdk" in str(done.exception)
    done = invoke(tmp_path, "--executor", "process", endpoints=str(file))
    assert "leave --executor out" in str(done.exception)
    done = invoke(tmp_path, "--connector", "shm", endpoints=str(file))
    assert "--connector should reach other hosts, got 'shm'; take endpoint" in str(done.exception)
    assert not (tmp_path / "out").exists()


class Sdk(ThreadPoolExecutor):
    """The SDK's executor: tasks of an endpoint, by its id."""

    ids: ClassVar[list[str]] = []

    def __init__(self, endpoint_id, client):
        super().__init__(1)
        self.ids.append(endpoint_id)


class Login:
    """The SDK's app of somebody, who may have to log in."""

    def __init__(self, required):
        self.required = required

    def login_required(self):
        return self.required


def sdk(monkeypatch, executor, login=False):
    client = SimpleNamespace(app=Login(login), version_check=lambda: None)
    made = SimpleNamespace(Executor=executor, Client=lambda do_version_check: client)
    monkeypatch.setitem(sys.modules, "globus_compute_sdk", made)
    monkeypatch.setitem(sys.modules, "globus_sdk", SimpleNamespace(UserApp=Login))


def test_ids_with_the_sdk(tmp_path, monkeypatch):
    monkeypatch.setattr("horae.proxyfloxy.sites.find_spec", lambda name: name)
    sdk(monkeypatch, Sdk)
    a, b = (f"0000000{n}-0000-4000-8000-000000000000" for n in range(2))
    file = tmp_path / "e.yml"
    file.write_text(f"a: {{funcx-id: {a}, proxystore-id: {b}}}\nb: {{globus-compute-id: {b}, proxystore-id: {b}}}")
    done = invoke(tmp_path, *QUICK[2:], "--no-proxystore", endpoints=str(file))
    assert done.exit_code == 0, (done.output, done.exception)
    assert [a, b] == Sdk.ids
    assert {(row["local"], row["executor"], row["status"]) for row in rows_of(tmp_path)} == {("False", "globus", "ok")}

    def no_network(endpoint_id, client):
        raise OSError("no network\nhere")

    sdk(monkeypatch, no_network)
    done = invoke(tmp_path, *QUICK[2:], "--no-proxystore", endpoints=str(file))
    assert isinstance(done.exception, RunError)
    assert "cannot be used (OSError: no network here); look at the network" in str(done.exception)
    sdk(monkeypatch, Sdk, login=True)
    done = invoke(tmp_path, *QUICK[2:], "--no-proxystore", endpoints=str(file))
    assert isinstance(done.exception, RunError) and "needs a login" in str(done.exception)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--executor", "proces"], "did you mean 'process'?"),
        (["--executor", "globus"], "write the endpoints' ids into the file"),
        (["--connector", "rediss"], "did you mean 'redis'?"),
        (["--connector", "endpoint"], "--connector should have proxystore-ids"),
        (["--data-name", "digit"], "did you mean 'digits'?"),
        (["--hidden-blocks", "1,ten"], "--hidden-blocks should be numbers such as 1,10,20"),
        (["--limit", "-1"], "--limit should be at least 0, got -1"),
        (["--samples", "0"], "--samples should be at least 1, got 0"),
        (["--store-port", "70000"], "--store-port should be in"),
        (["--time_interval", "-3"], "--time_interval should be in"),
    ],
)
def test_one_line(tmp_path, args, says):
    done = invoke(tmp_path, *args)
    assert isinstance(done.exception, HoraeError) and says in str(done.exception), done.exception
    assert "\n" not in str(done.exception) and not (tmp_path / "out").exists()


def test_no_such_option(tmp_path):
    done = invoke(tmp_path, "--loop", "3")
    assert done.exit_code == 2 and "No such option: --loop" in done.output
