"""Run directories with broken files in them: each is read, and can be relied on then, or is refused in one line.

The slow variant tries twenty times as many and says how many there were (`pytest -m slow -s` and this file).
"""

import functools
import json
import shutil
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import horae
from horae.errors import RunError
from horae.report.difference import difference
from horae.report.reading import Arm, read_arm
from horae.report.recorder import read

MORE = pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.slow)])
FILES = [f"{arm}{name}" for arm in ("", "baseline/") for name in ("events.jsonl", "summary.json", "experiment.toml")]
LOGS = [name for name in FILES if name.endswith(".jsonl")]
SCRAPS = [
    b"\xff",
    b"\0",
    b"{",
    b"}",
    b"[",
    b'"',
    b",",
    b"\n",
    b"\r\n",
    b"9",
    b"-",
    b"NaN",
    b"1e999",
    b"null",
    b"[" * 5000,
]
SCRAPS += [
    b"\xef\xbb\xbf",
    b"\n\n",
    b"true",
    b"{}\n",
    b"[]\n",
    b'{"event":"end"}\n',
    b'{"event":3}\n',
    b'{"event":"new"}\n',
]
NONSENSE = [
    None,
    True,
    0,
    -1,
    1,
    0.5,
    1.5,
    -0.0,
    1e300,
    1e-300,
    2**63,
    10**400,
    "",
    "0",
    "0.1",
    "x" * 300,
    "a\nb",
    "<b>",
]
NONSENSE += [
    "." * 60,
    [],
    {},
    [0],
    [[]],
    [None],
    ["a"],
    {"0": 1},
    {"0": [1, 0.5]},
    {"": [1, 0.5]},
    [1, 2, 3],
    "end",
    "split",
]


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A finished run with a split in it, and its files by name."""
    directory = tmp_path_factory.mktemp("fuzz") / "good"
    easy = {"clustering.min_members": 3, "clustering.check_every": 2, "clustering.max_cohorts": 2}
    easy |= {"clustering.threshold": 0.3, "clustering.drop": 0.0, "clustering.start": 0.0}
    fields = {"budget": {"participations": 120}, "population": {"clients": 40}, "participants": 10}
    horae.run("demo", **fields, changes=easy, out=directory)
    files = {name: (directory / name).read_bytes() for name in FILES}
    assert b'"split":true' in files["events.jsonl"]
    return directory, files


def hurt(draw, data):
    """Bytes after something happened to them."""
    first, length = int(draw(st.floats(0, 1)) * len(data)), draw(st.integers(0, 3) | st.integers(0, 300))
    what = draw(st.sampled_from(["cut short", "cut out", "put in", "put in"]))
    if what == "cut short":
        return data[:first]
    scrap = b"" if what == "cut out" else draw(st.sampled_from(SCRAPS) | st.binary(max_size=3))
    return data[:first] + scrap + data[first + length :]


def confused(draw, data):
    """A log in which one line says something else; a value, somewhere in it, is nonsense or gone."""
    lines = data.splitlines()
    kinds = [json.loads(line)["event"] for line in lines]
    kind = draw(st.sampled_from(sorted(set(kinds))))
    i = draw(st.sampled_from([i for i, other in enumerate(kinds) if other == kind]))
    event = json.loads(lines[i])
    inside = event
    key = draw(st.sampled_from(sorted(inside)))
    while isinstance(inside[key], dict | list) and inside[key] and draw(st.booleans()):
        inside = inside[key]
        key = draw(st.sampled_from(sorted(inside) if isinstance(inside, dict) else range(len(inside))))
    if draw(st.integers(0, 5)) == 0:
        del inside[key]
    else:
        inside[key] = draw(st.sampled_from(NONSENSE))
    lines[i] = json.dumps(event).encode()
    return b"\n".join([*lines, b""])


@st.composite
def accidents(draw, files):
    """One or two files and what became of them: bytes, None for gone, or a directory in their place."""
    found = {}
    for _ in range(draw(st.integers(1, 2))):
        name, what = draw(st.sampled_from(LOGS) | st.sampled_from(FILES)), draw(st.integers(0, 9))
        whole = [files[name], draw(st.sampled_from([*files.values(), b"", b"{}", b"[]", b"\n", b"0"]))]
        if what == 0:
            found[name] = draw(st.sampled_from([None, "directory", whole[1]]))
        elif what < 5 or name not in LOGS:
            found[name] = hurt(draw, whole[0])
        else:
            found[name] = confused(draw, whole[0])
    return found


def lay_out(directory, files):
    """The files of a run, some of which are not what they were."""
    shutil.rmtree(directory, ignore_errors=True)
    (directory / "baseline").mkdir(parents=True)
    for name, data in files.items():
        if data == "directory":
            (directory / name).mkdir()
        elif data is not None:
            (directory / name).write_bytes(data)


def attempt(seen, what, work):
    try:
        done = work()
    except RunError as error:
        words = str(error)
        assert words.isprintable() and len(words) < 300, words
        seen[what, "refused"] += 1
        return None
    seen[what, "accepted"] += 1
    return done


def rely_on(arm):
    """Everything that a report asks an arm can be answered."""
    for name, what in vars(Arm).items():
        if isinstance(what, property | functools.cached_property):
            getattr(arm, name)
    arm.forest()


@MORE
def test_broken_files_are_read_or_refused_politely(times, good, tmp_path):
    directory, files = good
    bad, seen = tmp_path / "bad", Counter()

    @settings(max_examples=500 * times, deadline=None, suppress_health_check=list(HealthCheck))
    @given(accidents(files))
    def hold(changed):
        lay_out(bad, {**files, **changed})
        attempt(seen, "difference", lambda: difference(directory, bad))
        found = attempt(seen, "difference", lambda: difference(bad, directory))
        assert found is None or not found.same or harmless(files, changed)
        attempt(seen, "log", lambda: read(bad / "events.jsonl"))
        for place in (bad, bad / "baseline"):
            arm = attempt(seen, "arm", lambda place=place: read_arm(place))
            if arm is not None:
                rely_on(arm)

    hold()
    print(f"\nrun directories: {dict(seen)}")
    assert all(seen[what, how] for what in ("difference", "log", "arm") for how in ("refused", "accepted"))


def harmless(files, changed):
    """True where nothing changed but the experiment, white space, real time, or what stands behind the last line."""

    def said(name, data):
        if name in ("baseline/summary.json", *(name for name in FILES if name.endswith(".toml"))):
            return "nothing that is compared"
        if data is None or data == "directory":
            return data
        *lines, rest = data.split(b"\n") if name in LOGS else [data]
        tables = [json.loads(line) for line in lines]
        try:
            tables.append(json.loads(rest))
        except ValueError:
            assert name in LOGS
        return [{key: value for key, value in table.items() if "wall" not in key} for table in tables]

    return all(said(name, data) == said(name, files[name]) for name, data in changed.items())
