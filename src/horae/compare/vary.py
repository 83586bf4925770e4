"""`--vary clustering=single,auxo` and `--seeds 0-4,7` as data, and the arms that they make."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from horae.errors import ConfigError, did_you_mean, require
from horae.experiment import FAMILIES
from horae.settings import dumps, parse_setting

Vary = dict[str, list[Any]]  # dotted field to its values, in the order in which they were said
MOST = 10_000  # runs in one comparison: more is a slip of the finger
_DEEPEST = 20  # brackets within brackets
TAKEN = {"seed": "give the seeds with --seeds", "baseline": "arms are compared with one another"}
_LISTS = ("channels",)  # families of which an experiment has several members


@dataclass(frozen=True)
class Arm:
    """One choice of values. directory: its name as a file name. changes: dotted field to value."""

    name: str
    directory: str
    changes: dict[str, Any]


def parse_vary(options: Iterable[str]) -> Vary:
    """Every `KEY=V1,V2,...`. Errors: ConfigError for something else, or for a key or value said twice.

    >>> parse_vary(["clustering=single,auxo", "population.degrees=[0, 90],[0]"])
    {'clustering.name': ['single', 'auxo'], 'population.degrees': [[0, 90], [0]]}
    """
    found: Vary = {}
    for option in options:
        key, equals, rest = option.partition("=")
        key = field_of(key.strip())
        require(bool(key and equals) and key.isprintable(), "--vary", "look like family.field=value,value", option)
        require(key not in found, "--vary", "name a field once", option, f"list all values of {key} in one --vary")
        found[key] = [_value(key, words, option) for words in _split(rest, option)]
    return checked(found)


def checked(vary: Mapping[str, Sequence[Any]]) -> Vary:
    """The same with fields by their full names. Errors: ConfigError if there is nothing to compare."""
    found: Vary = {}
    for given, values in vary.items():
        key, named = field_of(given), isinstance(values, Sequence) and not isinstance(values, str)
        require(named and bool(values), f"--vary {given}", "be a list of values", values)
        require(key not in found, "--vary", "name a field once", given)
        require(key not in TAKEN, "--vary", "name another field", given, TAKEN.get(key, ""))
        said = [word(value) for value in values]
        twice = next((words for i, words in enumerate(said) if words in said[:i]), None)
        require(twice is None, f"--vary {given}", "have different values", twice, "say each value once")
        found[key] = list(values)
    remedy = "try: horae compare --vary clustering=single,auxo --seeds 0-4"
    require(bool(found), "--vary", "say what differs between the arms", "nothing", remedy)
    return found


def parse_seeds(words: str) -> list[int]:
    """`0-2,7` as seeds. Errors: ConfigError for something else, or for a seed said twice.

    >>> parse_seeds("0-2,7")
    [0, 1, 2, 7]
    """
    seeds: list[int] = []
    for part in words.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,18})\s*(?:-\s*([0-9]{1,18})\s*)?", part)
        if match is None:
            raise ConfigError(f"--seeds should look like 0,1,2 or 0-4, got {words!r}")
        first, last = int(match[1]), int(match[2] or match[1])
        require(first <= last, "--seeds", "count upwards", part.strip(), f"say {last}-{first}")
        require(last - first + len(seeds) < MOST, "--seeds", f"be {MOST:,} at most", words)
        seeds += range(first, last + 1)
    return checked_seeds(seeds)


def checked_seeds(seeds: Sequence[int]) -> list[int]:
    """The same. Errors: ConfigError if there is none, or one twice."""
    require(bool(seeds), "--seeds", "be one seed at least", list(seeds))
    twice = next((seed for i, seed in enumerate(seeds) if seed in seeds[:i]), None)
    require(twice is None, "--seeds", "differ", f"{twice} twice")
    return list(seeds)


def field_of(key: str) -> str:
    """A family's name alone means its member.

    >>> field_of("clustering"), field_of("clustering.gamma"), field_of("participants")
    ('clustering.name', 'clustering.gamma', 'participants')
    """
    return f"{key}.name" if key in FAMILIES and key not in _LISTS else key


def arms_of(vary: Vary) -> list[Arm]:
    """Every choice of one value per field, the last field varying fastest."""
    names, taken = _short_names(vary), set[str]()
    arms: list[Arm] = []
    for values in itertools.product(*vary.values()):
        changes = dict(zip(vary, values, strict=True))
        parts = [f"{names[key]}={word(value)}" if names[key] else word(value) for key, value in changes.items()]
        arms.append(Arm(", ".join(parts), _file_name(",".join(parts), taken), changes))
        taken.add(arms[-1].directory.lower())
    return arms


def find_arm(arms: Sequence[Arm], wanted: str | None) -> Arm:
    """An arm by its name, `auxo, participants=10`, by its directory, or in full; without a name the first one."""
    if wanted is None:
        return arms[0]
    bare = wanted.replace(" ", "")
    for arm in arms:
        full = ",".join(f"{key.removesuffix('.name')}={word(value)}" for key, value in arm.changes.items())
        if bare in {known.replace(" ", "") for known in (arm.name, arm.directory, full)}:
            return arm
    raise ConfigError(f"--against: there is no arm {wanted!r}; {did_you_mean(wanted, [arm.name for arm in arms])}")


def word(value: Any) -> str:
    """A value as it is written after `--vary KEY=`: bare where that is read back as the same.

    >>> word("auxo"), word(0.1), word("0.1"), word([0, 90])
    ('auxo', '0.1', '"0.1"', '[0, 90]')
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {word(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, str) and re.fullmatch(r"[\w./:+-]+", value) and parse_setting(f"x={value}")[1] == value:
        return value
    if isinstance(value, list | tuple) and any(isinstance(inner, Mapping) for inner in value):
        return "[" + ", ".join(map(word, value)) + "]"
    return dumps({"x": value}).removeprefix("x = ").rstrip("\n")


def _value(key: str, words: str, option: str) -> Any:
    """One value, read as `--set` reads it."""
    require(bool(words), "--vary", "have a value before and after each comma", option)
    require(words.isprintable(), f"--vary {key}", "have values that can be printed", words)
    try:
        return parse_setting(f"{key}={words}")[1]
    except ConfigError:  # a number of thousands of digits, say
        raise ConfigError(f"--vary {key} should have values that can be read, got {words[:40]!r}") from None


def _split(words: str, option: str) -> list[str]:
    """At commas, but not at those within quotes or brackets."""
    parts, quote, depth, escaped = [""], "", 0, False
    for letter in words:
        if letter == "," and not quote and not depth:
            parts.append("")
            continue
        parts[-1] += letter
        if quote:
            quote = "" if letter == quote and not escaped else quote
            escaped = letter == "\\" and quote == '"' and not escaped
        elif letter in "'\"" and (depth or not parts[-1][:-1].strip()):  # in the middle of a word it is an apostrophe
            quote = letter
        else:
            depth += (letter in "[{") - (letter in "]}")
            require(0 <= depth <= _DEEPEST, "--vary", "have brackets in pairs", option)
    require(not quote and not depth, "--vary", "close its quotes and brackets", option)
    return [part.strip() for part in parts]


def _short_names(vary: Vary) -> dict[str, str]:
    """What to call a field in an arm's name: its last word if no other ends so; nothing for a family's member."""
    last = [key.split(".")[-1] for key in vary]
    bare = {key: key.split(".")[-1] if last.count(key.split(".")[-1]) == 1 else key for key in vary}
    members = [key for key in vary if key.endswith(".name")]
    said = [word(value) for key in members for value in vary[key]]
    plain = len(set(said)) == len(said)  # "synthetic" is both a device and an availability
    return bare | {key: "" if plain else key.removesuffix(".name") for key in members}


def _file_name(name: str, taken: set[str]) -> str:
    """A safe and unused name for a directory, also where upper case is lower case."""
    safe = re.sub(r"[^A-Za-z0-9._=,+-]+", "-", re.sub("[ \"']", "", name)).lstrip(".-")[:80] or "arm"
    numbered = (f"{safe}-{n}" for n in itertools.count(2))
    return safe if safe.lower() not in taken else next(other for other in numbered if other.lower() not in taken)
