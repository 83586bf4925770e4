"""Which aggregators a site has, and what cannot run in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from typing import Any

from horae.engines.site import Site
from horae.errors import ConfigError, require
from horae.pure.packing import PackingError, pack
from horae.supervised.process import Process
from horae.supervised.supervisor import Supervisor
from horae.types import Aggregator, Plan, Server


@contextmanager
def aggregator_of(site: Site, plan: Plan) -> Iterator[Aggregator | None]:
    """What takes the cohorts' server steps, ended afterwards; None: the loop. Errors: ConfigError, RunError."""
    if site.aggregation == "here":
        yield None
        return
    check_aggregator(site, plan)
    with ExitStack() as stack:
        start: Any = Process
        if site.aggregation == "ray":
            from horae.supervised.actor import actors

            start = stack.enter_context(actors(site.workers))
        supervisor = Supervisor(_server(plan), start, site.timeout_s)
        stack.callback(supervisor.close)
        yield supervisor


def check_aggregator(site: Site, plan: Plan) -> None:
    """Refuse what is not installed, and components that no other process can have. Errors: ConfigError."""
    if site.aggregation == "here":
        return
    if site.aggregation == "ray" and find_spec("ray") is None:
        raise ConfigError('site.aggregation: ray is not installed; pip install "horae[ray]"')
    for family in ("algorithm", "selector", "aggregation"):
        part = getattr(plan, family)
        kind, should = type(part), f'be "here" with this {family}'
        name, own = f"{kind.__module__}:{kind.__qualname__}", "define it at the top of a module of its own"
        found = part is None or (kind.__module__ != "__main__" and "." not in kind.__qualname__)
        require(found, "site.aggregation", f"{should}, {name}", site.aggregation, own)
        try:
            pack(part)
        except PackingError as error:
            require(False, "site.aggregation", f"{should}: {error}", site.aggregation, "see docs/extending.md")


def _server(plan: Plan) -> Server:
    return Server(plan.seed, plan.algorithm, plan.selector, plan.aggregation)
