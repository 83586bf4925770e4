"""Trees of aggregators from YAML, and what is none."""

import pytest

from horae.engines.topology import read_topology
from horae.errors import ConfigError, DataError

pytest.importorskip("yaml")

DEEP = """
top: {kind: leader, children: [east, west, own]}
east: {kind: aggregator, children: [town, e0]}
town: {kind: aggregator, children: [t0, t1]}
west: {kind: aggregator, children: [w0]}
t0: {kind: worker}
t1: {kind: worker}
e0: {kind: worker, children: []}
w0: {kind: worker, children: ~}
own: {kind: worker}
"""


@pytest.fixture
def tree(tmp_path):
    def written(text):
        file = tmp_path / "topology.yml"
        file.write_text(text)
        return file

    return written


def test_a_tree_is_read_with_its_levels_and_who_reports_to_whom(tree):
    found = read_topology(tree(DEEP))
    assert (found.leader, found.workers) == ("top", ("t0", "t1", "e0", "w0", "own"))
    assert found.levels == (("town",), ("east", "west"))
    reports = [found.reports_to(client) for client in (0, 1, 2, 3, 4, 5, 12)]  # 12 = 2 modulo 5
    assert reports == ["town", "town", "east", "west", "top", "town", "east"]


def test_the_short_form_is_balanced(tree):
    found = read_topology(tree("aggregators: 3"))
    assert found.levels == (("aggregator-0", "aggregator-1", "aggregator-2"),)
    assert [found.reports_to(client)[-1] for client in range(6)] == ["0", "1", "2", "0", "1", "2"]


WRONG = {
    "a: {kind: leader, children: [b]}\nb: {kind: boss}": r"b: kind should be one of leader, aggregator, worker",
    "a: {kind: leader, children: [b]}\nb: {kind: worker, children: [a]}": "children should be empty for a worker",
    "a: {kind: leader, children: [b]}\nb: {kind: aggregator}": r"children should be names, for an aggregator, got \[\]",
    "a: {kind: leader}": r"children should be names, for the leader, got \[\]",
    "a: {kind: worker}": "should have one leader, got 0",
    "a: {kind: leader, children: [c]}\nb: {kind: leader, children: [c]}\nc: {kind: worker}": "one leader, got 2",
    "a: {kind: leader, children: [b, c]}\nb: {kind: aggregator, children: [c]}\nc: {kind: worker}": "c should have one",
    "a: {kind: leader, children: [b, b]}\nb: {kind: worker}": "b should have one parent",
    "a: {kind: leader, children: [b]}\nb: {kind: aggregator, children: [a]}": "a should have no parent, as the leader",
    "a: {kind: leader, children: [w]}\nw: {kind: worker}\nb: {kind: aggregator, children: [c]}\n"
    "c: {kind: aggregator, children: [b]}": "should be a tree, got .*in a cycle",
    "a: {kind: leader, children: [b]}\nb: {kind: worker}\nc: {kind: worker}": "c should have a parent",
    "a: {kind: leader, children: [worm]}\nwork: {kind: worker}": "did you mean 'work'",
    "a: {kind: leader, children: b}": "children should be a list of names, got 'b'",
    "a: {kind: leader, childs: [b]}": "did you mean 'children'",
    "a: 3": "should have a kind and children, got 3",
    "[a]": "should name nodes",
    "": "should name nodes",
    "aggregators: 0": r"aggregators should be a whole number in \[1, 1024\], got 0",
    "aggregators: yes": "aggregators should be a whole number",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_tree_is_refused_in_one_line(tree, text):
    with pytest.raises(ConfigError, match=WRONG[text]) as raised:
        read_topology(tree(text))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["a: [", None])
def test_a_file_that_cannot_be_read_is_told_in_one_line(tree, tmp_path, text):
    file = tmp_path / "none.yml" if text is None else tree(text)
    with pytest.raises(DataError, match=r"cannot read .*site\.topology names a YAML file") as raised:
        read_topology(file)
    assert "\n" not in str(raised.value)
