"""Pictures: what is drawn of which numbers, and that anybody can read it."""

import xml.etree.ElementTree as ET

import pytest

from horae.reproduce.claims import Claim
from horae.reproduce.pictures import _ticks, caption, draw
from horae.reproduce.records import Record, curve

SVG = "{http://www.w3.org/2000/svg}"


def arm(name, values, changes=None, curve=()):
    return {"name": name, "changes": changes or {}, "values": {"accuracy": values}, "curve": list(curve)}


def drawn(claim, *arms):
    record = Record({"arms": list(arms), "seeds": [0, 1], "checks": []})
    text = draw(claim, record)
    assert draw(claim, record) == text
    root = ET.fromstring(text)
    assert root.get("aria-label") == root.find(f"{SVG}title").text == caption(claim, record)
    assert "prefers-color-scheme:dark" in root.find(f"{SVG}style").text
    return root


def words(root):
    return [text.text for text in root.iter(f"{SVG}text")]


def test_dots_are_a_row_for_each_arm_with_its_mean():
    claim = Claim("P", "w", "c", "dots")
    root = drawn(claim, arm("a < b", [0.5, 0.7]), arm("c", [0.9, None]), arm("nothing", [None, None]))
    assert "a < b" in words(root) and "60.0" in words(root) and "90.0" in words(root)
    assert "nothing" not in words(root)
    assert caption(claim, Record({"arms": [], "seeds": [0, 1]})) == "Mean accuracy, % by arm, 2 seeds"


def test_named_arms_alone_are_drawn():
    claim = Claim("P", "w", "c", "dots", arms=("b",))
    assert [name for name in ("a", "b") if name in words(drawn(claim, arm("a", [0.1]), arm("b", [0.2])))] == ["b"]


def test_lines_run_over_the_levels_of_a_field():
    claim = Claim("P", "w", "c", "lines", across="harm.poisoned")
    arms = [
        arm(f"{kind}, {level}", [0.5 + level, 0.6 + level], {"clustering.name": kind, "harm.poisoned": level})
        for kind in ("single", "auxo")
        for level in (0.0, 0.1)
    ]
    root = drawn(claim, *arms, arm("else", [0.1], {}))
    found = words(root)
    assert {"0.0", "0.1", "single", "auxo", "poisoned"} <= set(found)
    assert sum('fill="none"' in ET.tostring(path).decode() for path in root.iter(f"{SVG}path")) == 2


def test_curves_have_a_band_and_a_name():
    run = curve([[(0.0, 0.1), (7200.0, 0.5)], [(0.0, 0.3), (7200.0, 0.7)]])
    root = drawn(Claim("P", "w", "c", "curves"), arm("a", [0.5], curve=run))
    assert len(root.findall(f"{SVG}polygon")) == 1
    assert {"a", "simulated hours"} <= set(words(root))


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 1.0), (71.2, 94.9), (0.003, 0.0031), (-0.4, 0.2), (5.0, 5.0), (0.0, 1e6)]
)
def test_ticks_are_few_and_round_the_values(low, high):
    ticks = _ticks(low, high)
    assert ticks[0] <= low and high <= ticks[-1] + 1e-9 and 2 <= len(ticks) <= 12
