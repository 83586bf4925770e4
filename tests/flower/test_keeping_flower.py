"""A node's process that outlives a message, asked by processes that are called what Flower calls them."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest

pytest.importorskip("flwr")
from test_field_flower import SMALL

from horae.engines.messages import Answer, Visit
from horae.errors import ConfigError
from horae.experiment import load
from horae.flower.engine import keeping
from horae.flower.engine.field import recipe_of
from horae.flower.engine.heads import TO_SERVER, packed, unpacked
from horae.flower.engine.node import answer
from horae.flower.engine.wire import Node
from horae.pure.packing import unpack

pytestmark = pytest.mark.flower
DATA = """
from horae import Population
import numpy as np
def population(config):
    y = np.arange(20) % 2
    return Population.from_arrays([(y[:, None] * np.ones((20, 3), np.float32), y)], name="own")
"""
THIN = """#!{python}
import base64, json, sys, time
table = json.load(sys.stdin)
sys.path.insert(0, table["apps"])
from horae.flower.engine.keeping import through
from horae.flower.engine.wire import Node, Parts
brings = None
if table["data"]:
    import own
    brings = eval(table["data"])
said = through(Parts(base64.b64decode(table["head"])), Node(table["config"], {{"horae.x": {{"a": b"kept"}}}}), brings)
print(json.dumps({{"said": said and [base64.b64encode(p).decode() for p in said], "torch": "torch" in sys.modules}}))
"""


@pytest.fixture
def ask(tmp_path):
    """Asks as Flower's ClientApp process does; the kept process ends with `ask.owner`."""
    import base64

    (tmp_path / "own.py").write_text(DATA)
    thin = tmp_path / "flwr-clientapp"
    thin.write_text(THIN.format(python=sys.executable))
    thin.chmod(0o755)
    (tmp_path / "run").mkdir(mode=0o700)
    owner = subprocess.Popen(["sleep", "300"])
    visit = packed(Visit(recipe_of(load(None, SMALL), "r")))

    def asked(data="own.population", **config):
        table = {"apps": str(tmp_path), "data": data, "config": config, "head": base64.b64encode(visit.head).decode()}
        done = subprocess.run(
            [str(thin), "--parent-pid", str(owner.pid)], input=json.dumps(table), text=True, capture_output=True,
            env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path / "run")}, timeout=200, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        parts = found["said"] and [base64.b64decode(part) for part in found["said"]]
        return parts, found["torch"], done.stderr

    asked.owner, asked.visit, asked.place = owner, visit, tmp_path / "run" / f"horae-{os.getuid()}"
    yield asked
    owner.kill()
    owner.wait()
    ends = time.monotonic() + 30
    while any(asked.place.glob("*.log")) and time.monotonic() < ends:
        time.sleep(0.1)
    if asked.place.exists():
        assert not [file for file in asked.place.iterdir() if file.is_socket()]


def test_one_process_answers_all_messages_and_ends_with_its_owner(ask):
    first, torch, _ = ask(client=3)
    again, _, _ = ask(client=3)
    assert first == again and not torch
    said = unpacked(keeping.Parts(*first), TO_SERVER)
    assert isinstance(said, Answer) and unpack(said.payload)["client"] == 3
    assert first[0] == answer(ask.visit, Node({"client": 3}), _population()).head
    assert len([file for file in ask.place.iterdir() if file.is_socket()]) == 1


def test_another_configuration_has_another_process(ask):
    assert ask(client=3)[0] != ask(client=4)[0]
    assert len([file for file in ask.place.iterdir() if file.is_socket()]) == 2


def test_what_cannot_start_is_said_and_done_here(ask, tmp_path):
    (tmp_path / "own.py").write_text("import sys\n" + DATA + "assert 'clientapp' in sys.argv[0], 'not elsewhere'\n")
    said, _, told = ask(client=3)
    assert said is None and "no process is kept for this node (AssertionError: not elsewhere)" in told


def test_a_directory_that_is_open_to_others_is_not_used(ask):
    ask.place.mkdir(mode=0o755)
    said, _, told = ask(client=3)
    assert said is None and "is open to others" in told


def test_nothing_is_kept_where_that_is_not_wanted_or_a_function_has_no_name(ask):
    assert ask(client=3, **{"keep-s": 0})[0] is None
    assert ask(data="lambda config: own.population(config)", client=3)[0] is None
    assert not ask.place.exists()


@pytest.mark.parametrize("wrong", [-1, "long", True])
def test_seconds_are_seconds(wrong):
    with pytest.raises(ConfigError, match="node-config keep-s should be seconds, 0 or more, got"):
        keeping.kept_for({"keep-s": wrong})


def test_an_idle_process_ends(ask):
    ask(client=3, **{"keep-s": 0.5})
    ends = time.monotonic() + 10
    while any(file.is_socket() for file in ask.place.iterdir()):
        assert time.monotonic() < ends
        time.sleep(0.1)


def test_what_killed_processes_left_is_taken_away_a_day_later(ask):
    ask(client=3)
    alive = next(file for file in ask.place.iterdir() if file.is_socket())
    old, young = (ask.place / name for name in ("old", "young"))
    for dead in (old, young):
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(str(dead))
    old.with_suffix(".log").write_text("it was killed")
    for file in (old, alive):
        os.utime(file, (1, 1))
    ask(client=4)
    assert not old.exists() and not old.with_suffix(".log").exists() and young.exists() and alive.exists()
    young.unlink()


def test_bytes_come_back_by_name():
    state = {"a": {"x": b"1", "y": b""}, "b": {}, "c": {"z": b"23"}}
    names, blobs = {name: list(r) for name, r in state.items()}, [i for r in state.values() for i in r.values()]
    assert keeping.with_blobs(names, blobs) == state


def _population():
    scope = {}
    exec(DATA, scope)
    return scope["population"]
