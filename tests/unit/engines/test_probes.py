"""A second update that travels beside the first: what a clustering reads where samples are aligned, on an executor."""

import re
from dataclasses import replace

import counted_people as own
import numpy as np
import pytest
from sites import plan, world

import horae
from horae.alignment import Halor
from horae.channels import CHANNELS
from horae.clustering import Auxo, Oracle, Single
from horae.data_planes import Inline
from horae.engines.executor import Distributed
from horae.engines.messages import Recipe, Reply, Task
from horae.engines.parcels import UPDATE, opened, parcel, probe_in, with_probe
from horae.engines.remote import Arrival, RemoteUpdates
from horae.engines.simulation import Pace, Simulation
from horae.engines.site import Site
from horae.engines.views import probed
from horae.errors import RunError
from horae.flower.engine.checking import Checker
from horae.pure.packing import pack
from horae.supervised.carrying import back, carried
from horae.types import ROOT, Ref, Round, Submodel, Updates

HALF = np.array([0.5, 0.5])
PARAMS = 6
KEEP = Submodel(np.array([True, False, True, True, False, True]))


def numbers(seed):
    return np.random.default_rng(seed).normal(size=PARAMS).astype(np.float32)


@pytest.mark.parametrize("submodel", [None, KEEP], ids=["dense", "pruned"])
@pytest.mark.parametrize("name", CHANNELS)
def test_a_probe_changes_nothing_about_the_update_and_passes_no_channel(name, submodel):
    channels = () if name == "feedback" else (CHANNELS[name](),)
    keep = np.ones(PARAMS, bool) if submodel is None else submodel.keep
    update, probe = numbers(0) * keep, numbers(1) * keep
    alone = parcel(channels, update, np.random.default_rng(0), submodel)
    both = with_probe(alone, probe, submodel)
    assert both["probe"].nbytes == 4 * keep.sum()
    np.testing.assert_array_equal(opened(channels, both, submodel), opened(channels, alone, submodel))
    np.testing.assert_array_equal(probe_in(both, submodel), probe)


def lying(plane, probes=True, **said):
    rows = [numbers(i) for i in range(4)]
    refs = [plane.put(with_probe({UPDATE: rows[i]}, rows[i + 2]), ROOT) for i in range(2)]
    arrivals = tuple(Arrival(i, ref, said.get("norm"), said.get("sketch")) for i, ref in enumerate(refs))
    return RemoteUpdates(arrivals, plane, PARAMS, probes=probes), np.stack(rows[2:] if probes else rows[:2])


def test_probes_are_read_as_updates_are():
    found, rows = lying(Inline())
    plain = Updates(rows)
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_array_equal(found.norms(), plain.norms())  # nobody said them
    np.testing.assert_array_equal(found.sketch(4), plain.sketch(4))
    np.testing.assert_array_equal(found.only(np.array([False, True])).rows, rows[1:])
    np.testing.assert_array_equal(found.masked(KEEP.keep).rows, rows * KEEP.keep)
    np.testing.assert_array_equal(back(carried(found)).rows, rows)
    updates, first = lying(Inline(), probes=False, norm=7.0)
    np.testing.assert_array_equal(back(carried(updates)).rows, first)
    assert updates.norms().tolist() == [7.0, 7.0]


def test_a_reply_without_its_probe_is_named():
    plane = Inline()
    ref = plane.put({UPDATE: numbers(0)}, ROOT)
    with pytest.raises(RunError, match="the update of client 4 is gone from the data plane: KeyError: 'probe'"):
        _ = RemoteUpdates((Arrival(4, ref, None),), plane, PARAMS, probes=True).rows


def test_who_sends_one():
    aligned = plan(alignment=Halor(), clustering=Auxo())
    assert probed(aligned, HALF) and not probed(aligned, None)
    assert not any(probed(replace(aligned, clustering=other), HALF) for other in (Single(), Oracle()))
    assert not probed(plan(clustering=Auxo()), HALF)


