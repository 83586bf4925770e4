"""`--vary clustering=single,auxo`, `--tune training.lr=0.1,1` and `--seeds 0-4,7` as data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from horae.errors import ConfigError, require
from horae.experiment import FAMILIES
from horae.settings import dumps, parse_setting

Vary = dict[str, list[Any]]  # dotted field to its values, in the order in which they were said
MOST = 10_000  # runs in one comparison: more is a slip of the finger
_DEEPEST = 20  # brackets within brackets
TAKEN = {"seed": "give the seeds with --seeds", "baseline": "arms are compared with one another"}
_LISTS = ("channels", "trackers")  # families of which an experiment has several members


def parse_vary(options: Iterable[str], flag: str = "--vary") -> Vary:
    """Every `KEY=V1,V2,...` of an option. Errors: ConfigError for something else, or for a key or value said twice.

    >>> parse_vary(["clustering=single,auxo", "population.degrees=[0, 90],[0]"])
    {'clustering.name': ['single', 'auxo'], 'population.degrees': [[0, 90], [0]]}
    """
    found: Vary = {}
    for option in options:
        key, equals, rest = option.partition("=")
        key = field_of(key.strip())
        require(bool(key and equals) and key.isprintable(), flag, "look like family.field=value,value", option)
        require(key not in found, flag, "name a field once", option, f"list all values of {key} in one {flag}")
        found[key] = [_value(key, words, option, flag) for words in _split(rest, option, flag)]
    return checked(found, flag)


def checked(vary: Mapping[str, Sequence[Any]], flag: str = "--vary") -> Vary:
    """The same with fields by their full names. Errors: ConfigError for a field without values, or one said twice."""
    found: Vary = {}
    for given, values in vary.items():
        key, named = field_of(given), isinstance(values, Sequence) and not isinstance(values, str)
        require(named and bool(values), f"{flag} {given}", "be a list of values", values)
        require(key not in found, flag, "name a field once", given)
        require(key not in TAKEN, flag, "name another field", given, TAKEN.get(key, ""))
        said = [word(value) for value in values]
        twice = next((words for i, words in enumerate(said) if words in said[:i]), None)
        require(twice is None, f"{flag} {given}", "have different values", twice, "say each value once")
        found[key] = list(values)
    return found


def parse_seeds(words: str, flag: str = "--seeds") -> list[int]:
    """`0-2,7` as seeds. Errors: ConfigError for something else, or for a seed said twice.

    >>> parse_seeds("0-2,7")
    [0, 1, 2, 7]
    """
    seeds: list[int] = []
    for part in words.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,18})\s*(?:-\s*([0-9]{1,18})\s*)?", part)
        if match is None:
            raise ConfigError(f"{flag} should look like 0,1,2 or 0-4, got {words!r}")
        first, last = int(match[1]), int(match[2] or match[1])
        require(first <= last, flag, "count upwards", part.strip(), f"say {last}-{first}")
        require(last - first + len(seeds) < MOST, flag, f"be {MOST:,} at most", words)
        seeds += range(first, last + 1)
    return checked_seeds(seeds, flag)


def checked_seeds(seeds: Sequence[int], flag: str = "--seeds") -> list[int]:
    """The same. Errors: ConfigError if there is none, or one twice."""
    require(bool(seeds), flag, "be one seed at least", list(seeds))
    twice = next((seed for i, seed in enumerate(seeds) if seed in seeds[:i]), None)
    require(twice is None, flag, "differ", f"{twice} twice")
    return list(seeds)


def field_of(key: str) -> str:
    """A family's name alone means its member.

    >>> field_of("clustering"), field_of("clustering.gamma"), field_of("participants")
    ('clustering.name', 'clustering.gamma', 'participants')
    """
    return f"{key}.name" if key in FAMILIES and key not in _LISTS else key


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


def _value(key: str, words: str, option: str, flag: str) -> Any:
    """One value, read as `--set` reads it."""
    require(bool(words), flag, "have a value before and after each comma", option)
    require(words.isprintable(), f"{flag} {key}", "have values that can be printed", words)
    try:
        return parse_setting(f"{key}={words}")[1]
    except ConfigError:  # a number of thousands of digits, say
        raise ConfigError(f"{flag} {key} should have values that can be read, got {words[:40]!r}") from None


def _split(words: str, option: str, flag: str) -> list[str]:
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
            require(0 <= depth <= _DEEPEST, flag, "have brackets in pairs", option)
    require(not quote and not depth, flag, "close its quotes and brackets", option)
    return [part.strip() for part in parts]
