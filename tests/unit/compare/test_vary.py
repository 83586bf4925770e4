"""What is said on the command line about arms and seeds, read, refused, and given names."""

import doctest
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from horae.compare import vary
from horae.compare.arms import arms_of, find_arm
from horae.compare.vary import MOST, checked, checked_seeds, parse_seeds, parse_vary, word
from horae.errors import ConfigError

# Letters that mean something to a reader of lists, and a few that do not.
NOISE = st.text(st.sampled_from("ab01,.=[]{}'\"\\ -#\n\té\x00\ud800"), max_size=24)
SCALARS = st.one_of(
    st.integers(-(2**60), 2**60),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.text(st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_characters="\x7f"), max_size=12).filter(
        str.isprintable
    ),
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3))


def test_docstrings_tell_the_truth():
    assert doctest.testmod(vary).failed == 0


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("participants=10,30", [10, 30]),
        ("clustering.gamma=0.1, 0.3", [0.1, 0.3]),
        ("name=a,b c", ["a", "b c"]),
        ('name="a,b",c', ["a,b", "c"]),
        ("name='a,b',c", ["a,b", "c"]),
        ('name="a\\",b",c', ['a",b', "c"]),
        ("name=it's,so", ["it's", "so"]),
        ("population.degrees=[0, 90],[0, 45, 90]", [[0, 90], [0, 45, 90]]),
        ('x=["a]b", "c"],[]', [["a]b", "c"], []]),
        ("x={a = [1, 2]},3", [{"a": [1, 2]}, 3]),
        ("x=true,1", [True, 1]),
        ("x=1,1.0", [1, 1.0]),
    ],
)
def test_values_are_parted_at_commas_outside_of_quotes_and_brackets(option, values):
    (found,) = parse_vary([option]).values()
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


def test_a_familys_name_alone_is_its_member():
    assert parse_vary(["clustering=single,auxo", "cost=fedscale"]) == {
        "clustering.name": ["single", "auxo"],
        "cost.name": ["fedscale"],
    }
    assert list(parse_vary(['channels=[],[{name = "plain"}]'])) == ["channels"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["clustering"], "--vary should look like family.field=value,value, got 'clustering'"),
        (["=1"], "--vary should look like family.field=value,value, got '=1'"),
        (["x="], "--vary should have a value before and after each comma, got 'x='"),
        (["x=1,,2"], "--vary should have a value before and after each comma, got 'x=1,,2'"),
        (["x=[1,2"], "--vary should close its quotes and brackets, got 'x=[1,2'"),
        (["x='1,2"], '--vary should close its quotes and brackets, got "x=\'1,2"'),
        (["x=1],2"], "--vary should have brackets in pairs, got 'x=1],2'"),
        (["x=" + "[" * 99], "--vary should have brackets in pairs"),
        (["x=" + "9" * 5000], "--vary x should have values that can be read, got '99999"),
        (["x=1,2", "x=3"], "--vary should name a field once, got 'x=3'; list all values of x in one --vary"),
        (["clustering=auxo", "clustering.name=single"], "--vary should name a field once"),
        (["x=1,2,1"], "--vary x should have different values, got '1'; say each value once"),
        (["x=0.1,0.10"], "--vary x should have different values, got '0.1'; say each value once"),
        (["seed=0,1"], "--vary should name another field, got 'seed'; give the seeds with --seeds"),
        (["baseline=none,single"], "--vary should name another field, got 'baseline'; arms are compared with one"),
    ],
)
def test_what_cannot_be_varied_is_refused_in_one_line(options, message):
    try:
        parse_vary(options)
    except ConfigError as error:
        assert str(error).startswith(message)
        return
    with pytest.raises(ConfigError) as late:  # found by the check that Python's values go through as well
        checked(parse_vary(options))
    assert str(late.value).startswith(message)


@given(st.lists(NOISE, max_size=3))
@example(["a='"])
@example(['a="\\'])
@example(["a=[{'],1"])
def test_noise_is_read_or_refused(options):
    try:
        arms = arms_of(checked(parse_vary(options)))
    except ConfigError as error:
        assert str(error).isprintable()
        return
    assert len({arm.directory.lower() for arm in arms}) == len(arms)
    assert all(re.fullmatch(r"[A-Za-z0-9_=,+][A-Za-z0-9._=,+-]*", arm.directory) for arm in arms)


