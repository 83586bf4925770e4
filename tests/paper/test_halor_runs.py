"""What alignment does to whole runs: weights, bills, the probe under Auxo, drift, and everything together."""

import dataclasses

import numpy as np
from halor_runs import SMALL, go, known

from benchmarks.alignment_people import Known, truth
from horae.alignment import Halor, distance
from horae.experiment import load
from horae.population import DigitsRotated
from horae.types import Arrangement


@dataclasses.dataclass(frozen=True)
class Ones(Known):
    """All samples, with weights of 1."""

    def arrange(self, labels, target, rng):
        return Arrangement(weights=np.ones(labels.size))


def test_weights_change_training_and_weights_of_one_do_not():
    people = load(SMALL).world().population
    plain, model, _ = go({"alignment": {"name": "off"}})
    _, ones, _ = go(alignment=Ones(Halor(hears="sizes"), tuple(truth(people))))
    np.testing.assert_array_equal(ones, model)
    _, weighted, _ = go(alignment=known(people))
    assert np.abs(weighted - model).max() > 1e-3
    assert plain[0].samples.tolist() == [48] * 5


def test_a_census_is_in_the_ledger_and_costs_no_participation():
    outcomes, _, ledger = go()
    table = ledger.table()
    assert table["census"]["participations"] == 90 and ledger.participations == 30  # 3 windows; the budget's
    assert table["census"]["nbytes_up"] > 90 * 20 * 8 and table["census"]["flops"] == 0
    told = [news for outcome in outcomes for news in outcome.news]
    assert [(news["what"], news["counted"]) for news in told] == [("closed", 30)] * 3
    assert table["train"]["nbytes_down"] - go({"alignment": {"name": "off"}})[2].table()["train"]["nbytes_down"] == (
        25 * 4 * 10  # after the first round g goes along: ten float32
    )


def test_running_the_protocol_and_summing_make_the_same_run():
    ran, model, ledger = go()
    _, other, summed = go({"alignment.protocol": "sum"})
    np.testing.assert_array_equal(model, other)
    assert ledger.table() == summed.table()
    assert len(ran) == 6


def probed(alignment, clustering):
    """The first round: its outcome, and what training cost."""
    outcomes, _, ledger = go({"budget.participations": 5, "clustering.name": clustering}, alignment)
    return outcomes[0], ledger.table()["train"]


def test_under_auxo_a_probe_is_read_in_place_of_the_aligned_update_and_paid_for():
    people = load(SMALL).world().population
    off, plain = probed(None, "auxo")  # the first window is open: as they are
    for mode in ("exact", "waterfill", "weight"):
        aligned, table = probed(known(people, mode=mode), "auxo")
        np.testing.assert_array_equal(aligned.seen.rows, off.updates)
        assert (aligned.updates != off.updates).any()
        assert table["nbytes_up"] == 2 * plain["nbytes_up"] and table["nbytes_down"] == plain["nbytes_down"] + 5 * 40
        assert table["flops"] > 1.1 * plain["flops"]
    alone, table = probed(known(people), "single")
    assert alone.seen is None and table["nbytes_up"] == plain["nbytes_up"] and table["flops"] == plain["flops"]


class Turning:
    """From a second on every sample of a label below 5 is replaced by one of another."""

    def __init__(self, y, from_s):
        self.high, self.y, self.from_s = np.flatnonzero(y >= 5), y, from_s

    def at(self, rows, clients, at_s):
        if at_s < self.from_s:
            return rows
        return [np.where(self.y[own] < 5, self.high[own % self.high.size], own) for own in rows]


def test_later_windows_follow_labels_that_drift():
    people = load(SMALL).world().population
    people = dataclasses.replace(people, drift=Turning(people.y, 4 * 1800.0))
    for protocol in ("run", "sum"):
        outcomes, _, _ = go({"alignment.protocol": protocol}, people=people)
        told = [np.array(news["target"]) for outcome in outcomes for news in outcome.news]
        assert distance(told[0], truth(people)) < 1e-5
        assert told[-1][:5].sum() < 0.3 < told[0][:5].sum()  # half the way, with ρ = 0.5, if all have changed


def test_autoflip_halor_and_auxo_go_together():
    people = DigitsRotated(clients=40, images_per_client=40, alpha=2.0).build(0)
    changes = {
        "clustering.name": "auxo", "pruning.name": "autoflip", "pruning.threshold": 0.5, "pruning.epochs": 1,
        "participants": 20, "budget.participations": 160, "alignment.whose": "cohort", "alignment.window_clients": 40,
    }  # fmt: skip
    (outcomes, model, ledger), again = (go(changes, people=people) for _ in range(2))
    np.testing.assert_array_equal(model, again[1])
    assert {"train", "census", "exploration", "affinity"} <= set(ledger.table())
    aligned = [o for o in outcomes if o.round.target is not None]
    assert aligned and all(o.seen is not None and o.round.held is not None for o in aligned)
    assert np.count_nonzero(model) < 0.7 * model.size
