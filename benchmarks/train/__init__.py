"""How fast a round of training is: `python -m benchmarks.train`, from the repository's root."""
