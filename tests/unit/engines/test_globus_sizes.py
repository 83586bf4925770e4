"""What does not go into a message of Globus Compute is refused before anything is sent; no SDK is needed for it."""

from types import SimpleNamespace

import pytest

from horae.engines.backends import Backend, Inline
from horae.engines.globus import LIMIT, check_size
from horae.errors import RunError

MOST = 57 * 136_178  # 136,178 lines of 77 letters are 10,485,706 bytes; one line more is too much


def task(nbytes):
    return SimpleNamespace(payload=bytes(nbytes))


def test_a_payload_counts_as_lines_of_base64():
    assert LIMIT == 10_485_760
    check_size(task(MOST))
    check_size(object())  # a sum's task has no payload
    with pytest.raises(RunError, match=r"^a task of 10,485,783 bytes is more than Globus Compute carries \(10,485,760"):
        check_size(task(MOST + 1))


@pytest.mark.parametrize(("name", "refused"), [("globus", True), ("globus-emulated", True), ("inline", False)])
def test_nothing_is_sent_or_started(name, refused):
    started = []
    backend = Backend(name, 1, lambda: started.append(name) or Inline())
    if refused:
        with pytest.raises(RunError, match=r'take data_plane\.name = "proxystore"'):
            backend.submit(task(MOST + 1), len)
    else:
        assert backend.submit(task(MOST + 1), lambda task: len(task.payload)).result() == MOST + 1
    assert bool(started) != refused
