"""What is logged, summed up and shown of pruning."""

from types import SimpleNamespace

import numpy as np
import pytest
from comparisons import results
from handmade import a_round, begin, end, last, parse, score, write

from horae.federate import Ledger
from horae.observers import Score
from horae.report.comparison import tables
from horae.report.html import write_report
from horae.report.log import read_events
from horae.report.masks import Masks, last_of, sparsity
from horae.report.recorder import EventLog
from horae.report.schema import fault_of_event, fault_of_summary
from horae.report.summary import summarise
from horae.types import Charge, Cohort, CohortTree, Held, Outcome, Ref, Round, Submodel, Updates

EMPTY = np.zeros(0, np.float32)
ALL, SOME, FEW = (Submodel(np.array(keep, bool)) for keep in ([1, 1, 1, 1], [1, 1, 0, 1], [0, 1, 0, 0]))
DENSE = {"units": 4, "model": 40_000, "update": 40_000, "flops": 9000}


def outcome(path, number, held, clients=(1, 2)):
    n = len(clients)
    told = Round(
        path, number, Ref("m", 0), np.array(clients), n, 60.0, np.full(n, np.nan), np.zeros(n, bool), held=held
    )
    return Outcome(
        told, 1.0, 2.0 + number, np.array(clients, np.int64), Updates(np.zeros((n, 4), np.float32)), EMPTY,
        np.ones(n, np.int64), np.zeros(n), np.ones(n), np.full(n, np.nan), np.zeros(n, bool),
    )  # fmt: skip


def people():
    return SimpleNamespace(clients=4, groups=np.zeros(4, np.int64), planted=np.array([]))


def logged(file, *outcomes):
    tree = CohortTree({(): Cohort((), EMPTY, EMPTY)})
    with EventLog(file, people()) as log:
        for one in outcomes:
            log.round(one, tree, [], None)
    return [event for event in read_events(file) if event["event"] == "masks"]


def test_masks_are_logged_when_they_change_and_not_again(tmp_path):
    found = logged(
        tmp_path / "events.jsonl",
        outcome((), 0, None),
        outcome((), 1, Held((SOME,))),
        outcome((), 2, Held((SOME,))),
        outcome((1,), 3, Held((Submodel(SOME.keep.copy()),))),  # a child with its parent's mask
        outcome((), 4, Held((FEW,)), ()),  # nobody came
        outcome((1,), 5, Held((FEW,))),
        outcome((), 6, Held((SOME,))),
    )
    assert [(event["cohort"], event["number"]) for event in found] == [("0", 1), ("0.1", 5)]
    version = SOME.version.hex()[:8]
    assert found[0]["submodels"] == [{"version": version, "kept": 3, "params": 4}] and found[0]["at_s"] == 3.0


def test_several_submodels_are_told_once_each_the_largest_first(tmp_path):
    both = Held((FEW, SOME, FEW), np.array([0, 2]))
    turned = Held((SOME, FEW), np.array([0, 1]))
    (event,) = logged(tmp_path / "events.jsonl", outcome((), 0, both), outcome((), 1, turned))
    assert [one["kept"] for one in event["submodels"]] == [3, 1]


def test_a_log_that_is_cut_back_says_it_again(tmp_path):
    tree = CohortTree({(): Cohort((), EMPTY, EMPTY)})
    with EventLog(tmp_path / "events.jsonl", people()) as log:
        log.round(outcome((), 0, Held((SOME,))), tree, [], None)
        state = log.snapshot()
        log.round(outcome((), 1, Held((FEW,))), tree, [], None)
        log.restore(state)
        log.round(outcome((), 1, Held((FEW,))), tree, [], None)
        log.round(outcome((), 2, Held((FEW,))), tree, [], None)
    assert sum(event["event"] == "masks" for event in read_events(tmp_path / "events.jsonl")) == 2


