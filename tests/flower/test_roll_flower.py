"""Which horae the nodes have: asked alone, and refused where it is another."""

import json
import subprocess
import sys

import pytest

from horae import __version__
from horae.errors import ConfigError, RunError
from horae.settings import dumps

pytest.importorskip("flwr")
from dataclasses import replace

from flwr.app import Error, Message
from test_field_flower import SMALL, Near

from horae.flower.apps import conduct, planned, roll, settings
from horae.flower.engine.heads import TO_SERVER, content, message_of
from horae.flower.making import make_app
from horae.pure.packing import pack, unpack

pytestmark = pytest.mark.flower


def bend(message, reply):
    """Node 1 has another version, node 2's app cannot be loaded."""
    number = Near.number(message)
    if message.metadata.message_type == "query.horae" and number == 2:
        return Message(Error(code=7, reason="No module named 'horae'"), reply_to=message)
    if message.metadata.message_type == "query.horae" and number == 1:
        said = message_of(reply.content, TO_SERVER, 2**20)
        table = {**unpack(said.payload), "horae": "9.9"}
        return Message(content(replace(said, payload=pack(table))), metadata=reply.metadata)
    return reply


@pytest.fixture
def odd(tmp_path, monkeypatch):
    from nearby import FIRST

    monkeypatch.setattr(Near, "number", lambda message: message.metadata.dst_node_id - FIRST, raising=False)
    (tmp_path / "experiment.toml").write_text(dumps({**SMALL, "site": {**SMALL["site"], "timeout_s": 5.0}}))
    grid = Near(tmp_path / "state", bend=bend)
    yield grid
    grid.close()


def test_a_check_meets_the_nodes_and_trains_nobody(odd, tmp_path):
    told = roll(odd, {}, tmp_path)
    said = [told["nodes"][str(node)] for node in odd.nodes]
    assert told["horae"] == __version__
    assert said == [
        {"horae": __version__}, {"horae": "9.9"}, {"why": "No module named 'horae'"}, {"horae": __version__}
    ]  # fmt: skip
    assert {kind for _, _, kind in odd.sent} == {"query.horae"}


def test_a_run_refuses_another_version_and_names_it(odd, tmp_path):
    why = (
        rf"2 of 4 nodes introduced .*node {odd.nodes[1]} is refused: it has horae 9\.9, the server {__version__}; inst"
    )
    with pytest.raises(RunError, match=why):
        conduct(odd, {"out": str(tmp_path / "run")}, tmp_path)


def test_the_run_configuration_changes_the_experiment(odd, tmp_path):
    found = planned({"set": "training.lr=0.05 seed=3 'population.degrees=[0.0, 90.0]'", "training.steps": 7}, tmp_path)
    assert (found.training.lr, found.seed, found.training.steps) == (0.05, 3, 7)
    assert found.parts["population"].degrees == (0.0, 90.0)
    for words, why in (("seed", "should look like"), ("'seed=3", "quote in pairs"), (3, "be a text of changes")):
        with pytest.raises(ConfigError, match=why):
            settings(words)


def test_a_deployment_is_asked(deploy, tmp_path):
    make_app(app := tmp_path / "asked")
    here = deploy(nodes=2)
    command = [sys.executable, "-m", "horae", "deploy", "check", str(app), "--superlink", here.address]
    done = subprocess.run(
        [*command, "--insecure", "--ask", "--json"], env=here.environment("cli"), capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    found = {one["check"]: one for one in json.loads(done.stdout)["checks"]}
    assert found["horae on nodes"]["found"] == f"{__version__} on all 2", found
    assert not (app / "runs").exists()
