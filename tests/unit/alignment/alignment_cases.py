"""Clients and populations for hypothesis: label counts with holes, targets with labels that nobody has."""

import numpy as np
from hypothesis import strategies as st


@st.composite
def cases(draw):
    """(n_c, g): label counts of one client, at least one sample, and shares that sum to 1; both may hold zeros."""
    classes = draw(st.integers(1, 12))
    whole = st.lists(st.integers(0, 60), min_size=classes, max_size=classes).filter(any)
    counts = np.array(draw(whole), np.int64)
    mass = np.array(draw(whole), np.float64)
    return counts, mass / mass.sum()


def labels_of(counts):
    """Labels of a client with these counts, in no order."""
    return np.random.default_rng(7).permutation(np.repeat(np.arange(len(counts)), counts))
