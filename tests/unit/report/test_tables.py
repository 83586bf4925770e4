"""Numbers in words: what the docstrings show, and the edges."""

import doctest

import pytest

from horae.report import svg, tables


@pytest.mark.parametrize("module", [tables, svg])
def test_docstrings_tell_the_truth(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    "say",
    [
        tables.share,
        tables.points,
        tables.signed,
        tables.number,
        tables.count,
        tables.nbytes,
        tables.flops,
        tables.seconds,
    ],
)
@pytest.mark.parametrize("nothing", [None, float("nan"), float("inf")])
def test_what_there_is_not_is_a_dash(say, nothing):
    assert say(nothing) == "–"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (3599.9, "1 h"),
        (3_660, "1 h 1 min"),
        (86_399, "1 d"),
        (90_000, "1 d 1 h"),
    ],
)
def test_seconds_carry_over(value, words):
    assert tables.seconds(value) == words


@pytest.mark.parametrize(
    ("value", "words"), [(0, "0 B"), (1_000, "1.0 kB"), (999_960, "1.0 MB"), (2.5e9, "2.5 GB"), (1e21, "1000.0 EB")]
)
def test_bytes_carry_over(value, words):
    assert tables.nbytes(value) == words


def test_differences_too_small_to_show_have_no_direction():
    assert tables.points(-0.0004) == "the same as"
    assert tables.signed(-0.0004) == "0.0"


def test_a_table_escapes_and_sums_up():
    rows = [("a & b", "1.5 MB", "<never>"), ("sum", "2.0 MB", "no such thing, and a reason that needs room")]
    html = tables.table(("what", "<n>", "why"), rows, "A 'caption'", total=True)
    assert "a &amp; b" in html and '<th scope="col">&lt;n&gt;</th>' in html
    assert "<td>1.5&nbsp;MB</td>" in html and '<td class="words">&lt;never&gt;</td>' in html
    assert '<th scope="col" class="words">why</th>' in html and '<td class="words long">no such thing' in html
    assert html.count('class="total"') == 1 and 'aria-label="A &#x27;caption&#x27;"' in html


def test_a_table_of_words_sets_figures_as_words_too():
    html = tables.table(("field", "1", "2"), [("seed", "3", "4")], "Fields", words=True)
    assert '<td class="words">3</td><td class="words">4</td>' in html
