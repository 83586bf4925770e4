"""A whole run whose clients train side by side by torch.func: to the same bits, also when it was stopped half-way."""

import json

import pytest

import horae
from horae.errors import ConfigError, Stopped

RUN = {
    "name": "small", "participants": 6, "budget": {"participations": 24}, "clustering": {"name": "oracle"},
    "population": {"name": "digits-rotated", "clients": 12}, "evaluation": {"every": 2},
    "training": {"path": "vmap", "momentum": 0.9, "chunk": 4},
}  # fmt: skip


class After:
    def __init__(self, rounds):
        self.left = rounds

    def __call__(self):
        self.left -= 1
        return self.left < 0


def test_a_stopped_run_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    monkeypatch.setattr("horae.report.html.write_report", lambda directory: None)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    horae.run(RUN, out=whole)
    with pytest.raises(Stopped):
        horae.run(RUN, out=parts, stop=After(2))
    horae.run(resume=parts)
    events = (whole / "events.jsonl").read_bytes()
    assert events == (parts / "events.jsonl").read_bytes()
    assert json.loads(events.splitlines()[0])["trainer"] == "vmap"


def test_bfloat16_asks_for_this_path(tmp_path, monkeypatch):
    monkeypatch.setattr("horae.report.html.write_report", lambda directory: None)
    with pytest.raises(ConfigError, match=r"training\.precision should be"):
        horae.run({**RUN, "training": {"precision": "bf16"}}, out=tmp_path / "run")
