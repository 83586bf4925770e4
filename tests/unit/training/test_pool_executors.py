"""Executors by name, with a stand-in for Parsl: what it is told, and that nothing is left of it."""

import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

from horae.training import executors


class Config:
    """Parsl's, as far as it is used."""

    def __init__(self, executors, run_dir, usage_tracking, initialize_logging):
        self.executors, self.run_dir = executors, Path(run_dir)


class Pool(ThreadPoolExecutor):
    """Parsl's: it writes into its directory until it has ended."""

    made, broken = [], False

    def __init__(self, config):
        super().__init__(1)
        self.config, self.ended = config, False
        Pool.made.append(self)
        (config.run_dir / "000").mkdir()
        if Pool.broken:
            raise OSError("no interchange")

    def shutdown(self, wait=True, *, cancel_futures=False):
        super().shutdown(wait)
        if not self.ended:
            (self.config.run_dir / "000" / "manager.log").write_text("ended")
        self.ended = True


@pytest.fixture
def parsl(monkeypatch):
    """A module of that name."""
    told = []

    def executor(**fields):
        told.append(fields)
        return fields

    parts = {"": {}, ".concurrent": {"ParslPoolExecutor": Pool}, ".config": {"Config": Config}}
    for name, has in {**parts, ".executors": {"HighThroughputExecutor": executor}}.items():
        module = ModuleType(f"parsl{name}")
        vars(module).update(has)
        monkeypatch.setitem(sys.modules, f"parsl{name}", module)
    monkeypatch.setenv("PATH", "/bin")
    monkeypatch.setattr(Pool, "made", [])
    return told


def test_parsl_begins_as_many_workers_as_it_is_told_on_however_few_cores(parsl):
    """Parsl takes cores // cores_per_worker at most: 1000 a core."""
    with executors.parsl(64) as pool:
        assert isinstance(pool.submit(abs, -1), Future)
    (told,) = parsl
    assert told["max_workers_per_node"] == 64 and 1 // told["cores_per_worker"] >= 999


@pytest.mark.parametrize("wait", [True, False])
def test_nothing_is_left_of_parsl_and_ending_twice_is_no_error(parsl, wait):
    pool = executors.parsl(1)
    (made,) = Pool.made
    assert (made.config.run_dir / "000").is_dir() and made.config.run_dir.name.startswith("horae-parsl-")
    pool.shutdown(wait=wait)
    assert not made.config.run_dir.exists()
    pool.shutdown(wait=wait)
    assert not made.config.run_dir.exists()


def test_nothing_is_left_of_a_parsl_that_does_not_start(parsl, monkeypatch):
    monkeypatch.setattr(Pool, "broken", True)
    with pytest.raises(OSError, match="no interchange"):
        executors.parsl(1)
    assert not Pool.made[0].config.run_dir.exists()
