"""What a tracker gets of the environment, and what a run directory holds of it: nothing."""

import json
import os
from dataclasses import dataclass
from typing import ClassVar

import horae
from horae.experiment import load

TINY = {
    "name": "tiny", "participants": 8, "baseline": "none", "budget": {"participations": 80},
    "population": {"name": "digits-rotated", "clients": 40}, "evaluation": {"every": 5},
}  # fmt: skip


@dataclass(frozen=True)
class Copied:
    """Leaves what it was given, from a process of its own."""

    needs: ClassVar[str] = "json"

    def open(self, run):
        facts = {"experiment": run.experiment, "environment": dict(os.environ)}
        (run.directory / "seen.json").write_text(json.dumps(facts))

    def tell(self, opened, points):
        pass

    def close(self, opened, ended):
        pass


def test_what_is_told_holds_no_value_of_the_environment(tmp_path, monkeypatch):
    secrets = {
        name: f"secret-of-{name}-0123456789" for name in ("WANDB_API_KEY", "MLFLOW_TRACKING_PASSWORD", "HF_TOKEN")
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    tracker = {"name": f"{__name__}:Copied"}
    horae.run({**TINY, "trackers": [{"name": "csv"}, tracker]}, out=tmp_path / "run")
    seen = json.loads((tmp_path / "run" / "seen.json").read_text())
    assert seen["experiment"] == {k: v for k, v in load({**TINY}).table().items() if k != "trackers"}
    for file in (tmp_path / "run").rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            assert not [name for name, value in secrets.items() if value.encode() in data], file
