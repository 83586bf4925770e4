"""Every reproduction that horae has, at both sizes and without data; what is kept of them; and the page."""

import tomllib
from pathlib import Path

import pytest

import horae
from horae.errors import DataError
from horae.reproduce import check, records, reproduce, source_of
from horae.reproduce import page as pages
from horae.reproduce.claims import SIZES
from horae.reproduce.finding import every, find, kept, root

ALL = every()
BOTH = [(one, size) for one in ALL for size in SIZES if not one.sizes[size].none]
KEPT = [(one, size) for one, size in BOTH if kept(one, size).exists()]
AUXO = {
    *("table1", "table3", "table4", "table5", "figure2a", "figure2b", "figure3", "figure4", "figure9", "figure10"),
    *("figure11", "figure12", "figure13a", "figure13b", "figure13c", "figure14a", "figure14b", "figure14c"),
}


def name(value):
    return value if isinstance(value, str) else value.title


def test_auxo_s_tables_and_figures_are_there():
    assert {one.name for one in ALL if one.folder == "auxo"} >= AUXO


@pytest.mark.parametrize(("one", "size"), BOTH, ids=name)
def test_it_loads_and_every_arm_can_be_made(one, size):
    check(one, size)
    assert one.claim.words.endswith(".") and one.sizes[size].words.endswith(".")


@pytest.mark.parametrize("one", ALL, ids=name)
def test_rows_have_different_words(one):
    words = [row.words for row in one.checks]
    assert len(set(words)) == len(words)


@pytest.mark.parametrize("one", [one for one in ALL if one.folder == "auxo" and not one.sizes["paper"].none], ids=name)
def test_at_the_paper_s_size_the_missing_data_are_one_line(one, tmp_path):
    with pytest.raises(DataError, match=r"train.csv is missing; put FedScale's mapping there") as why:
        reproduce(one, size="paper", out=tmp_path / "out", data_root=tmp_path)
    assert "\n" not in str(why.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("one", "size"), KEPT, ids=name)
def test_results_are_of_the_file_as_it_is(one, size):
    record = records.read(kept(one, size))
    assert record.table["of"] == records.digest(one, source_of(one, size), size)
    assert len(record.table["seeds"]) >= 3


@pytest.mark.parametrize("one", [one for one, size in KEPT if size == "small"], ids=name)
def test_a_row_that_does_not_hold_says_why_and_no_other_does(one):
    verdicts = {row.words: row.verdict for row in records.read(kept(one, "small")).rows}
    told = {row.words for row in one.checks if row.why}
    assert told == {words for words, verdict in verdicts.items() if verdict != "yes"}


def test_no_why_before_there_are_results():
    assert [one.title for one in ALL if (one, "small") not in KEPT and any(row.why for row in one.checks)] == []


def test_the_page_and_its_pictures_are_what_the_results_make():
    text, drawn = pages.page()
    assert (root().parent / pages.PAGE).read_text(encoding="utf-8") == text
    folder = root().parent / pages.PICTURES
    assert {file.name: file.read_text(encoding="utf-8") for file in folder.glob("*.svg")} == drawn


def test_the_wheel_carries_them():
    project = tomllib.loads((root().parent / "pyproject.toml").read_text(encoding="utf-8"))
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included == {"experiments": "horae/experiments"}
    assert Path(horae.__file__).parents[2] / "experiments" == root(), "a checkout's own come first"
    assert find("auxo/table3").file.is_relative_to(root())
