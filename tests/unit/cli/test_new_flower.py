"""`horae new flower`: what it writes is whole, fits together, and what it cannot write it refuses in one line."""

import json
import sys
import tomllib

import numpy as np
import pytest
from typer.testing import CliRunner

from horae.cli import app
from horae.errors import HoraeError
from horae.experiment import load
from horae.flower import check_app
from horae.flower.making import TEMPLATE, make_app


def refused(*args):
    result = CliRunner().invoke(app, ["new", "flower", *map(str, args)])
    assert isinstance(result.exception, HoraeError), result.output
    return str(result.exception)


def test_the_files_fit_together(tmp_path):
    result = CliRunner().invoke(app, ["new", "flower", str(tmp_path / "My-app"), "--json"])
    assert result.exit_code == 0, result.exception
    made = json.loads(result.stdout)["files"]
    assert [file.removeprefix(f"{tmp_path}/My-app/") for file in made] == [
        "pyproject.toml", "experiment.toml", "README.md", "LICENSE", ".gitignore", "my_app/__init__.py",
        "my_app/server.py", "my_app/client.py", "my_app/data.py",
    ]  # fmt: skip
    assert len(made) == len(list(TEMPLATE.iterdir()))
    text = "".join((tmp_path / "My-app" / file).read_text() for file in made)
    assert "{{" not in text
    found = {one.check: one.state for one in check_app.findings(tmp_path / "My-app")}
    assert found == dict.fromkeys(("pyproject", "server and client", "experiment", "bundle"), "ok")


def test_run_configuration_has_what_the_server_reads(tmp_path):
    make_app(tmp_path / "app")
    table = tomllib.loads((tmp_path / "app" / "pyproject.toml").read_text())
    config = table["tool"]["flwr"]["app"]["config"]
    assert config == {"experiment": "experiment.toml", "out": "", "set": "", "check": False}
    assert table["tool"]["flwr"]["app"]["components"] == {"serverapp": "app.server:app", "clientapp": "app.client:app"}
    assert table["project"]["dependencies"][0] == "flwr>=1.40.0"


def test_each_node_reads_its_own_share_of_the_example(tmp_path, monkeypatch):
    make_app(tmp_path / "example-app")
    monkeypatch.syspath_prepend(str(tmp_path / "example-app"))
    from example_app.data import CLIENTS, population

    experiment = load(tmp_path / "example-app" / "experiment.toml")
    whole = experiment.parts["population"].build(experiment.seed)
    assert whole.clients == CLIENTS
    seen = []
    for client in range(CLIENTS):
        own = population({"client": client, "state-dir": "unused"})
        assert own.clients == 1
        theirs = np.concatenate([whole.train.row(client), whole.test.row(client)])
        assert own.y.tolist() == whole.y[theirs].tolist()
        np.testing.assert_array_equal(own.x, whole.x[theirs])
        seen.append(own.x.tobytes())
    assert len(set(seen)) == CLIENTS
    for name in [name for name in sys.modules if name.startswith("example_app")]:
        del sys.modules[name]


def test_a_directory_that_is_not_empty_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("keep")
    assert refused(tmp_path / "mine") == f"{tmp_path}/mine is not an empty directory; choose another DIR, or empty it"
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["file"]
    assert "not an empty directory" in refused(tmp_path / "mine" / "file")
    assert refused(tmp_path / "mine" / "file" / "app").startswith("cannot make ")
    (tmp_path / "empty").mkdir()
    assert len(make_app(tmp_path / "empty")) == 9


@pytest.mark.parametrize("name", ["1app", "my_app", "a b", "ä", "a" * 33, "-x", "x-", "my.app"])
def test_names_that_flower_does_not_take(tmp_path, name):
    assert "begin with a letter and have only letters, digits and hyphens" in refused("--", tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["horae", "json", "Class", "flwr"])
def test_names_that_hide_a_module(tmp_path, name):
    assert refused(tmp_path / name) == (
        f"an app {name!r} would hide the Python module {name.lower()!r}; choose another name"
    )
