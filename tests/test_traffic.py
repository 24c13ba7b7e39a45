"""Traffic of tiles: realised by a tile that fits, never compulsory-beating, monotone in the SRAM."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from accmine.cost import gemm
from accmine.cost.traffic import SLAB_ELEMENTS, STREAM_ROWS, SUM_BYTES, operand_passes

SIZES = st.integers(1, 40)


def exhaustive(m: int, k: int, n: int, a: int, b: int, e: int, sram: int) -> int:
    """Least extra elements over all integer tiles of the three loop orders."""
    best = (n - 1) * a + (m - 1) * b
    slab = min(k, SLAB_ELEMENTS)
    for tm in range(1, m + 1):
        for tn in range(1, n + 1):
            if 2 * e * slab * (tm + tn) + SUM_BYTES * tm * tn <= sram:
                best = min(best, (-(-n // tn) - 1) * a + (-(-m // tm) - 1) * b)
    for tm in range(1, m + 1):
        s = min(n, STREAM_ROWS)
        if e * k * tm + 2 * (e * k * s + SUM_BYTES * tm * s) <= sram:
            best = min(best, (-(-m // tm) - 1) * b)
    for tn in range(1, n + 1):
        s = min(m, STREAM_ROWS)
        if e * k * tn + 2 * (e * k * s + SUM_BYTES * tn * s) <= sram:
            best = min(best, (-(-n // tn) - 1) * a)
    return best


@given(m=SIZES, k=st.integers(1, 200), n=SIZES, e=st.sampled_from([1, 2, 4]), sram=st.integers(1, 40_000))
def test_near_the_best_of_all_tiles_and_never_better(m: int, k: int, n: int, e: int, sram: int) -> None:
    a, b = m * k, k * n
    passes = operand_passes(m, k, n, a, b, e, sram)
    extra, best = int(passes.extra_elements), exhaustive(m, k, n, a, b, e, sram)
    assert extra == (int(passes.a) - 1) * a + (int(passes.b) - 1) * b
    assert extra >= best
    # Powers of two: Tm at most halved, which doubles the passes over B at most.
    assert a + b + extra <= 2 * (a + b + best)


@given(
    m=st.integers(1, 5000),
    k=st.integers(1, 5000),
    n=st.integers(1, 5000),
    sram=st.integers(1, 1 << 24),
    more=st.integers(0, 1 << 24),
)
def test_more_sram_never_means_more_traffic(m: int, k: int, n: int, sram: int, more: int) -> None:
    less, enough = (gemm(m, k, n, (16, 16), sram_bytes=s).bytes for s in (sram, sram + more))
    assert enough <= less
    assert gemm(m, k, n, (16, 16), sram_bytes=1 << 40).bytes == 2 * (m * k + k * n + m * n)


def test_blocked_form_where_tiles_divide() -> None:
    # k too long for panels: the classic m·n·k·(1/Tm + 1/Tn) and the output.
    m = n = 4096
    k, sram = 1 << 20, 1 << 20
    passes = operand_passes(m, k, n, m * k, k * n, 2, sram)
    tm, tn = m // int(passes.b), -(-n // int(passes.a))
    slab = 2 * 2 * SLAB_ELEMENTS
    assert slab * (tm + tn) + SUM_BYTES * tm * tn <= sram
    assert 0.6 * sram < SUM_BYTES * tm * tn
    assert int(passes.extra_elements) + m * k + k * n == m * k * int(passes.a) + k * n * int(passes.b)


def test_small_k_keeps_a_panel() -> None:
    # Attention scores: all of B (2048 × 64, 256 KiB) stays, A streams, although the 16 MiB output does not fit.
    assert int(operand_passes(2048, 64, 2048, 2048 * 64, 2048 * 64, 2, 1 << 20).extra_elements) == 0


def test_no_reuse_without_room() -> None:
    passes = operand_passes(8, 64, 16, 512, 1024, 2, 100)
    assert (int(passes.a), int(passes.b)) == (16, 8)


def test_convolution_counts_the_image_not_its_im2col_matrix() -> None:
    # 3 × 3 convolution, 64 -> 512 channels on 56 × 56.
    m, k, n = 56 * 56, 9 * 64, 512
    image = 56 * 56 * 64
    for sram in (1 << 16, 1 << 18):
        real = operand_passes(m, k, n, image, k * n, 2, sram)
        matrix = operand_passes(m, k, n, m * k, k * n, 2, sram)
        assert int(real.extra_elements) < int(matrix.extra_elements)
        assert int(real.extra_elements) == (int(real.a) - 1) * image + (int(real.b) - 1) * k * n


def test_vectorised_equals_scalar() -> None:
    rng = np.random.default_rng(1)
    m, k, n = rng.integers(1, 3000, size=(3, 40))
    srams = np.array([[1 << 12], [1 << 18], [1 << 23]])
    together = operand_passes(m, k, n, m * k, k * n, 2, srams)
    assert together.a.shape == (3, 40)
    for i, sram in enumerate(srams[:, 0]):
        for j in range(40):
            alone = operand_passes(m[j], k[j], n[j], m[j] * k[j], k[j] * n[j], 2, sram)
            assert int(alone.extra_elements) == together.extra_elements[i, j]
