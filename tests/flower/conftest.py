"""Deployments for the tests here, ended after them whatever happens: `make test-flower`."""

import shutil
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))


@pytest.fixture(scope="session")
def warm():
    """A process that has imported Flower, torch and horae, to fork Flower's commands from."""
    pytest.importorskip("flwr")
    from deployment import quiet
    from warm import Warm

    made = Warm(quiet())
    yield made
    made.close()


@pytest.fixture
def deploy(tmp_path, request):
    """Makes running deployments: deploy(nodes=4, tls=True). All end with the test.

    quick=True (the default) forks Flower's commands from a warm process and polls ten times a second, less often where
    many nodes would keep the processor busy with polls alone; quick=False is Flower as it comes.
    """
    pytest.importorskip("flwr")
    from deployment import Deployment

    made = []

    def begin(quick=True, **fields):
        speed = {"warm": request.getfixturevalue("warm"), "nap": 0.05 * max(2, fields.get("nodes", 2))} if quick else {}
        made.append(Deployment(tmp_path / f"deployment-{len(made)}", **{**speed, **fields}))
        return made[-1].start()

    try:
        yield begin
    finally:
        for one in made:
            one.close()


@pytest.fixture
def plainapp(tmp_path):
    """Plain federated averaging as an app of its own."""
    return Path(shutil.copytree(HERE / "plainapp", tmp_path / "plainapp"))
