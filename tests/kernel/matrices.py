"""Random max-plus matrices for the tests of rates and steady states: dense and sparse, irreducible and not."""

from __future__ import annotations

import random

import numpy as np

from accmine.kernel.matrix import NEVER, Matrix

__all__ = ["random_matrix", "random_start"]


def random_matrix(seed: int, most: int = 8) -> Matrix:
    """Up to ``most`` states; entries are few or many, of few or many values, blocks or not."""
    rng = random.Random(f"matrix {seed}")
    n = rng.randint(1, most)
    share, top = rng.choice((0.15, 0.3, 0.6, 1.0)), rng.choice((1, 5, 30, 1000))
    a = np.full((n, n), NEVER, np.int64)
    cut = rng.randint(0, n) if rng.random() < 0.4 else 0  # what is before does not wait for what is behind
    for i in range(n):
        for j in range(n):
            if rng.random() < share and not (i < cut <= j):
                a[i, j] = rng.randint(0, top)
    return a


def random_start(seed: int, n: int) -> list[int]:
    """Offsets that are equal, near, far, or ``NEVER``; at least one is not."""
    rng = random.Random(f"start {seed}")
    top, never = rng.choice((0, 10, 200)), rng.choice((0.0, 0.0, 0.4))
    start = [NEVER if rng.random() < never else rng.randint(0, top) for _ in range(n)]
    return start if max(start) >= 0 else [0] * n
