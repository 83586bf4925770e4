"""Where an experiment's clients are; and what an endpoint makes of the experiment that it is sent as text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from horae.engines.backends import backend_of
from horae.engines.errands import refuse
from horae.engines.executor import Distributed
from horae.engines.messages import Answer, ClientFailure, Recipe, Visit
from horae.engines.routes import Routes
from horae.engines.simulation import Simulation, World
from horae.engines.site import Endpoint, Site
from horae.engines.topology import read_topology
from horae.errors import RunError, require
from horae.experiment import Experiment, Given, load
from horae.population import Card, Population, Roster, part, roster
from horae.pure.packing import unpack
from horae.settings import imported
from horae.supervised.placing import check_aggregator
from horae.types import Plan

Clients = Simulation | Distributed


class Field(Protocol):
    """Clients who bring their own data. people: what they said of themselves."""

    people: Roster

    def engine(self, experiment: Experiment, plan: Plan, world: World) -> Distributed:
        """An engine over them."""


@contextmanager
def engine_of(
    experiment: Experiment, plan: Plan, world: World, data_root: Path | None, field: Field | None = None
) -> Iterator[Clients]:
    """The simulation; or, where the experiment has a site, its executor, which is ended afterwards."""
    if not experiment.site.executor:
        yield Simulation(plan, world, experiment.engine)
        return
    if field is None:
        recipe = recipe_of(experiment, data_root)
        engine = Distributed(plan, world, experiment.site, recipe, experiment.engine)
    else:
        engine = field.engine(experiment, plan, world)
    try:
        yield engine
    finally:
        engine.close()


def check_site(experiment: Experiment) -> None:
    """Refuse what its executor cannot carry out; nothing is started. Errors: ConfigError."""
    site = experiment.site
    check_aggregator(site, experiment.plan())
    if not site.executor:
        return
    refuse(experiment.plan(), bool(site.endpoints) or site.executor == "flower")
    if site.executor == "flower":
        return
    if site.topology:
        read_topology(Path(site.topology).expanduser())
    given = not recipe_of(experiment, None).build  # from Python
    should, remedy = "be inline or thread for what is given from Python", "name population and model in the file"
    require(backend_of(site).near or not given, "site.executor", should, site.executor, remedy)


def facts_of(site: Site) -> dict[str, Any]:
    """Whose workers trained, for the log; nothing for the simulation."""
    data = "their own" if site.endpoints or site.executor == "flower" else "emulated endpoints"
    facts = {"executor": site.executor, "workers": site.workers, "data": data}
    return {"site": facts} if site.executor else {}


def recipe_of(experiment: Experiment, data_root: Path | None) -> Recipe:
    """How workers elsewhere make population and trainer. What was given from Python is in no text: an empty recipe."""
    if any(isinstance(part, Given) for part in experiment.parts.values()):
        return Recipe("", "")
    root = None if data_root is None else str(data_root)
    return Recipe("horae.endpoint:built", json.dumps({"experiment": experiment.untold().table(), "data_root": root}))


def built(text: str) -> tuple[Plan, World]:
    """At the endpoint. Its data sets lie where the controller's do, or where HORAE_DATA says there."""
    table = json.loads(text)
    experiment = load(table["experiment"])
    return experiment.plan(), experiment.world(None if table["data_root"] is None else Path(table["data_root"]))


# ---------------------------------------------------------------- endpoints with data of their own


class Endpoints:
    """The endpoints of `[[site.endpoints]]`, met. Errors: RunError that names an endpoint which does not answer."""

    def __init__(self, experiment: Experiment) -> None:
        site = experiment.site
        backend = backend_of(site)
        visits = [Visit(_introduction(endpoint, site), row) for row, endpoint in enumerate(site.endpoints)]
        try:
            waiting = [backend.submit(visit) for visit in visits]
            cards = [_introduced(e, future, site) for e, future in zip(site.endpoints, waiting, strict=True)]
        finally:
            backend.close()
        self.people = roster(cards)

    def engine(self, experiment: Experiment, plan: Plan, world: World) -> Distributed:
        """An engine over them."""
        return Distributed(plan, world, experiment.site, routes_of(experiment, self.people), experiment.engine)


def card(text: str) -> Card:
    """At an endpoint: what it tells of its clients."""
    endpoint = Endpoint(**json.loads(text))
    return Card.of(endpoint.name, _brought(endpoint))


def owned(text: str) -> tuple[Plan, World]:
    """At an endpoint: the experiment over its own clients, under their numbers in the whole federation."""
    table = json.loads(text)
    experiment, endpoint = load(table["experiment"]), Endpoint(**table["endpoint"])
    mine = part(_brought(endpoint), table["first"], table["total"], table["classes"])
    return experiment.plan(), experiment.world(None, mine)


def routes_of(experiment: Experiment, people: Roster) -> Routes:
    """How each endpoint makes its world."""
    shared = {"experiment": experiment.untold().table(), "total": people.clients, "classes": people.classes}
    recipes = []
    for endpoint, first in zip(experiment.site.endpoints, people.firsts.tolist(), strict=True):
        text = json.dumps({**shared, "endpoint": vars(endpoint), "first": first})
        recipes.append(Recipe("horae.endpoint:owned", text, endpoint.uuid or experiment.site.endpoint))
    return Routes(tuple(recipes), people.firsts)


def _introduction(endpoint: Endpoint, site: Site) -> Recipe:
    return Recipe("horae.endpoint:card", json.dumps(vars(endpoint)), endpoint.uuid or site.endpoint)


def _introduced(endpoint: Endpoint, future: Future[Any], site: Site) -> Card:
    try:
        said = future.result(site.timeout_s)
    except Exception as error:  # whatever an executor has to say
        said = ClientFailure.of(0, error)
    if isinstance(said, Answer):
        found = unpack(said.payload)
        if isinstance(found, Card):
            return found.check()
    why = said.why if isinstance(said, ClientFailure) else "it does not introduce its clients"
    raise RunError(f"endpoint {endpoint.name}: {why}")


def _brought(endpoint: Endpoint) -> Population:
    """What the endpoint's own function hands over. Errors: ConfigError."""
    found = imported(endpoint.population, "site.endpoints.population")(endpoint.argument)
    require(
        isinstance(found, Population), "site.endpoints.population", "return a horae.Population", type(found).__name__
    )
    people: Population = found
    return people
