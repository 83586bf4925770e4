"""The `[site]` table: which executor's workers train, in place of the simulation."""

from __future__ import annotations

from dataclasses import dataclass

from horae.errors import require

AGGREGATION = ("here", "process", "ray")
KNOWN = ("inline", "thread", "process", "parsl", "ray", "globus", "globus-emulated", "flower")


@dataclass(frozen=True)
class Endpoint:
    """One entry of `[[site.endpoints]]`: a place with clients and samples of its own.

    name: what it is called in messages. population: "package.module:function" there; the function takes `argument`, a
    text, and hands back a `horae.Population`. uuid: of its Globus Compute endpoint.
    """

    name: str = ""
    population: str = ""
    argument: str = ""
    uuid: str = ""

    def __post_init__(self) -> None:
        require(bool(self.name.strip()), "site.endpoints.name", "name the endpoint", self.name)
        what, remedy = "site.endpoints.population", "a function of one text that returns a horae.Population"
        require(":" in self.population, what, "be package.module:function", self.population, remedy)


@dataclass(frozen=True)
class Site:
    """Where training happens, on the wall clock.

    executor: "" is the simulation; "inline", "thread", "process", "parsl", "ray", "globus" or "package.module:function"
    for a function of the number of workers that returns a concurrent.futures.Executor; or "flower", which a ServerApp
    sets. workers: tasks at once. timeout_s: the longest that one task may last. attempts: how often a client's task is
    begun before the round goes on without it. endpoint: the Globus Compute endpoint's UUID. topology: a YAML file of
    aggregators that add up updates ("": the controller alone does). endpoints: places whose clients are the population;
    with none, workers make the experiment's own. nodes: how many of Flower's are waited for before the first round (0:
    as many as `participants`). in_step: cohorts' rounds end together and are learned from in the order in which they
    began, as in the simulation with equal devices; a cohort then waits for the slowest. reference_above: bytes of a
    model up to which it travels in the message, whatever the data plane. aggregation: "here" is the loop's own process,
    in which an error of a rule or an algorithm ends the run; "process" and "ray" are a process or a Ray actor for each
    cohort, which may crash alone, in the simulation too: its round is lost, and it begins again from its last state.
    """

    executor: str = ""
    workers: int = 1
    timeout_s: float = 600.0
    attempts: int = 2
    endpoint: str = ""
    topology: str = ""
    endpoints: tuple[Endpoint, ...] = ()
    nodes: int = 0
    in_step: bool = False
    reference_above: int = 0
    aggregation: str = "here"

    def __post_init__(self) -> None:
        require(1 <= self.workers <= 1024, "site.workers", "be in [1, 1024]", self.workers)
        require(0 < self.timeout_s <= 1e7, "site.timeout_s", "be in (0, 1e7]", self.timeout_s)
        require(0 <= self.nodes <= 1_000_000, "site.nodes", "be in [0, 1e6]", self.nodes)
        require(0 <= self.reference_above < 2**40, "site.reference_above", "be in [0, 2^40)", self.reference_above)
        require(1 <= self.attempts <= 100, "site.attempts", "be in [1, 100]", self.attempts)
        where, tree = ", ".join(AGGREGATION), "a tree adds up here; leave site.topology away"
        require(self.aggregation in AGGREGATION, "site.aggregation", f"be one of {where}", self.aggregation)
        single = self.aggregation == "here" or not self.topology
        require(single, "site.aggregation", "be here with site.topology", self.aggregation, tree)
        remote, listed = self.executor == "globus", "globus-compute-endpoint list names it"
        named = not remote or bool(self.endpoint or self.endpoints)
        require(named, "site.endpoint", "be a UUID with globus", self.endpoint, listed)
        known = not remote or all(e.uuid or self.endpoint for e in self.endpoints)
        require(known, "site.endpoints.uuid", "be a UUID with globus", "", listed)
        names = [e.name for e in self.endpoints]
        require(len(set(names)) == len(names), "site.endpoints.name", "differ from endpoint to endpoint", names)
        alone = bool(self.executor) or not self.endpoints
        require(alone, "site.executor", "name whose workers run at the endpoints", self.executor, 'such as "process"')
