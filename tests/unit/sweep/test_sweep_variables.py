"""`${VAR}`: which there are, their values, and what may not be told."""

import pytest

from horae.errors import ConfigError
from horae.sweep.variables import Mask, check_open, expanded, is_secret, variables


def test_variables_are_found_wherever_they_are():
    table = {"a": ["${ONE}", {"b": "x${TWO}${ONE}"}], "${THREE}": 4}
    assert variables(table) == ["ONE", "TWO", "THREE"]
    assert variables(["$HOME", "$$", "{HOME}"]) == []


def test_values_are_put_in_and_nothing_else_changes():
    given = {"WHO": "me", "EMPTY": ""}
    table = {"n": 1, "x": 0.5, "on": True, "s": "${WHO}@${WHO}${EMPTY}", "l": ["${WHO}", 2]}
    assert expanded(table, "it", given) == {"n": 1, "x": 0.5, "on": True, "s": "me@me", "l": ["me", 2]}
    assert table["s"] == "${WHO}@${WHO}${EMPTY}"
    assert expanded("${A}", "it", {"A": "${B}"}) == "${B}"  # once


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("${NOT_SET}", "data_root should name variables that are set, got ${NOT_SET}; try: export NOT_SET=..."),
        ("${LINES}", "data_root: the value of ${LINES} should be one line that can be printed; set another"),
        ("${}", "data_root should name variables like ${HOME}, got '${}'"),
        ("${a b}/x", "data_root should name variables like ${HOME}, got '${a b}/x'"),
        ("${HOME", "data_root should name variables like ${HOME}, got '${HOME'"),
    ],
)
def test_what_has_no_value_is_one_clear_line(value, message):
    with pytest.raises(ConfigError) as error:
        expanded(value, "data_root", {"LINES": "hunter\n2"})
    assert str(error.value) == message


@pytest.mark.parametrize("name", ["WANDB_API_KEY", "DB_PASSWORD", "hf_token", "MY_SECRET", "PASSPHRASE", "AUTH"])
def test_secrets_are_known_by_their_names_and_kept_out_of_what_is_written(name):
    assert is_secret(name)
    with pytest.raises(ConfigError) as error:
        check_open({"url": f"redis://${{{name}}}@host"}, "run a: set", "do otherwise")
    assert str(error.value) == f"run a: set should hold no secret, got ${{{name}}}; do otherwise"


def test_what_names_no_secret_may_be_written():
    check_open(["${HOME}", 3, {"x": "${USER}", "y": "${AUTHOR}"}], "set", "")


def test_a_mask_hides_the_longest_first_and_short_ones_only_where_they_are_secret():
    given = {"LONG": "abcdefgh", "SOME": "abcd", "ONE": "1", "A_KEY": "7", "EMPTY_KEY": ""}
    mask = Mask(["SOME", "LONG", "ONE", "A_KEY", "EMPTY_KEY", "UNSET_KEY"], given)
    assert mask.hide("abcdefgh abcd 1 7") == "${LONG} ${SOME} 1 ${A_KEY}"
    assert mask
    assert not Mask(["ONE"], given)
