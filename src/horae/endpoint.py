"""Where an experiment's clients are; and what an endpoint makes of the experiment that it is sent as text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from horae.engines.backends import backend_of
from horae.engines.errands import refuse
from horae.engines.executor import Distributed
from horae.engines.messages import Recipe
from horae.engines.simulation import Simulation, World
from horae.engines.site import Site
from horae.engines.topology import read_topology
from horae.errors import require
from horae.experiment import Experiment, Given, load
from horae.types import Plan

Clients = Simulation | Distributed


@contextmanager
def engine_of(experiment: Experiment, plan: Plan, world: World, data_root: Path | None) -> Iterator[Clients]:
    """The simulation; or, where the experiment has a site, its executor, which is ended afterwards."""
    if not experiment.site.executor:
        yield Simulation(plan, world, experiment.engine)
        return
    recipe = recipe_of(experiment, data_root)
    engine = Distributed(plan, world, experiment.site, recipe, experiment.engine)
    try:
        yield engine
    finally:
        engine.close()


def check_site(experiment: Experiment) -> None:
    """Refuse what its executor cannot carry out; nothing is started. Errors: ConfigError."""
    site = experiment.site
    if not site.executor:
        return
    refuse(experiment.plan())
    if site.topology:
        read_topology(Path(site.topology).expanduser())
    given = not recipe_of(experiment, None).build
    should, remedy = "be inline or thread for what is given from Python", "name population and model in the file"
    require(backend_of(site).near or not given, "site.executor", should, site.executor, remedy)


def facts_of(site: Site) -> dict[str, Any]:
    """Whose workers trained, for the log; nothing for the simulation."""
    facts = {"executor": site.executor, "workers": site.workers, "data": "emulated endpoints"}
    return {"site": facts} if site.executor else {}


def recipe_of(experiment: Experiment, data_root: Path | None) -> Recipe:
    """How workers elsewhere make population and trainer. What was given from Python is in no text: an empty recipe."""
    if any(isinstance(part, Given) for part in experiment.parts.values()):
        return Recipe("", "")
    root = None if data_root is None else str(data_root)
    return Recipe("horae.endpoint:built", json.dumps({"experiment": experiment.table(), "data_root": root}))


def built(text: str) -> tuple[Plan, World]:
    """At the endpoint. Its data sets lie where the controller's do, or where HORAE_DATA says there."""
    table = json.loads(text)
    experiment = load(table["experiment"])
    return experiment.plan(), experiment.world(None if table["data_root"] is None else Path(table["data_root"]))
