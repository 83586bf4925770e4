"""Weights & Biases without its servers: a folder that `wandb sync` can bring there, if somebody wishes so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from horae.errors import require
from horae.trackers.common import Point, Run


@dataclass(frozen=True)
class WandB:
    """An offline run; no key is asked for, and nothing is sent. `wandb sync DIR/wandb/offline-run-*` sends it.

    directory: where its folder `wandb` lies, "" is the run's directory. project: W&B's project. run: what it is called
    there, before its clustering and seed ("": the experiment's name). A resumed run adds a folder of the same id.
    """

    directory: str = ""
    project: str = "horae"
    run: str = ""
    needs: ClassVar[str] = "wandb"
    environment: ClassVar[dict[str, str]] = {
        "WANDB_MODE": "offline", "WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false", "DO_NOT_TRACK": "true",
    }  # fmt: skip

    def __post_init__(self) -> None:
        fine = bool(self.project.strip()) and not set(self.project) & set("/\\#?%:")
        require(fine, "trackers.project", "be a name without / \\ # ? % :", self.project)

    def open(self, run: Run) -> Any:
        """A run of W&B's that looks at nothing but what it is told."""
        import wandb

        place = run.place(self.directory, "")
        place.mkdir(parents=True, exist_ok=True)
        quiet = wandb.Settings(
            silent=True, console="off", disable_git=True, disable_code=True, disable_job_creation=True,
            save_code=False, x_disable_meta=True, x_disable_stats=True, x_disable_machine_info=True,
            x_save_requirements=False,
        )  # fmt: skip
        return wandb.init(
            mode="offline", dir=str(place), project=self.project, id=run.key, name=run.title(self.run),
            config=dict(run.experiment), settings=quiet,
        )  # fmt: skip

    def tell(self, opened: Any, points: Sequence[Point]) -> None:
        """A row of its history for each step, with the run's own clock among the numbers."""
        for point in points:
            opened.log({**point.numbers, "simulated_s": point.at_s}, step=point.step)

    def close(self, opened: Any, ended: bool) -> None:
        """Write what is left."""
        opened.finish(exit_code=0 if ended else 1)
