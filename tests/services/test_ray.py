"""Ray's workers compute what this process computes, to the bit."""

import json

import pytest

import horae

pytestmark = pytest.mark.services
pytest.importorskip("ray")

SMALL = {
    "name": "rayed", "participants": 4, "overcommit": 1.0, "baseline": "none", "budget": {"participations": 12},
    "clustering": {"name": "single"}, "evaluation": {"every": 2, "clients": 20},
    "population": {"name": "digits-rotated", "clients": 20},
}  # fmt: skip


def test_the_model_is_inlines_to_the_bit_and_nothing_is_left(tmp_path):
    store = tmp_path / "store"
    plane = {"name": "shm", "directory": str(store)}
    far = horae.run({**SMALL, "data_plane": plane}, executor="ray", workers=2, out=tmp_path / "ray")
    near = horae.run(SMALL, executor="inline", out=tmp_path / "inline")
    assert (far.models[()] == near.models[()]).all()
    assert far.accuracy == near.accuracy and far.participations == near.participations == 12
    events = [json.loads(line) for line in (far.directory / "events.jsonl").read_text().splitlines()]
    assert [event for event in events if event["event"] == "failure"] == []
    assert list(store.iterdir()) == []