def one_round(engine, made, target=HALF):
    clients = np.array([0, 2, 5])
    start = {"params": numbers(9), "buffers": np.zeros(0, np.float32)}
    model = made.data_plane.put(start, ROOT)
    engine.start(Round(ROOT, 0, model, clients, 3, 1e6, np.full(3, np.nan), np.zeros(3, bool), target=target))
    rounds = engine.finished()
    return next(rounds), rounds  # the updates go when the next round is asked for


def test_a_round_on_an_executor_shows_the_clustering_what_the_simulation_does():
    """Labels 0 1 0 1 0: weights of 3/5 and 2/5 towards a half each change the update, and not the probe."""
    made, here = plan(alignment=Halor(), clustering=Auxo(), data_plane=Inline()), world()
    engine = Distributed(made, here, Site("inline"), Recipe("", ""), Pace(min_clients=1))
    away, rounds = one_round(engine, made)
    theirs, seen, norms = away.updates.rows, away.seen.rows, away.updates.norms()
    bill = next(charge for charge in away.charges if charge.purpose == "train")
    rounds.close()
    engine.close()
    simulated, _ = one_round(Simulation(made, here, Pace(min_clients=1)), made)
    np.testing.assert_array_equal(theirs, simulated.updates.rows)
    np.testing.assert_array_equal(seen, simulated.seen.rows)
    np.testing.assert_allclose(norms, Updates(theirs).norms())
    assert (theirs != seen).any()
    charged = next(charge for charge in simulated.charges if charge.purpose == "train")
    assert (bill.flops, bill.nbytes_up) == (charged.flops, charged.nbytes_up) == (3 * 2 * 96, 3 * 2 * 24)
    plain, _ = one_round(Simulation(made, here, Pace(min_clients=1)), made, target=None)
    np.testing.assert_array_equal(plain.updates.rows, seen)


def said(arrays):
    return Reply(0, Ref("out", 1), 1.0, 0.5, 3, 1, pack(arrays))


@pytest.mark.parametrize(
    ("probe", "why"),
    [
        (None, "its update cannot be read: 'probe'"),
        (np.zeros(5, np.float32), r"an update of shape \(5,\), not \(6,\)"),
        (np.full(6, np.nan, np.float32), "a second update that is not finite"),
    ],
)
def test_a_node_that_sends_another_probe_than_it_should_fails_alone(probe, why):
    checker = Checker(plan(alignment=Halor(), clustering=Auxo()), PARAMS, 0, lambda clients: np.full(clients.size, 5))
    payload = pack(({"params": numbers(9), "buffers": np.zeros(0, np.float32)}, {"target": HALF}))
    task = Task(Recipe("", ""), "inline:", Ref("m", 1), "out", 0, 0, ROOT, payload=payload, dims=4)
    right, arrays = numbers(1), {UPDATE: numbers(0)}
    good = checker(task, said(with_probe(arrays, right)))
    np.testing.assert_array_equal(np.frombuffer(good.sketch, np.float32), Updates(right[None]).sketch(4)[0])
    assert good.norm == Updates(arrays[UPDATE][None]).norms()[0]
    failed = checker(task, said(arrays if probe is None else with_probe(arrays, probe)))
    assert re.search(why, failed.why) and failed.kind == "refused"


def test_endpoints_that_own_their_data_send_probes_too(tmp_path):
    table = {
        "name": "probed", "participants": 8, "overcommit": 1.0, "baseline": "none", "budget": {"participations": 32},
        "engine": {"min_clients": 1, "check_in_s": 1.0}, "clustering": {"name": "auxo"}, "evaluation": {"every": 2},
        "availability": {"name": "always"}, "devices": {"name": "equal"},
        "alignment": {"name": "halor", "group": 12, "window_clients": 24, "every": 5},
    }  # fmt: skip
    simulated = horae.run({**table, "population": own.TABLE}, out=tmp_path / "simulated")
    away = horae.run({**table, "site": {"executor": "inline", "endpoints": own.endpoints()}}, out=tmp_path / "away")
    assert away.summary["census"]["windows"] == 1
    np.testing.assert_allclose(away.models[()], simulated.models[()], rtol=1e-5, atol=1e-7)
    assert away.flops == simulated.flops
