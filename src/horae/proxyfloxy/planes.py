"""The data plane that a sweep's store stands for."""

from __future__ import annotations

from pathlib import Path

from horae.data_planes import DATA_PLANES
from horae.errors import ConfigError, did_you_mean, require
from horae.proxyfloxy.endpoints import Endpoints
from horae.types import DataPlane

SHM, ENDPOINT = "shm", "endpoint"
OPTIONS = {"connector": "--connector", "directory": "--store-dir", "port": "--store-port", "host": "--store-host"}
CONNECTORS = (SHM, "file", "redis", "zmq", ENDPOINT)


def connector_name(given: str | None, endpoints: Endpoints) -> str:
    """The connector that goes with these endpoints. Errors: ConfigError."""
    name = given or (SHM if endpoints.local else ENDPOINT)
    require(name in CONNECTORS, "--connector", "be a connector", name, did_you_mean(name, CONNECTORS))
    remedy = "take endpoint, or redis or zmq with --store-host"
    require(endpoints.local or name != SHM, "--connector", "reach other hosts", name, remedy)
    remedy = "write the endpoints' ids into the file, or take another connector"
    require(name != ENDPOINT or bool(endpoints.stores), "--connector", "have proxystore-ids", name, remedy)
    return name


def opened_plane(connector: str, endpoints: Endpoints, directory: Path | None, host: str, port: int) -> DataPlane:
    """A plane that answers. Errors: ConfigError, where its library is missing or nobody answers."""
    require(0 <= port < 65536, "--store-port", "be in [0, 65535]", port)
    where = str(directory.absolute()) if directory else ""
    ids = endpoints.stores if connector == ENDPOINT else ()
    fields = {"connector": connector, "host": host, "port": port, "directory": where, "endpoints": ids}
    try:
        plane: DataPlane = (
            DATA_PLANES["proxystore"](**fields) if connector != SHM else DATA_PLANES[SHM](directory=where)
        )
        _ = plane.address  # opens it
    except ConfigError as error:
        words = str(error)
        for field, option in OPTIONS.items():
            words = words.replace(f"data_plane.{field}", option)
        raise ConfigError(words) from None
    return plane
