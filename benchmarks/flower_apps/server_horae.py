"""horae's loop, as server_app() runs it, over a grid that is watched."""

from pathlib import Path

from flwr.serverapp import ServerApp
from overhead.told import watched

from horae.flower.apps import conduct

app = ServerApp()


@app.main()
def main(grid, context):
    """The run's directory is beside the file of times."""
    config = dict(context.run_config)
    config["set"] = (
        f"model.hidden=[{config.pop('hidden')}] training.steps={config.pop('steps')} "
        f"clustering.name={config.pop('clustering')} budget.participations={4 * config.pop('rounds')}"
    )
    conduct(watched(grid, config["out"]), {**config, "out": f"{config['out']}-run"}, Path(__file__).parent)
