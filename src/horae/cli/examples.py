"""Examples below every command's --help; `horae run --out runs/demo` makes the run that they name."""

from __future__ import annotations

import typer

EXAMPLES = {
    "run": ("horae run --out runs/demo", "horae run --set clustering.gamma=0.3 --dry-run"),
    "compare": ("horae compare --vary clustering=single,auxo --seeds 0,1",),
    "sweep": ("horae sweep heads.toml --jobs 2", "horae sweep --resume sweeps/heads-20261122-101500"),
    "status": ("horae status", "horae status heads --json"),
    "stop": ("horae stop heads", "horae stop runs/demo --wait 300", "horae stop comparisons/mine", "horae stop all"),
    "reproduce": ("horae reproduce", "horae reproduce auxo/figure12 --seeds 1"),
    "report": ("horae report runs/demo", "horae report runs/demo runs/demo/baseline --out both.html"),
    "diff": ("horae diff runs/demo runs/demo/baseline",),
    "explain": ("horae explain runs/demo", "horae explain runs/demo --client 7"),
    "explore": ("horae explore --set pruning.name=autoflip --set model.name=mlp --out guidance",),
    "align": ("horae align --client 7 --set population.name=digits-dirichlet",),
    "census": ("horae census", "horae census --clients 100 --drop 0.1 --transport chain"),
    "newcomers": ("horae newcomers runs/demo --clients 100",),
    "playground": ("horae playground --clients 200 --rounds 200 --out heaps",),
    "proxyfloxy": ("horae proxyfloxy -E configs/workstation-endpoints.yml --loops 2 --hidden-blocks 1,10",),
    "list": ("horae list", "horae list clustering"),
    "show": ("horae show auxo", "horae show availability.synthetic"),
    "cite": ("horae cite --set algorithm.name=fedyogi",),
    "serve": ("horae serve", "horae serve runs/demo --port 0 --open"),
    "doctor": ("horae doctor", "horae doctor --json"),
    "version": ("horae version",),
    "data list": ("horae data list",),
    "data describe": ("horae data describe digits-rotated --set population.clients=50",),
    "data split": ("horae data split client_data_mapping.csv --out mapping",),
    "data import": ("horae data import auxo.yml --out auxo.toml",),
    "data trace": ("horae data trace phones.csv --plot phones.png",),
    "new flower": ("horae new flower my-app",),
    "deploy check": (
        "horae deploy check my-app --insecure",
        "horae deploy check --superlink 127.0.0.1:9092 --insecure",
    ),
}


def attach(app: typer.Typer) -> None:
    """Put the examples below the help of every command of this application, those of its groups too."""
    groups = [("", app), *((f"{info.name} ", info.typer_instance) for info in app.registered_groups)]
    for prefix, group in groups:
        for info in group.registered_commands if group else ():
            name = info.name or (info.callback.__name__ if info.callback else "")
            lines = EXAMPLES.get(f"{prefix}{name}", ())
            if lines:
                info.epilog = "\n".join(
                    ("\b", "Example:" if len(lines) == 1 else "Examples:", *(f"  {x}" for x in lines))
                )
