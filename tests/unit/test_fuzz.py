"""Experiment files with nonsense in them: each loads, and then means what it says, or is refused in one line.

The slow variants try twenty times as many and say how many there were (`pytest -m slow -s tests/unit/test_fuzz.py`).
"""

import datetime
import math
import shutil
import tomllib
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from horae.arms import train
from horae.errors import HoraeError
from horae.experiment import FAMILIES, load
from horae.settings import dumps, parse_setting

LENIENT = {"deadline": None, "suppress_health_check": list(HealthCheck)}
MORE = pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.slow)])

# ---------------------------------------------------------------- nonsense

WHOLE = [0, -1, 1, 2, 3, 7, 12, 24, 40, 255, 256, 1797, 4096, 65535, 2**24, 2**31, 2**63 - 1, 2**63, 2**64, -(2**63)]
WHOLE += [10**400, True]
NUMBERS = [0.0, -0.0, 0.1, 0.5, 1.0, 0.999999999999, 2.5, 1e-300, 5e-324, 1e-9, 1e3, 1e9, 1e10, 1e300, -1e300, 1.7e308]
NUMBERS += [math.inf, -math.inf, math.nan]
TEXTS = [
    "",
    " ",
    "x",
    "x" * 100_000,
    "a\nb",
    "\0",
    "\x1b[31m",
    "\ud800",
    "..",
    ".a",
    "a/b",
    "a\\b",
    "a b.c",
    "Übung",
    "名前",
]
TEXTS += ["auxo", "single", "oracle", "none", "adam", "cosine", "step", "paper", "linear", "true", "1", "nan"]
TEXTS += [
    ":",
    "os:path",
    ".x:y",
    "no.such:Thing",
    "horae.types:Plan",
    "horae.experiment:Given",
    "horae.training:Training",
]
TEXTS += [f"horae.clustering:{name}" for name in ("Auxo", "Nobody", "CLUSTERING")]
TEXTS += [name for members in FAMILIES.values() for name in members]
LISTS = [[], [[]], [{}], [1, "a"], [True], [0] * 1000, [64] * 3, [0.0, math.nan], ["a"], [24], [0, 90], [12, 12]]
OTHERS = [False, None, {}, {"name": "plain"}, [{"name": "plain"}], {"a": {"b": 1}}, datetime.date(2020, 1, 1), b"x"]
OTHERS += [datetime.time(1), object()]
ANYTHING = st.sampled_from([*WHOLE, *NUMBERS, *TEXTS, *LISTS, *OTHERS])
LIKE = {int: WHOLE, float: [*WHOLE, *NUMBERS], str: TEXTS, list: LISTS}  # nonsense of the right kind comes further


def starts():
    """Good and small experiments that between them name everything there is."""
    tiny = {"participants": 6, "population.clients": 24, "budget.participations": 40}
    yield load(None, tiny)
    for name in set(FAMILIES["population"]) - {"sites"}:  # whose clients are elsewhere
        yield load(None, {**tiny, "population.name": name, "model.name": "mlp"})
    yield load(None, {**tiny, "clustering.name": "oracle", "model.name": "cnn", "algorithm.name": "fedyogi"})
    yield load(None, {**tiny, "clustering.name": "single", "availability.name": "always", "devices.name": "equal"})
    yield load(None, {**tiny, "cost.name": "fedscale", "training.schedule": "cosine", "training.total_rounds": 9})
    told = [{"name": "csv"}, {"name": "csv", "run": "x"}]
    yield load(None, {**tiny, "channels": [{"name": "plain"}] * 2, "baseline": "oracle", "trackers": told})
    eager = {"check_every": 1, "start": 0.0, "min_members": 2, "min_participants": 1, "drop": 0.0, "threshold": 0.3}
    yield load(None, {**tiny, **{f"clustering.{key}": value for key, value in eager.items()}})


STARTS = [made.table() for made in starts()]


def places(table):
    """Every key of a table, and every key of the tables inside."""
    inner = ((key, name) for key, value in table.items() if isinstance(value, dict) for name in value)
    return [*((key,) for key in table), *inner]


def at(table, place):
    return at(table[place[0]], place[1:]) if place else table


def put(table, place, value):
    """The table with another value there; nothing there if the value is the type `Counter`, of which there is none."""
    key, *rest = place
    if rest:
        return {**table, key: put(table[key], rest, value)}
    return {name: old for name, old in {**table, key: value}.items() if old is not Counter}


@st.composite
def tables(draw):
    """A good experiment after one to three changes for the worse."""
    table = draw(st.sampled_from(STARTS))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(places(table)))
        old, what = at(table, place), draw(st.integers(0, 19))
        if what == 0:
            table = put(table, place, Counter)
        elif what == 1:
            table = put(put(table, place, Counter), (*place[:-1], f"{place[-1]}e"), old)
        else:
            table = put(table, place, draw(ANYTHING if what == 2 else st.sampled_from(LIKE.get(type(old), OTHERS))))
    return table


# ---------------------------------------------------------------- what must hold


def polite(error):
    """One line that is not too long."""
    words = str(error)
    return bool(words) and words.isprintable() and len(words) < 300


def loaded(seen, source, changes=None):
    """The experiment, or None where it was refused politely; what it wrote down means the same."""
    try:
        made = load(source, changes)
    except HoraeError as error:
        assert polite(error), str(error)
        seen["refused"] += 1
        return None
    seen["accepted"] += 1
    assert load(tomllib.loads(dumps(made.table()))).table() == made.table()
    return made


