"""`${VAR}` from the environment in a sweep's file: put in where it is used, and never in what is written down."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from horae.errors import ConfigError, brief

_NAMED = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SECRET = re.compile(r"SECRET|TOKEN|PASS|CREDENTIAL|KEY|AUTH(?!OR)|PRIVATE", re.I)
_SHORT = 4  # letters: a value as short as "1" is in every line, and hides nothing


def variables(value: Any) -> list[str]:
    """The names of all variables in a text, or in what a table or list holds.

    >>> variables({"path": "${HOME}/of/${WHO}", "seeds": [0, 1]})
    ['HOME', 'WHO']
    """
    return list(dict.fromkeys(name for text in _texts(value) for name in _NAMED.findall(text)))


def is_secret(name: str) -> bool:
    """True for a variable whose name says that its value is nobody else's business.

    >>> is_secret("WANDB_API_KEY"), is_secret("HOME")
    (True, False)
    """
    return bool(_SECRET.search(name))


def check_open(value: Any, field: str, remedy: str) -> None:
    """Refuse secrets in what ends in a file or in a command's words. Errors: ConfigError."""
    _check_written(value, field)
    for name in variables(value):
        if is_secret(name):
            raise ConfigError(f"{field} should hold no secret, got ${{{name}}}; {remedy}")


def expanded(value: Any, field: str, given: Mapping[str, str] = os.environ) -> Any:
    """The same with variables replaced by their values. Errors: ConfigError for one that is not set.

    >>> expanded("${WHO}@lab", "hosts.lab.ssh", {"WHO": "me"})
    'me@lab'
    """
    _check_written(value, field)
    for name in variables(value):
        if name not in given:
            raise ConfigError(f"{field} should name variables that are set, got ${{{name}}}; try: export {name}=...")
        if not given[name].isprintable():
            raise ConfigError(f"{field}: the value of ${{{name}}} should be one line that can be printed; set another")
    return _put(value, given)


class Mask:
    """Puts `${VAR}` in the place of values that nobody else should read."""

    def __init__(self, names: list[str], given: Mapping[str, str] = os.environ) -> None:
        """names: of variables in `[environment]`, and of others whose name says that they are secret."""
        held = {name: given.get(name, "") for name in names}
        told = {name: value for name, value in held.items() if len(value) >= (1 if is_secret(name) else _SHORT)}
        self._values = sorted(((value, f"${{{name}}}") for name, value in told.items()), key=lambda pair: -len(pair[0]))

    def __bool__(self) -> bool:
        return bool(self._values)

    def hide(self, words: str) -> str:
        """The same words without the values."""
        for value, name in self._values:
            words = words.replace(value, name)
        return words


def _put(value: Any, given: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _NAMED.sub(lambda found: given[found[1]], value)
    if isinstance(value, Mapping):
        return {key: _put(item, given) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_put(item, given) for item in value]
    return value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _check_written(value: Any, field: str) -> None:
    """Refuse `${` that names no variable."""
    for text in _texts(value):
        if "${" in _NAMED.sub("", text):
            raise ConfigError(f"{field} should name variables like ${{HOME}}, got {brief(text)}")
