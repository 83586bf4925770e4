"""horae's client with this node's samples."""

from overhead.data import samples

from horae.flower import client_app


def population(node):
    """Of one client."""
    from horae import Population  # here: most messages find the population made

    return Population.from_arrays([samples(node)], name="overhead")


app = client_app(population)
