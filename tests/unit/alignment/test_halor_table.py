"""What upstream's rule does to small clients, at upstream's sizes: the table in docs/alignment.md."""

import numpy as np
import pytest

from horae.alignment.common import distance, shares
from horae.alignment.exact import exact_counts
from horae.alignment.waterfill import waterfill_counts
from horae.alignment.weight import label_weights

LEAST = 11  # upstream's `filter_less`: a client with fewer samples after alignment is not invited


def measured(classes, n, alpha, clients=1000):
    """Means over clients with p ~ Dir(α) and ⌊n p⌋ samples of each label; far: raw, exact, waterfill, weight."""
    counts = np.floor(np.random.default_rng(0).dirichlet(np.full(classes, alpha), clients) * n).astype(np.int64)
    g = shares(counts.sum(axis=0))
    exact = [exact_counts(own, g) for own in counts]
    half = [waterfill_counts(own, g, max(10, -(-own.sum() // 2))) for own in counts]
    weights = [label_weights(own, g, 5.0) for own in counts]
    weighted = [own * w for own, w in zip(counts, weights, strict=True)]
    far = [float(np.mean([distance(shares(q), g) for q in each])) for each in (counts, exact, half, weighted)]
    sizes = np.sum(exact, axis=1)
    return {
        "held": float((counts > 0).sum(axis=1).mean()),
        "kept": float(sizes.sum() / counts.sum()),
        "eligible": int((sizes >= LEAST).sum()),
        "far": far,
        "worth": float(np.mean([own.sum() / (own @ w**2) for own, w in zip(counts, weights, strict=True)])),
        "heaviest": float(np.median([w.max() for w in weights])),
        "unfixable": float(np.mean([g[own == 0].sum() for own in counts])),
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("classes", "n", "alpha", "held", "kept", "eligible", "far", "worth", "heaviest"),
    [
        (10, 50, 0.1, 3.4, 0.23, 333, [0.725, 0.722, 0.691, 0.658], 0.43, 6.1),
        (10, 50, 0.5, 6.9, 0.12, 136, [0.490, 0.595, 0.397, 0.313], 0.46, 6.1),
        (35, 102, 0.1, 9.4, 0.057, 117, [0.773, 0.871, 0.745, 0.731], 0.31, 9.9),
        (35, 102, 1.0, 24.9, 0.041, 34, [0.434, 0.894, 0.329, 0.287], 0.59, 3.6),
    ],
)
def test_small_clients_lose_most_of_their_samples(classes, n, alpha, held, kept, eligible, far, worth, heaviest):
    found = measured(classes, n, alpha)
    assert found["held"] == pytest.approx(held, abs=0.1)
    assert found["kept"] == pytest.approx(kept, abs=0.006)
    assert found["eligible"] == pytest.approx(eligible, abs=5)
    assert found["far"] == pytest.approx(far, abs=0.003)
    assert found["worth"] == pytest.approx(worth, abs=0.01)
    assert found["heaviest"] == pytest.approx(heaviest, abs=0.1)
    assert found["unfixable"] == pytest.approx(found["far"][3], abs=0.001)
