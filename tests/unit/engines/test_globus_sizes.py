"""What does not go into a message of Globus Compute is refused before anything is sent; no SDK is needed for it."""

from types import SimpleNamespace

import pytest

from horae.engines.backends import Backend, Inline
from horae.engines.globus import LIMIT, Several, check_size
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


def test_a_task_goes_to_the_endpoint_that_its_recipe_names():
    opened = {}

    class Here(Inline):
        def __init__(self, one):
            super().__init__()
            self.one, self.ended = one, False
            opened[one] = self

        def submit(self, fn, /, *args, **kwargs):
            return super().submit(lambda: (self.one, fn(*args)))

        def shutdown(self, wait=True, *, cancel_futures=False):
            self.ended = True

    executor = Several(["a", "b", "a"], Here)
    at_b = SimpleNamespace(recipe=SimpleNamespace(where="b"))
    assert list(opened) == ["a", "b"]
    assert executor.submit(lambda task: 1, at_b).result() == ("b", 1)
    assert executor.submit(lambda task: 2, SimpleNamespace()).result() == ("a", 2)
    executor.shutdown()
    assert all(one.ended for one in opened.values())


def test_one_endpoint_that_cannot_be_opened_ends_the_others():
    ended = []

    def opened(one):
        if one == "b":
            raise RunError("no route")
        return SimpleNamespace(shutdown=lambda wait, cancel_futures: ended.append(one))

    with pytest.raises(RunError, match="no route"):
        Several(["a", "b"], opened)
    assert ended == ["a"]
