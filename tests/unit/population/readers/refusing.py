"""What tests of readers share: a refusal is one clear line, and where the real data lie."""

import contextlib
import os
import re
from pathlib import Path

import pytest

from horae.errors import DataError

REAL = Path(os.environ.get("HORAE_DATA") or Path.home() / ".cache" / "horae")


@contextlib.contextmanager
def refused(*words):
    """The block raises a DataError of one line that holds these words in this order."""
    with pytest.raises(DataError) as error:
        yield
    line = str(error.value)
    assert "\n" not in line
    assert len(line) < 500
    assert re.search(".*".join(map(re.escape, words)), line), line


def held(people, client):
    """All rows of a client, train then test."""
    return [*people.train.row(client).tolist(), *people.test.row(client).tolist()]
