"""TensorBoard, MLflow, W&B and Trackio themselves: what they hold after a run that was stopped and resumed, without a
network and without a secret.
"""

import csv
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile

import pytest

import horae
from horae.errors import Stopped
from horae.settings import dumps

pytestmark = pytest.mark.services
NAMES = ("tensorboard", "mlflow", "wandb", "trackio")
HOSTILE = {  # what a user's shell may hold, and what must neither be obeyed nor written down
    "WANDB_API_KEY": "secret-wandb-0123456789012345678901234567", "WANDB_MODE": "online",
    "WANDB_BASE_URL": "http://192.0.2.1", "MLFLOW_TRACKING_URI": "http://192.0.2.2:5000",
    "MLFLOW_TRACKING_PASSWORD": "secret-mlflow", "MLFLOW_TRACKING_USERNAME": "secret-name", "HF_TOKEN": "hf_secret",
    "TRACKIO_SPACE_ID": "somebody/space", "TRACKIO_SERVER_URL": "http://192.0.2.3",
}  # fmt: skip
TABLE = {
    "name": "told", "participants": 8, "baseline": "none", "budget": {"participations": 160},
    "population": {"name": "digits-rotated", "clients": 40}, "evaluation": {"every": 5},
    "trackers": [{"name": name} for name in ("csv", *NAMES)],
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that was stopped once, and its lines on stderr."""
    for name in NAMES:
        pytest.importorskip(name)
    out, said = tmp_path_factory.mktemp("told") / "run", []
    count = iter(range(9))

    class Watcher:
        def look(self, standing, engine, *, over):
            pass

        def score(self, score):
            pass

        say = staticmethod(said.append)

    with pytest.MonkeyPatch.context() as patch:
        for name, value in HOSTILE.items():
            patch.setenv(name, value)
        (out.parent / "homes").mkdir()
        patch.setattr(tempfile, "tempdir", str(out.parent / "homes"))
        with pytest.raises(Stopped):
            horae.run(TABLE, out=out, watch=lambda *_: Watcher(), stop=lambda: next(count, None) is None)
        horae.run(resume=out, watch=lambda *_: Watcher())
    assert said == []
    return out


@pytest.fixture(scope="module")
def wanted(run):
    """By series, (step, value) of every point, as the table without a library has them."""
    with (run / "trackers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = {}
    for row in rows:
        found.setdefault(row["series"], []).append((int(row["step"]), float(row["value"])))
    assert len(found["accuracy"]) > 4 and len(found["total/nbytes_up"]) > 9
    return found


def key(run):
    return json.loads((run / "trackers.json").read_text())["key"]


def test_tensorboard(run, wanted):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    files = list((run / "tensorboard").iterdir())
    assert len(files) == 2  # before the stop, and after it
    read = EventAccumulator(str(run / "tensorboard"))
    read.Reload()
    assert set(read.Tags()["scalars"]) == set(wanted)
    for name, points in wanted.items():
        assert [(e.step, e.value) for e in read.Scalars(name)] == [(s, pytest.approx(v, rel=1e-6)) for s, v in points]
    (words,) = read.Tensors(
        "experiment/text_summary" if "experiment/text_summary" in read.Tags()["tensors"] else "experiment"
    )
    assert b'name = "told"' in words.tensor_proto.string_val[0]


def test_mlflow(run, wanted):
    with sqlite3.connect(run / "mlflow" / "mlflow.db") as base:
        ((name, status, end),) = base.execute("select name, status, end_time from runs").fetchall()
        assert (name, status) == (f"told-auxo-seed-0-{key(run)}", "FINISHED") and end
        for series, points in wanted.items():
            rows = base.execute("select step, value from metrics where key = ? order by step, timestamp", (series,))
            assert sorted(rows.fetchall()) == sorted(points), series
        params = dict(base.execute("select key, value from params"))
        assert (params["name"], params["clustering.gamma"]) == (
            "told",
            str(horae.load(TABLE).parts["clustering"].gamma),
        )
        assert base.execute("select name from experiments where name = 'horae'").fetchall()
    base.close()


def test_trackio(run, wanted):
    with sqlite3.connect(run / "trackio" / "horae.db") as base:
        rows = base.execute("select run_name, step, metrics from metrics order by id").fetchall()
    base.close()
    assert {row[0] for row in rows} == {f"told-auxo-seed-0-{key(run)}"}
    found = {}
    for _, step, metrics in rows:
        for name, value in json.loads(metrics).items():
            found.setdefault(name, []).append((step, value))
    clock = found.pop("simulated_s")
    assert clock == sorted(clock)
    assert found == wanted


def records(file):
    """The records of a .wandb file: LevelDB's log, in blocks of 32 KiB, after seven bytes of its own."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, part = file.read_bytes(), 7, b""
    while at + 7 <= len(data):
        room = 2**15 - at % 2**15
        if room < 7:
            at += room
            continue
        size, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        part += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or the last part
            record = Record()
            record.ParseFromString(part)
            part = b""
            yield record


def test_wandb(run, wanted):
    folders = sorted((run / "wandb").glob("offline-run-*"))
    assert len(folders) == 2
    history, config = {}, {}
    for folder in folders:
        (file,) = folder.glob("*.wandb")
        assert file.name == f"run-{key(run)}.wandb"
        for record in records(file):
            if record.WhichOneof("record_type") == "run":
                assert record.run.display_name == f"told-auxo-seed-0-{key(run)}"
                config |= {u.key or u.nested_key[0]: u.value_json for u in record.run.config.update}
            for item in record.history.item:
                name = item.key or "/".join(item.nested_key)
                if not name.startswith("_"):
                    history.setdefault(name, []).append((record.history.step.num, float(item.value_json)))
    assert json.loads(config["name"]) == "told"
    assert history.pop("simulated_s")
    assert set(history) == set(wanted)
    for name, points in wanted.items():  # one row for each step: of two points at one step the later one stays
        assert history[name] == list(dict(points).items()), name


def test_no_secret_is_written_and_nothing_is_left(run):
    secrets = [value.encode() for value in HOSTILE.values() if value != "online"]
    for file in run.rglob("*"):
        if file.is_file() and not file.is_symlink():
            data = file.read_bytes()
            assert not [secret for secret in secrets if secret in data], file
    homes = run.parent / "homes"
    assert homes.is_dir() and list(homes.iterdir()) == []


def test_nobody_is_connected_to(tmp_path):
    if not shutil.which("strace"):
        pytest.skip("no strace; apt-get install strace")
    for name in NAMES:
        pytest.importorskip(name)
    (tmp_path / "told.toml").write_text(dumps(TABLE))
    traced = tmp_path / "trace"
    command = [
        "strace", "-f", "-qq", "-e", "trace=connect,sendto", "-o", traced, sys.executable, "-m", "horae", "run",
        tmp_path / "told.toml", "--out", tmp_path / "run",
    ]  # fmt: skip
    done = subprocess.run(
        list(map(str, command)), env={**os.environ, **HOSTILE}, capture_output=True, text=True, timeout=540
    )
    assert done.returncode == 0, done.stderr
    assert "failed" not in done.stderr
    assert len(json.loads((tmp_path / "run" / "trackers.json").read_text())["told"]) == 5
    lines = traced.read_text().splitlines()
    assert [line for line in lines if "AF_UNIX" in line]  # W&B's own process; so the trace works
    assert [line for line in lines if "AF_INET" in line] == []