def model(version, alive, flops=9000):
    """A submodel with so many of a layer's 100 and of another's 300 weights."""
    layers = {"1.weight": [alive[0], 100], "3.weight": [alive[1], 300]}
    sizes = {"units": 3, "model": 10_000, "model_new": 10_100, "update": 12_000, "flops": flops, "sparse_flops": 4000}
    return {"version": version, "kept": sum(alive) + 10, "params": 410, "layers": layers, **sizes, "dense": DENSE}


def masks(cohort, number, *models):
    return {"event": "masks", "cohort": cohort, "number": number, "at_s": 60.0 * number, "submodels": list(models)}


def test_sparsity_is_of_the_weights_that_may_go():
    one, other = masks("0", 0, model("a", (50, 50))), masks("0.1", 3, model("b", (0, 300)), model("c", (100, 100)))
    assert sparsity([one]) == 0.75  # 300 of 400
    assert sparsity([one, other]) == pytest.approx((0.75 + 0.25 + 0.5) / 3)
    assert sparsity([masks("0", 0, {"version": "a", "kept": 3, "params": 4})]) == 0.25
    assert sparsity([]) is None
    known = {"0": one, "0.1": other}
    assert last_of(known, ["0.0", "0.1", "0.1.2"]) == [one, other, other] and last_of({}, ["0"]) == []


def test_the_summary_says_what_pruning_did_and_exploring_took(tmp_path):
    told = Ledger().plus([Charge("train", 2, 60, 20, 100, 1.0, 40), Charge("exploration", 4, 10, 10, 300, 1.0, 300)])
    found = Score(1.0, 2, 80, ((),), np.arange(4), np.zeros(4, np.int64), np.full(4, 0.5), 0.1)
    with EventLog(tmp_path / "a.jsonl", people()) as log:
        log.score(found)
        assert (
            not {"sparsity", "sparse_flops", "exploration"} & summarise(log, Ledger(), people().groups, 0, 1.0).keys()
        )
        log.round(outcome((), 0, Held((SOME,))), CohortTree({(): Cohort((), EMPTY, EMPTY)}), [], None)
        table = summarise(log, told, people().groups, 0, 1.0)
    assert (table["sparsity"], table["sparse_flops"]) == (0.25, 340)
    assert table["exploration"] == {"bytes": 0.2, "flops": 0.75} and fault_of_summary(table) is None
    assert (
        fault_of_summary({"exploration": {"bytes": 2}}) == "exploration should be a table of: a share between 0 and 1"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"kept": -1}, {"layers": {"1.weight": [1]}}, {"layers": []}, {"dense": {"model": 1}}, {"version": 3},
        {"flops": "9"},
    ],
)  # fmt: skip
def test_a_broken_event_is_refused(wrong):
    assert fault_of_event(masks("0", 0, model("a", (1, 2)))) is None
    fault = fault_of_event(masks("0", 0, {**model("a", (1, 2)), **wrong}))
    assert fault == "submodels should be a list of: a submodel"
    half = {key: value for key, value in model("a", (1, 2)).items() if key != "flops"}
    assert fault_of_event(masks("0", 0, half)) == fault


def a_run(directory, *events, **more):
    scores = [score(0, 0.1, {"0": [20, 0.1]}), score(9_000, 0.9, {"0": [20, 0.9]})]
    train = {"participations": 30, "nbytes_up": 2, "nbytes_down": 3, "flops": 500, "client_s": 9.0, "sparse_flops": 200}
    ledger = {"event": "end", "reason": "budget spent", "ledger": {"train": train}}
    write(directory, [begin(), *scores, a_round("0", [1, 2]), *events, last(["0"], [0.9] * 20), ledger], **more)
    return parse(write_report(directory)).text


