"""horae's client with this node's samples."""

from overhead.data import samples

from horae import Population
from horae.flower import client_app


def population(node):
    """Of one client."""
    return Population.from_arrays([samples(node)], name="overhead")


app = client_app(population)
