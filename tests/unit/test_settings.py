"""Words to settings, values to types, tables to TOML and flat."""

import doctest
import tomllib
from typing import Literal

import pytest

from horae import settings
from horae.errors import ConfigError
from horae.settings import changed, convert, dumps, parse_setting


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(settings).failed == 0


@pytest.mark.parametrize(
    ("value", "hint", "found"),
    [
        (3, float, 3.0),
        (3, int, 3),
        (2**63 - 1, int, 2**63 - 1),
        (-(2**63) + 1, int, -(2**63) + 1),
        ([1, 2], tuple[int, ...], (1, 2)),
        ((), tuple[float, ...], ()),
        ("a", Literal["a", "b"], "a"),
        (True, bool, True),
        ("é", str, "é"),
    ],
)
def test_a_value_becomes_what_its_annotation_says(value, hint, found):
    made = convert(value, hint, "x")
    assert (made, type(made)) == (found, type(found))


@pytest.mark.parametrize(
    ("value", "hint", "message"),
    [
        (True, int, "x should be a whole number, got True"),
        (True, float, "x should be a number, got True"),
        (1, bool, "x should be true or false, got 1"),
        (1.0, int, "x should be a whole number, got 1.0"),
        (2**63, int, "x should lie between -2^63 and 2^63, got 9223372036854775808"),
        (-(2**63), int, "x should lie between -2^63 and 2^63"),
        (2**63, float, "x should lie between -2^63 and 2^63"),
        (10**400, float, "x should lie between -2^63 and 2^63, got 1000"),
        (float("inf"), float, "x should be a finite number, got inf"),
        ("1", tuple[int, ...], "x should be a list, got '1'"),
        ([[1]], tuple[int, ...], "x should be a whole number, got [1]"),
        ("c", Literal["a", "b"], "x should be one of 'a', 'b', got 'c'"),
        (True, Literal[1, 2], "x should be one of 1, 2, got True"),
        ([], Literal["a", "b"], "x should be one of 'a', 'b', got []"),
        ("\udcff", str, r"x should be a text that can be written to a file, got '\udcff'"),
        (None, str, "x should be a text, got None"),
    ],
)
def test_another_value_is_refused(value, hint, message):
    with pytest.raises(ConfigError) as caught:
        convert(value, hint, "x")
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 5000, "{a = " * 2000])
def test_a_setting_that_no_reader_can_take_is_refused(value):
    with pytest.raises(ConfigError) as caught:
        parse_setting(f"clustering.gamma={value}")
    words = str(caught.value)
    assert words.startswith("--set clustering.gamma should have a value that can be read, got '")
    assert len(words) < 200


def test_a_change_names_a_field_and_no_abyss():
    assert changed({}, {"a.b": 1, "a.c.d": 2}) == {"a": {"b": 1, "c": {"d": 2}}}
    with pytest.raises(ConfigError, match=r"a change should name a field, like clustering\.gamma, got 'a\.a\."):
        changed({}, {"a." * 5000 + "a": 1})
    assert changed({}, {3: 4}) == {"3": 4}  # and the experiment will say that it has no '3'


def test_del_survives_being_written():
    assert tomllib.loads(dumps({"x": "a\x7fb"})) == {"x": "a\x7fb"}
