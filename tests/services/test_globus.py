"""Globus Compute without its service: its SDK says in seconds what is missing, and its worker's code carries names.

`globus-emulated` is a task through the real serialiser and the real `execute_task`, with their real limits.
"""

import sys
import time
from pathlib import Path

import numpy as np
import pytest
from torch import nn

pytest.importorskip("globus_compute_endpoint")
sys.path.insert(0, str(Path(__file__).parent.parent / "unit" / "engines"))

from sites import plan, world

import horae
from horae.data_planes import Inline, Shm
from horae.engines import globus
from horae.engines.executor import Distributed
from horae.engines.messages import Recipe
from horae.engines.simulation import Pace
from horae.engines.site import Site
from horae.errors import RunError
from horae.types import ROOT, Round

pytestmark = pytest.mark.services
NOBODY = "11111111-1111-1111-1111-111111111111"
SMALL = {
    "name": "far", "participants": 4, "baseline": "none", "budget": {"participations": 8},
    "clustering": {"name": "single"}, "population": {"name": "digits-rotated", "clients": 20},
    "site": {"executor": "globus", "endpoint": NOBODY}, "data_plane": {"name": "shm"},
}  # fmt: skip


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """Somebody who never logged in."""
    monkeypatch.setenv("GLOBUS_COMPUTE_USER_DIR", str(tmp_path / "globus"))
    for name in ("CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.delenv(f"GLOBUS_COMPUTE_{name}", raising=False)
        monkeypatch.delenv(f"FUNCX_SDK_{name}", raising=False)


@pytest.fixture(autouse=True)
def _here(monkeypatch):
    """The worker's code goes to its own directory: the next test is where it was."""
    monkeypatch.chdir(Path.cwd())


def refused(run, most_s):
    began = time.monotonic()
    with pytest.raises(RunError) as raised:
        run()
    assert time.monotonic() - began < most_s
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_stranger_is_told_to_log_in_and_asked_nothing(stranger, tmp_path, capsys):
    words = refused(lambda: horae.run(SMALL, out=tmp_path / "run"), 60)
    assert words == f"Globus Compute endpoint {NOBODY} needs a login, and there is none; run {globus.LOGIN}"
    assert "authenticate" not in "".join(capsys.readouterr())


def test_a_service_that_cannot_be_reached_is_one_line_in_seconds(stranger, monkeypatch):
    monkeypatch.setenv("GLOBUS_COMPUTE_CLIENT_ID", NOBODY)
    monkeypatch.setenv("GLOBUS_COMPUTE_CLIENT_SECRET", "none")
    words = refused(lambda: globus.reached(NOBODY, patience_s=3.0), 15)
    assert words.startswith(f"Globus Compute endpoint {NOBODY} cannot be used (") and "look at the network" in words


def large(mb):
    """A linear model of so many MB, and a federation of it."""
    units = int(mb * 250_000) // 5
    return world(module=nn.Sequential(nn.Linear(2, units), nn.Linear(units, 2)))


def one_round(plane, here):
    made = plan(data_plane=plane)
    engine = Distributed(made, here, Site("globus-emulated"), Recipe("", ""), Pace(min_clients=1))
    model = {"params": here.trainer.initial_params, "buffers": here.trainer.initial_buffers}
    row = np.full(2, np.nan)
    invited = Round(ROOT, 0, plane.put(model, ROOT), np.arange(2), 2, 1e9, row, np.zeros(2, bool))
    try:
        engine.start(invited)
        yield from engine.finished()
    finally:
        plane.evict(invited.model)
        engine.close()
        assert plane.stats()["objects"] == 0
        plane.close()


def test_a_model_of_100_mb_goes_by_its_name(monkeypatch):
    from globus_compute_common import messagepack

    sizes, pack = [], messagepack.pack
    monkeypatch.setattr(messagepack, "pack", lambda message: sizes.append(len(packed := pack(message))) or packed)
    here = large(100)
    assert here.trainer.initial_params.nbytes == pytest.approx(100e6, rel=1e-3)
    for outcome in one_round(Shm(), here):
        assert not outcome.news and outcome.clients.tolist() == [0, 1]
        assert np.isfinite(outcome.updates.norms()).all() and (outcome.updates.norms() > 0).all()
    assert len(sizes) >= 2 and max(sizes) < 20_000


def test_a_model_of_8_mib_in_messages_is_refused_before_anything_is_sent(monkeypatch):
    from horae.engines.backends import Emulated

    monkeypatch.setattr(Emulated, "submit", lambda *_: pytest.fail("it was sent"))
    words = refused(lambda: list(one_round(Inline(), large(8.389))), 30)
    assert words.startswith("a task of 11,3") and "more than Globus Compute carries (10,485,760)" in words
    assert 'take data_plane.name = "proxystore"' in words


def test_a_result_that_is_too_large_is_that_clients_failure():
    from horae.engines.backends import Emulated

    executor = Emulated()
    with pytest.raises(RunError, match="MaxResultSizeExceeded") as raised:
        executor.submit(bytes, 9_000_000).result(60)
    assert "\n" not in str(raised.value)
    assert len(executor.submit(bytes, 1_000_000).result(60)) == 1_000_000
    executor.shutdown()