def test_the_page_says_what_lives_and_what_it_saves(tmp_path):
    text = a_run(
        tmp_path, masks("0", 0, model("aaaaaaaa", (50, 50))), masks("0", 20, model("bbbbbbbb", (80, 20), 6000)),
        accuracy=0.9, sparsity=0.75, exploration={"bytes": 0.125, "flops": 0.5},
    )  # fmt: skip
    for words in (
        "Which weights live 75.0 % of the weights that may go are gone; 26.8 % of all weights live.",  # 110 of 410
        "A model is 10.0 kB on its way down instead of 40.0 kB, an update 12.0 kB instead of 40.0 kB;",
        "a forward pass of one sample is 6.0 kFLOP instead of 9.0 kFLOP. Exploring took 12.5 % of all bytes and 50.0 %",
        "1.weight, 100 weights 80.0 %", "3.weight, 300 weights 6.7 %", "Weights that went 75.0 %",
        "dense – – – 410 4 40.0 kB – 40.0 kB 9.0 kFLOP –", "0 1 0 s aaaaaaaa 110 3 10.0 kB 10.1 kB 12.0 kB 9.0 kFLOP",
        "0 21 20 min bbbbbbbb", "client time sparse FLOPs (theory)", "500 FLOP 9.0 s 200 FLOP",
    ):  # fmt: skip
        assert words in text, words


def test_masks_without_units_save_no_flops_and_the_page_says_so(tmp_path):
    assert "FLOPs are those of dense arithmetic" in a_run(tmp_path, masks("0", 0, model("aaaaaaaa", (50, 50))))


def test_a_layer_has_a_bar_for_each_submodel(tmp_path):
    text = a_run(tmp_path, masks("0", 0, model("aaaaaaaa", (50, 50)), model("bbbbbbbb", (10, 0))))
    assert "1.weight, cohort 0, mask aaaaaaaa 50.0 % 1.weight, cohort 0, mask bbbbbbbb 10.0 %" in text
    assert "86.2 % of the weights that may go" in text  # (0.75 + 0.975) / 2


def test_a_run_without_pruning_has_no_such_section(tmp_path):
    scores = [score(0, 0.1, {"0": [20, 0.1]}), score(9_000, 0.9, {"0": [20, 0.9]})]
    write(tmp_path, [begin(), *scores, a_round("0", [1, 2]), last(["0"], [0.9] * 20), end()], accuracy=0.9)
    text = parse(write_report(tmp_path)).text
    assert not any(words in text for words in ("Which weights live", "sparse FLOPs", "Weights that went"))


def test_a_comparison_tells_sparsity_where_an_arm_is_pruned(tmp_path):
    dense = results(tmp_path / "a", {"x": [0.8, 0.9], "y": [0.7, 0.9]})
    pruned = results(tmp_path / "b", {"x": [0.8, 0.9], "y": [0.7, 0.9]}, sparsity=0.7)
    for table, there in ((dense, False), (pruned, True)):
        assert tables.pruned(table) is there
        assert ("weights that went, %" in tables.whole(table)[0]) is there
        assert any(row[0] == "weights that went, %" for row in tables.every_field(table)[1]) is there
    assert tables.whole(pruned)[1][0][-1] == "70.0 ± 0.0"


def test_what_is_told_of_a_real_submodel_is_what_the_engine_counts():
    tensors = [SimpleNamespace(name="1.weight", kind="weight", part=slice(0, 3), size=3, flops=6)]
    tensors += [SimpleNamespace(name="1.bias", kind="bias", part=slice(3, 4), size=1, flops=0)]
    anatomy = SimpleNamespace(tensors=tensors, n_units=2, alive=lambda keep: np.array([True, True]))
    trainer = SimpleNamespace(anatomy=anatomy, n_params=4, flops_per_sample=7, initial_buffers=EMPTY)
    (table,) = Masks(trainer).of(Held((SOME,)))
    assert table["layers"] == {"1.weight": [2, 3]} and (table["units"], table["dense"]["units"]) == (2, 2)
    assert (table["flops"], table["sparse_flops"]) == (7, 5)  # 7 - 6 + 6 · 2/3
    assert table["dense"]["model"] == 16 and table["update"] > 12 and table["model_new"] > table["model"]
    (whole,) = Masks(trainer).of(Held((ALL,)))
    assert whole["sparse_flops"] == 7 and fault_of_event(masks("0", 0, table, whole)) is None
