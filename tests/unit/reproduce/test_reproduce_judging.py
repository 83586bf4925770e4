"""Rows and verdicts, by numbers worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from horae.reproduce.claims import Check
from horae.reproduce.judging import by_interval, judge
from horae.reproduce.measures import Probed, late, of_ledger, of_table
from horae.reproduce.words import cells, in_short, ours


class Fixed(Probed):
    """Numbers that are said, and what each arm needed."""

    def __init__(self, values, needed=None):
        super().__init__([0, 1, 2], {s: {a: {"m": v[s]} for a, v in values.items()} for s in range(3)})
        object.__setattr__(self, "times", needed or {})

    def needed(self, arm, against, measure):
        return self.times[arm], self.times[against]


def row(measured, direction="higher", against=("b",), arm=("a",), measure="m", within=0.0, ratio=False):
    both = dict.fromkeys(("small", "paper"))
    check = Check(
        "w", {k: arm for k in both}, {k: against for k in both}, measure, direction, "1", within,
        ratio or measure.startswith("speedup_"), ("small",), "",
    )  # fmt: skip
    return judge(check, "small", "b", measured)


def test_a_difference_that_is_clear():
    # 0.25, 0.2, 0.25: mean 0.2333, half of the interval 0.0717 (see tests/unit/compare/test_compare.py)
    found = row(Fixed({"a": [0.75, 0.8, 0.95], "b": [0.5, 0.6, 0.7]}))
    assert (found.verdict, found.n, found.of) == ("yes", 3, 3)
    assert (found.mean, found.low, found.high) == pytest.approx((0.23333, 0.16162, 0.30504), abs=1e-5)
    assert row(Fixed({"a": [0.75, 0.8, 0.95], "b": [0.5, 0.6, 0.7]}), "lower").verdict == "no"


def test_without_against_it_is_the_size_s_own():
    assert row(Fixed({"a": [2.0, 3.0, 4.0], "b": [1.0, 2.0, 3.1]}), against=None).against == "b"


def test_noise_is_not_distinguishable_and_sameness_is_not_a_difference():
    assert row(Fixed({"a": [1.0, 0.0, 1.0], "b": [0.0, 1.0, 0.0]})).verdict == "not distinguishable"
    same = row(Fixed({"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0, 3.0]}))
    assert (same.verdict, same.remark) == ("no", "identical on every seed")
    assert row(Fixed({"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0, 3.0]}), "same", within=0.1).verdict == "yes"


def test_a_number_and_a_pair_of_arms():
    # a - b is 2 on every seed, c is 1: the gain is larger by 1
    measured = Fixed({"a": [3.0, 4.0, 5.0], "b": [1.0, 2.0, 3.0], "c": [1.0, 1.5, 1.0]})
    found = row(measured, arm=("a", "b"), against=("c",))
    assert (found.ours, found.theirs, found.arm) == ([2.0, 2.0, 2.0], [1.0, 1.5, 1.0], "a less b")
    assert row(measured, against=3.9, direction="same", within=5.0).theirs == [3.9, 3.9, 3.9]


def test_quotients():
    found = row(Fixed({"a": [2.0, 4.0, 8.0], "b": [1.0, 2.0, 4.0]}), ratio=True)
    assert (found.mean, found.verdict) == (pytest.approx(2.0), "yes")
    assert ours(found) == "2.00×: 4.667 ± 3.055 against 2.333 ± 1.528"


def test_speedups_are_what_the_other_needed_over_what_it_needed():
    fast = row(
        Fixed({"a": [1.0] * 3, "b": [1.0] * 3}, {"a": [10.0, 10.0, 10.0], "b": [20.0, 20.5, 19.5]}),
        measure="speedup_time",
    )
    assert fast.mean == pytest.approx(2.0, abs=1e-3) and fast.verdict == "yes"
    never = Fixed({"a": [1.0] * 3, "b": [1.0] * 3}, {"a": [None, None, None], "b": [20.0, 20.0, 20.0]})
    assert row(never, measure="speedup_time").verdict == "no"
    assert row(never, "lower", measure="speedup_time").verdict == "yes"
    assert ours(row(never, measure="speedup_time")) == "never reached it"
    some = row(
        Fixed({"a": [1.0] * 3, "b": [1.0] * 3}, {"a": [10.0, None, 10.0], "b": [20.0, 20.0, 20.0]}),
        measure="speedup_time",
    )
    assert (some.verdict, some.remark) == ("not distinguishable", "reached on 2 of 3 seeds")


def test_one_seed_and_none_at_all():
    one = Probed([0], {0: {"a": {"m": 2.0}, "b": {"m": 1.0}}})
    assert row(one).verdict == "one seed"
    assert row(Probed([0], {0: {"a": {}, "b": {}}})).verdict == "nothing measured"


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0.01, 1))
def test_verdicts_exclude_one_another_and_mirror(middle, half, within):
    low, high = middle - half, middle + half
    higher, lower = by_interval("higher", low, high, 0), by_interval("lower", low, high, 0)
    assert {higher, lower} in ({"yes", "no"}, {"not distinguishable"})
    assert by_interval("lower", -high, -low, 0) == higher
    same = by_interval("same", low, high, within)
    if same == "yes":
        assert max(abs(low), abs(high)) <= within
    assert by_interval("same", -high, -low, within) == same


def test_numbers_of_ledger_table_and_late_scores():
    costs = {"train": {"nbytes_up": 2, "nbytes_down": 4, "flops": 9}, "affinity": {"nbytes_up": 2}}
    assert of_ledger(costs, "ledger.train.flops") == 9
    assert of_ledger(costs, "ledger.losses.flops") == 0
    assert of_ledger(costs, "share.affinity.nbytes") == 0.25
    assert of_table({"a": {"b": 3}}, "a.b") == 3 and of_table({"a": 1}, "a.b") is None
    assert late([]) is None


def test_words():
    shown = cells(row(Fixed({"a": [0.75, 0.8, 0.95], "b": [0.5, 0.6, 0.7]})))
    assert shown == ("w", "1", "+0.233 [+0.162, +0.305]: 0.833 ± 0.104 against 0.600 ± 0.100", "yes")
    yes, no = row(Fixed({"a": [2.0, 3.0, 4.0], "b": [1.0, 2.0, 3.1]})), row(Fixed({"a": [1] * 3, "b": [1] * 3}))
    assert in_short([yes]) == "yes" and in_short([yes, yes]) == "yes, all 2" and in_short([yes, no]) == "1 yes, 1 no"
