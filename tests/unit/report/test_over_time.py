"""Accuracy against what it took, and who is where: the numbers behind the charts, worked out by hand."""

import re

import numpy as np
import pytest
from handmade import a_round, begin, end, last, parse, score, verdict, write

from horae.report.figures import over_time, places
from horae.report.html import write_report
from horae.report.reading import Arm


def split_at_40(*scores):
    """A log with a split of the root after forty seconds, and two rounds before it."""
    parting = verdict("0", 2, 0.9, {"0.0": 1, "0.1": 2}) | {"at_s": 40.0}
    rounds = [a_round("0", [1, 2, 3], 100, 200), a_round("0", [4], 10, 20)]
    return Arm([begin(), *rounds, parting, a_round("0.0", [5, 6], 1, 2), *scores], {})


@pytest.mark.parametrize(
    ("effort", "where"),
    [(over_time.TIME, 40.0), (over_time.PARTICIPATIONS, 4), (over_time.BYTES, 330)],
)
def test_a_split_is_marked_where_it_happened(effort, where):
    assert [at for _, at in over_time._splits(split_at_40(), effort)] == [where]


@pytest.mark.parametrize(
    ("effort", "most", "size", "words"),
    [
        (over_time.TIME, 3 * 86400, 86400, "simulated time (days)"),
        (over_time.TIME, 3 * 3600, 3600, "simulated time (hours)"),
        (over_time.TIME, 0, 1, "simulated time (seconds)"),
        (over_time.PARTICIPATIONS, 6000, 1, "participations"),
        (over_time.BYTES, 3.4e7, 1e6, "sent both ways (MB)"),
        (over_time.BYTES, 900, 1, "sent both ways (bytes)"),
    ],
)
def test_axes_have_units_that_fit(effort, most, size, words):
    assert effort.unit(most) == (size, words)


def test_clients_move_at_the_split_and_drift_between_scores():
    arm = split_at_40(
        score(0, 0.1, {"0": [20, 0.1]}),
        score(100, 0.5, {"0.0": [5, 0.5], "0.1": [15, 0.5]}),
        score(200, 0.6, {"0.0": [10, 0.5], "0.1": [10, 0.5]}),
    )
    at, states = places._moments(arm)
    assert at.tolist() == [0, 40, 40, 100, 200]
    bands = {name: (lower.tolist(), upper.tolist()) for name, _, lower, upper in places._stacked(arm.homes, states, 0)}
    assert bands["0"] == ([0, 0, 1, 1, 1], [1, 1, 1, 1, 1])
    assert bands["0.0"] == ([0, 0, 0.75, 0.75, 0.5], [0, 0, 1, 1, 1])
    assert bands["0.1"] == ([0, 0, 0, 0, 0], [0, 0, 0.75, 0.75, 0.5])


def test_layers_are_shares_of_whoever_was_looked_at():
    # ten of the twenty clients are scored on the way, everybody at the end
    arm = split_at_40(
        score(0, 0.1, {"0": [10, 0.1]}, {"0": [6, 4]}),
        score(100, 0.5, {"0.0": [8, 0.5], "0.1": [12, 0.5]}, {"0.0": [6, 2], "0.1": [5, 7]}),
    )
    layers = {
        (name, group): upper - lower for name, group, lower, upper in places._stacked(arm.homes, arm.whereabouts, 2)
    }
    assert layers.keys() == {(name, group) for name in ("0", "0.0", "0.1") for group in (0, 1)}
    assert np.allclose(layers["0", 0], [0.6, 0]) and np.allclose(layers["0", 1], [0.4, 0])
    assert np.allclose(layers["0.0", 0], [0, 0.3]) and np.allclose(layers["0.0", 1], [0, 0.1])
    assert np.allclose(layers["0.1", 0], [0, 0.25]) and np.allclose(layers["0.1", 1], [0, 0.35])


@pytest.mark.parametrize(("groups", "layers"), [(0, False), (1, True), (7, True), (8, False)])
def test_layers_are_drawn_as_long_as_they_can_be_told_apart(groups, layers):
    counts = {"0": [1] * groups} if groups else None
    assert places.has_layers(Arm([score(0, 0.1, {"0": [groups, 0.1]}, counts)], {})) is layers


def test_a_band_is_drawn_from_where_it_begins_to_where_it_ends():
    nothing, height = np.zeros(6), np.array([0, 0, 0.5, 0.5, 0, 0])
    assert places._alive(nothing, height).tolist() == [False, True, True, True, True, False]


def planted(directory, moves):
    """A finished run with two planted groups. moves: the scores' cohorts by time, [clients of group 0, of group 1]."""
    scores = [score(at, 0.5, {name: [sum(n), 0.5] for name, n in where.items()}, where) for at, where in moves.items()]
    parting = verdict("0", 20, 0.91, {"0.0": 9, "0.1": 8})
    facts = {"components": {"clustering": "auxo"}, "population": {"groups": {"3": 10, "8": 10}}}
    names = list(list(moves.values())[-1])
    events = [begin() | facts, a_round("0", [1]), parting, *scores, last(names, [0.5] * 20, 3), end()]
    write(directory, events, accuracy=0.5, cohorts=len(names))
    return parse(write_report(directory)), (directory / "report.html").read_text()


def test_who_is_where_has_a_picture_and_a_row_for_every_change(tmp_path):
    start, parted = {"0": [10, 10]}, {"0.0": [9, 2], "0.1": [1, 8]}
    page, source = planted(
        tmp_path, {0: start, 600: start, 3600: parted, 7200: parted, 10800: {**parted, "0.0": [9, 1]}}
    )
    assert "Share of clients at home in each cohort over simulated time" in source
    begins = page.text.index("Who was at home where, whenever that changed")
    rows = page.text[begins : page.text.index("Planted groups by cohorts")]
    assert rows.endswith(
        "simulated time cohort clients at home group 3 group 8 "
        "0 s 0 20 10 10 1 h 0.0 11 9 2 1 h 0.1 9 1 8 3 h 0.0 10 9 1 3 h 0.1 9 1 8 "
    )
    wide = source[source.index('<svg class="wide" role="img" aria-label="Share of clients') :]
    drawn = parse_text(wide[: wide.index("</svg>")])
    assert "0 splits into 2" in drawn and "0.0 53 %" in drawn and "0.1 47 %" in drawn  # 10 and 9 of 19
    assert drawn.count("group 3") == 2 and drawn.count("group 8") == 2  # at both edges


def parse_text(svg):
    """The words in a picture, tags taken out."""
    return " ".join(re.sub(r"<[^>]+>", " ", svg).split())


def test_where_nobody_ever_moved_there_is_no_picture_of_it(tmp_path):
    page, source = planted(tmp_path, {0: {"0": [10, 10]}, 3600: {"0": [10, 10]}})
    assert "Share of clients at home" not in source
    assert "Planted groups by cohorts, at the end" in page.text and "group 3 20" in page.text


def test_one_score_with_two_cohorts_can_be_drawn(tmp_path):
    page, _ = planted(tmp_path, {0: {"0.0": [10, 0], "0.1": [0, 10]}})
    assert "0 s 0.0 10 10 0 0 s 0.1 10 0 10" in page.text
