"""Ways to hold a product in the shared SRAM: against a count over all tiles, falling with its size, never negative."""

from __future__ import annotations

from math import inf

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.cost.arrays.pool import hold
from accmine.cost.arrays.products import SUM_BYTES

SIZES = st.integers(1, 60)


def ways(m: int, k: int, n: int, e: int, size: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    held = np.zeros((5, 4))
    hold(m, k, n, m * n, m * k, k * n, e, size, held)
    return held


@settings(max_examples=60, deadline=None)
@given(m=SIZES, k=st.integers(1, 3000), n=SIZES, e=st.sampled_from([1, 2, 4]), size=st.integers(1, 60_000))
def test_equals_the_best_of_all_tiles(m: int, k: int, n: int, e: int, size: int) -> None:
    found = ways(m, k, n, e, size)
    for way, length in enumerate((256, 1024, 4096), start=2):
        slab, best = 2 * e * min(k, length), inf
        for tm in range(1, m + 1):
            for tn in range(1, n + 1):
                if slab * (tm + tn) + SUM_BYTES * tm * tn <= size:
                    best = min(best, (-(-n // tn) - 1) * m * k + (-(-m // tm) - 1) * k * n)
        assert found[way, 0] == (best if best < inf else (n - 1) * m * k + (m - 1) * k * n)
        assert found[way, 1] * m * k + found[way, 2] * k * n == found[way, 0]
        assert found[way, 3] == 2 * m * n * (-(-k // length) - 1)


@given(m=SIZES, k=st.integers(1, 3000), n=SIZES, size=st.integers(1, 60_000), more=st.integers(0, 60_000))
def test_more_memory_never_reads_more(m: int, k: int, n: int, size: int, more: int) -> None:
    less, enough, all_of_it = ways(m, k, n, 2, size), ways(m, k, n, 2, size + more), ways(m, k, n, 2, 1 << 50)
    assert (enough[:, 0] <= less[:, 0]).all()
    assert (all_of_it[:, 0] == 0).all()


def test_what_the_hbm_delivers_again_passes_the_port_again() -> None:
    # Panels of A of 256 rows fit beside a block of B of 256 × 256: B comes four times, and three times again at ports.
    m, k, n = 1024, 1024, 1024
    found = ways(m, k, n, 2, 2 * k * 256 + 4 * 256 * 256)
    assert found[0].tolist() == [3 * k * n, 0, 3, 0]
    assert found[1].tolist() == [3 * m * k, 3, 0, 0]
    assert found[:, 3].tolist() == [0, 0, 2 * m * n * 3, 0, 0]
