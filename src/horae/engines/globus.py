"""Globus Compute's executor; where it cannot be had, one line says so in seconds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from importlib import import_module
from typing import Any

from horae.errors import RunError, one_line

LOGIN = "globus-compute-endpoint login"
PATIENCE_S = 10.0  # the SDK tries a connection again for half a minute
LIMIT = 10 * 1024 * 1024  # bytes of a message, both ways


def reached(endpoint: str, patience_s: float = PATIENCE_S) -> Executor:
    """The executor of an endpoint. The SDK would ask for a code at the terminal where nobody is logged in.

    Errors: RunError, where nobody is logged in or the service does not answer.
    """
    import globus_compute_sdk

    client = globus_compute_sdk.Client(do_version_check=False)
    if isinstance(client.app, import_module("globus_sdk").UserApp) and client.app.login_required():
        raise RunError(f"Globus Compute endpoint {endpoint} needs a login, and there is none; run {LOGIN}")
    try:
        _within(patience_s, client.version_check)
        executor: Executor = globus_compute_sdk.Executor(endpoint_id=endpoint, client=client)
    except Exception as error:  # no network, a login that has ended: whatever the SDK has to say
        why = one_line(f"{type(error).__name__}: {error}", 120)
        remedy = f"look at the network, or log in again with {LOGIN}"
        raise RunError(f"Globus Compute endpoint {endpoint} cannot be used ({why}); {remedy}") from None
    return executor


class Several(Executor):
    """One executor for each endpoint id; a task goes where its recipe says, any other to the first."""

    def __init__(self, ids: Sequence[str], opened: Callable[[str], Executor] = reached) -> None:
        self._of: dict[str, Executor] = {}
        try:
            for one in dict.fromkeys(ids):
                self._of[one] = opened(one)
        except BaseException:
            self.shutdown(wait=False)
            raise

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have it done at its endpoint."""
        recipe = getattr(args[0], "recipe", None) if args else None
        where = getattr(recipe, "where", "") or next(iter(self._of))
        return self._of[where].submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End them all."""
        for executor in self._of.values():
            executor.shutdown(wait=wait, cancel_futures=cancel_futures)


def check_size(task: Any) -> None:
    """Refuse, before it is sent, a task whose arrays the service would not take: they go as lines of base64, 77 letters
    for 57 bytes. Errors: RunError.
    """
    size = -(-len(getattr(task, "payload", b"")) // 57) * 77
    if size > LIMIT:
        remedy = 'take data_plane.name = "proxystore" (or shm, on one host), so that messages only name the model'
        raise RunError(f"a task of {size:,} bytes is more than Globus Compute carries ({LIMIT:,}); {remedy}")


def _within(seconds: float, act: Callable[[], Any]) -> None:
    """Do it, or raise; what takes too long is left behind in a thread of its own."""
    box: list[BaseException | None] = []

    def run() -> None:
        try:
            act()
            box.append(None)
        except BaseException as error:
            box.append(error)

    thread = threading.Thread(target=run, daemon=True, name="horae-globus")
    thread.start()
    thread.join(seconds)
    if not box:
        raise TimeoutError(f"no answer from the service in {seconds:g} s")
    if box[0] is not None:
        raise box[0]