def small(table):
    """True where making the clients and the model takes no time and no room."""
    people, model = table["population"], table["model"]
    few = people.get("clients", 1) <= 300 and table["participants"] <= 100
    groups = max(len(people.get("degrees", [])), people.get("n_groups", 1))
    return few and groups <= 8 and math.prod([9, *model.get("hidden", []), *model.get("channels", [])]) < 1e5


def check_world(seen, made, data_root):
    """The world of an experiment can be made, or is refused politely."""
    try:
        made.world(data_root)
    except HoraeError as error:
        assert polite(error), str(error)
        seen["world refused"] += 1
    else:
        seen["world made"] += 1


def tell(what, seen):
    print(f"\n{what}: {dict(seen)}")
    assert seen["accepted"] and seen["refused"]


# ---------------------------------------------------------------- tables, files, settings


@MORE
def test_a_table_with_nonsense_in_it(times, tmp_path):
    seen = Counter()

    @settings(max_examples=500 * times, **LENIENT)
    @given(tables(), st.integers(0, 3))
    def attempt(table, dice):
        made = loaded(seen, table)
        if made is not None and dice == 0 and small(made.table()):
            check_world(seen, made, tmp_path)

    attempt()
    tell("tables", seen)
    assert seen["world refused"] and seen["world made"]


@MORE
def test_a_file_with_nonsense_in_it(times, tmp_path):
    seen, file, texts = Counter(), tmp_path / "mine.toml", [dumps(table).encode() for table in STARTS]
    scraps = [
        b"\xff",
        b"\0",
        b"=",
        b"[",
        b"]]",
        b'"',
        b"'''",
        b"\n",
        b"#",
        b".",
        b"\xef\xbb\xbf",
        b"-",
        b"9" * 5000,
        b"0x" + b"f" * 5000,
    ]
    scraps += [
        b"[" * 5000,
        b"1e999",
        b"nan",
        b"[x]\n",
        b"[[channels]]\n",
        b"seed = 1\n",
        b"a.b.c = 1\n",
        b"{",
        b"1979-05-27",
    ]
    piece = st.sampled_from([b"0", b"1", b"7", b"25", b" "]) | st.sampled_from(scraps) | st.binary(max_size=4)
    cut = st.tuples(st.floats(0, 1), st.integers(0, 2) | st.integers(0, 40), piece, st.booleans())

    @settings(max_examples=250 * times, **LENIENT)
    @given(st.sampled_from(texts), st.lists(cut, min_size=1, max_size=3))
    def attempt(text, cuts):
        for where, length, scrap, value in cuts:
            first = int(where * len(text))
            if value:  # exactly a value: TOML says no to most other cuts before anybody looks at their meaning
                first = text.find(b"= ", first) + 2
                length = max(text.find(b"\n", first) - first, 0)
            text = text[:first] + scrap + text[first + length :]
        file.write_bytes(text)
        loaded(seen, file)

    attempt()
    tell("files", seen)


@MORE
def test_settings_with_nonsense_in_them(times):
    seen = Counter()
    fields = [(".".join(place), at(table, place)) for table in STARTS for place in places(table)]
    odd = [
        "9" * 5000,
        "[" * 5000,
        "0x" + "f" * 5000,
        "'",
        '"""',
        "{a = 1}",
        "1979-05-27",
        "0.25",
        "30",
        "[0, 90]",
        "=",
        "",
    ]

    @st.composite
    def pairs(draw):
        key, old = draw(st.sampled_from(fields))
        value = draw(st.sampled_from(LIKE.get(type(old), OTHERS)).map(str) | st.sampled_from(odd) | st.text(max_size=9))
        return draw(st.sampled_from([key] * 9 + ["", "x.y", key + ".z", "a." * 999])), value

    @settings(max_examples=250 * times, **LENIENT)
    @given(st.lists(pairs(), min_size=1, max_size=2))
    def attempt(said):
        try:
            changes = dict(parse_setting(f"{key}={value}") for key, value in said)
        except HoraeError as error:
            assert polite(error), str(error)
            seen["refused"] += 1
        else:
            loaded(seen, None, changes)

    attempt()
    tell("settings", seen)


# ---------------------------------------------------------------- what is accepted can be carried out


def quick(made):
    """True where a few rounds take no time, and somebody comes."""
    table, hours = made.table(), made.parts["availability"]
    training, often = made.training, getattr(hours, "mean", 1) >= 0.1 and getattr(hours, "concentration", 9) >= 1
    steps = max(training.steps, 36 * training.epochs)
    wide = math.prod([9, *table["model"].get("hidden", []), *table["model"].get("channels", [])])
    few = made.participants * steps * training.batch <= 10_000 and wide <= 10_000
    return small(table) and often and few and 0 < made.budget.participations <= 40 and made.deadline_s >= 60


@pytest.mark.slow
def test_what_is_accepted_runs_to_its_end(tmp_path):
    seen = Counter()

    @settings(max_examples=1500, **LENIENT)
    @given(tables())
    def attempt(table):
        made = loaded(seen, table)
        if made is None or not quick(made):
            return
        try:
            world = made.world(tmp_path)
        except HoraeError:
            return
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        (tmp_path / "run").mkdir()
        train(made, world, tmp_path / "run")  # nothing may be refused so late
        seen["ran"] += 1

    attempt()
    tell("runs", seen)
    assert seen["ran"] > 100
