"""Which horae the nodes have: the app runs in a mode in which its server only meets them."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from horae.errors import ConfigError, require
from horae.flower.check_net import Ask, flwr
from horae.flower.finding import ROLL

RUN_S = 240.0  # the longest that such a run may last; its server waits for nodes for 90 s
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def asker(app: Path | None, insecure: bool) -> Ask:
    """Asks the nodes of a SuperLink by `flwr run APP --run-config check=true`. Errors: ConfigError."""
    require(app is not None, "--ask", "go with APP_DIR and --superlink", None, "the app's server asks the nodes")
    file = Path(str(app)) / "pyproject.toml"
    try:
        keys = tomllib.loads(file.read_text(encoding="utf-8"))["tool"]["flwr"]["app"]["config"]
    except (OSError, ValueError, KeyError):
        raise ConfigError(f"--ask: cannot read [tool.flwr.app.config] of {file}") from None
    if not isinstance(keys, dict) or "check" not in keys:  # Flower would leave it out, and the app would train
        raise ConfigError(f"--ask: [tool.flwr.app.config] of {file} needs a line: check = false")

    def ask(address: str, ca: Path | None) -> Mapping[str, Mapping[str, str]]:
        words = ["run", str(app), "checked", "--stream", "--run-config", "check=true"]
        return told(flwr(words, address, ca, insecure, RUN_S))

    return ask


def told(log: str) -> dict[str, dict[str, str]]:
    """What the server found out, by node id, from the log of its run. Errors: ValueError."""
    plain = COLOUR.sub("", log)
    _, found, rest = plain.partition(ROLL)
    if not found:
        lines = [line.strip() for line in plain.splitlines() if line.strip()]
        named = [line for line in lines if "error" in line.lower()]
        raise ValueError((named or lines or ["flwr run said nothing"])[-1])
    table, _ = json.JSONDecoder().raw_decode(rest)
    return {node: {**said, "server": table["horae"]} for node, said in table["nodes"].items()}
