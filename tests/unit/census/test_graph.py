"""The ring, its neighbours, and when survivors hang together."""

import hmac

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from horae.census.graph import connected, neighbours, ring


def test_the_order_is_that_of_hmac():
    codes = {client: hmac.digest(b"nonce", client.to_bytes(4, "little"), "sha256") for client in (3, 1, 2)}
    assert ring(b"nonce", (1, 2, 3)) == tuple(sorted(codes, key=codes.get))
    assert len({ring(bytes([n]), (1, 2, 3, 4)) for n in range(40)}) > 10  # the nonce shuffles


@given(st.integers(3, 40), st.sampled_from([2, 4, 8]))
def test_neighbours_are_mutual(n, degree):
    order = tuple(np.random.default_rng(n).permutation(n).tolist())
    near = {order[place]: neighbours(order, place, degree) for place in range(n)}
    assert all(len(set(row)) == len(row) == min(degree, n - 1) and me not in row for me, row in near.items())
    assert all(me in near[other] for me, row in near.items() for other in row)


@given(st.integers(6, 24), st.sampled_from([2, 4]), st.data())
def test_connected_as_a_graph_search_says(n, degree, data):
    order = tuple(range(n))
    survivors = data.draw(st.sets(st.integers(0, n - 1), min_size=1))
    alive = sorted(survivors)
    edges = [[other in neighbours(order, client, degree) for other in alive] for client in alive]
    assert connected(order, degree, survivors) == (connected_components(np.array(edges))[0] == 1)
