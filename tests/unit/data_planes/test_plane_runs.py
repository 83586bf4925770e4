"""Whole runs over each plane: the same bits, and nothing left behind."""

import os

import pytest

import horae
from horae.errors import Stopped

SMALL = {
    "participants": 8,
    "budget": {"participations": 80},
    "population": {"name": "digits-rotated", "clients": 40},
    "evaluation": {"every": 5},
}


def run(out, plane):
    result = horae.run({**SMALL, "data_plane": plane}, out=out)
    lines = (out / "events.jsonl").read_text(encoding="utf-8").splitlines()
    return result.accuracy, result.simulated_s, result.models, [line for line in lines if '"event":"run"' not in line]


def test_accuracy_models_and_events_are_the_same_bits_whatever_carries_the_models(tmp_path):
    planes = [{"name": "inline"}, {"name": "shm", "directory": str(tmp_path / "memory")}]
    try:
        import proxystore  # noqa: F401

        planes.append({"name": "proxystore", "connector": "file", "directory": str(tmp_path / "disk")})
    except ImportError:
        pass
    first, *others = [run(tmp_path / str(i), plane) for i, plane in enumerate(planes)]
    for other in others:
        assert other[:2] == first[:2]
        assert other[2].keys() == first[2].keys()
        assert all((other[2][path] == model).all() for path, model in first[2].items())
        assert other[3] == first[3]
    assert os.listdir(tmp_path / "memory") == []


def test_a_run_that_is_stopped_leaves_nothing_and_goes_on_to_the_same_bits(tmp_path):
    asked = iter([False, False, False, True])
    table = {**SMALL, "data_plane": {"name": "shm", "directory": str(tmp_path / "memory")}}
    with pytest.raises(Stopped):
        horae.run(table, out=tmp_path / "run", stop=lambda: next(asked))
    assert os.listdir(tmp_path / "memory") == []
    result = horae.run(resume=tmp_path / "run")
    assert result.accuracy == horae.run(SMALL, out=tmp_path / "whole").accuracy
    assert os.listdir(tmp_path / "memory") == []