@given(st.lists(VALUES, min_size=1, max_size=4, unique_by=word))
def test_what_is_written_is_read_back(values):
    option = f"a.b={','.join(map(word, values))}"
    assert parse_vary([option]) == {"a.b": values}


def test_arms_are_every_choice_with_the_last_field_fastest():
    arms = arms_of(parse_vary(["clustering=single,auxo", "participants=10,30"]))
    assert [arm.name for arm in arms] == [
        "single, participants=10",
        "single, participants=30",
        "auxo, participants=10",
        "auxo, participants=30",
    ]
    assert arms[2].directory == "auxo,participants=10"
    assert arms[2].changes == {"clustering.name": "auxo", "participants": 10}


def test_names_say_the_field_where_the_value_alone_would_not():
    assert [arm.name for arm in arms_of(parse_vary(["training.lr=0.1,1"]))] == ["lr=0.1", "lr=1"]
    both = arms_of(parse_vary(["training.lr=0.1", "algorithm.lr=1"]))
    assert both[0].name == "training.lr=0.1, algorithm.lr=1"
    synthetic = arms_of(parse_vary(["devices=synthetic", "availability=synthetic"]))
    assert synthetic[0].name == "devices=synthetic, availability=synthetic"


def test_directories_are_safe_and_differ_where_case_does_not():
    arms = arms_of({"name": ["a/b", "a:b", "A b", "..", "x" * 300]})
    names = [arm.directory for arm in arms]
    assert names[:3] == ["name=a-b", "name=a-b-2", "name=Ab"]
    assert names[3] == "name=.."
    assert len(names[4]) == 80
    assert arms_of({"clustering.name": ["../..", "my.module:Own"]})[0].directory == "arm"


def test_an_arm_is_found_by_any_of_its_names():
    arms = arms_of(parse_vary(["clustering=single,auxo", "participants=10"]))
    for wanted in ("auxo, participants=10", "auxo,participants=10", "clustering=auxo,participants=10"):
        assert find_arm(arms, wanted) is arms[1]
    assert find_arm(arms, None) is arms[0]
    with pytest.raises(ConfigError, match="--against: there is no arm 'auxo, participants=1'; did you mean 'auxo, "):
        find_arm(arms, "auxo, participants=1")


@pytest.mark.parametrize(
    ("words", "seeds"), [("0", [0]), ("0,1,2", [0, 1, 2]), ("0-4", [0, 1, 2, 3, 4]), (" 3 , 7 - 8", [3, 7, 8])]
)
def test_seeds(words, seeds):
    assert parse_seeds(words) == seeds


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "--seeds should look like 0,1,2 or 0-4, got ''"),
        ("1,,2", "--seeds should look like 0,1,2 or 0-4, got '1,,2'"),
        ("-1", "--seeds should look like 0,1,2 or 0-4, got '-1'"),
        ("1.5", "--seeds should look like 0,1,2 or 0-4, got '1.5'"),
        ("²", "--seeds should look like 0,1,2 or 0-4, got '²'"),
        ("4-0", "--seeds should count upwards, got '4-0'; say 0-4"),
        ("0-2,1", "--seeds should differ, got '1 twice'"),
        (f"0-{10**15}", f"--seeds should be {MOST:,} at most, got '0-1"),
    ],
)
def test_what_are_no_seeds_is_refused(words, message):
    with pytest.raises(ConfigError) as error:
        parse_seeds(words)
    assert str(error.value).startswith(message)


def test_seeds_from_python_are_looked_at_too():
    with pytest.raises(ConfigError, match="--seeds should be one seed at least"):
        checked_seeds([])
    with pytest.raises(ConfigError, match="3 twice"):
        checked_seeds([3, 3])


@given(st.text(st.sampled_from("0123456789,- "), max_size=30))
def test_any_seeds_are_read_or_refused(words):
    try:
        seeds = parse_seeds(words)
    except ConfigError:
        return
    assert len(set(seeds)) == len(seeds) <= MOST
    assert parse_seeds(",".join(map(str, seeds))) == seeds
