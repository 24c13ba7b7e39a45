"""Array timing: presets against published forms, and laws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.cost import PRESETS, Timing, array_cycles, array_folds, resolve_timing
from accmine.cost.arrays.timing import ceil_div, fold_cycles
from accmine.errors import InputError
from accmine.hardware import DATAFLOWS, FLEXIBLE

SIZES = st.integers(1, 700)
SIDES = st.sampled_from([1, 3, 8, 16, 128])
FLOWS = st.sampled_from(DATAFLOWS)
PRESET = st.sampled_from(sorted(PRESETS))


@given(m=SIZES, k=SIZES, n=SIZES, batch=st.integers(1, 5), rows=SIDES, cols=SIDES, flow=FLOWS)
def test_scalesim_closed_form(m: int, k: int, n: int, batch: int, rows: int, cols: int, flow: str) -> None:
    folds, per_fold = {
        "ws": (ceil_div(k, rows) * ceil_div(n, cols), m + 2 * rows + cols - 2),
        "os": (ceil_div(m, rows) * ceil_div(n, cols), k + rows + cols - 2),
        "is": (ceil_div(k, rows) * ceil_div(m, cols), n + 2 * rows + cols - 2),
    }[flow]
    assert array_cycles(m, k, n, batch, rows, cols, flow, "scalesim3") == batch * folds * per_fold - 1


def test_one_fold_of_the_other_presets() -> None:
    R, C, T = 16, 8, 5
    assert array_cycles(T, R, C, 1, R, C, "ws", "rtl-simple") == 3 * R + C + T - 1
    assert array_cycles(R, T, C, 1, R, C, "os", "rtl-simple") == (R + C + T - 1) + R
    for flow, sizes in (("ws", (T, R, C)), ("os", (R, T, C)), ("is", (C, R, T))):
        assert array_cycles(*sizes, 1, R, C, flow, "scalesim-paper") == 2 * R + C + T - 2
        assert array_cycles(*sizes, 1, R, C, flow, "tpu-like") == 2 * R + C + T - 2


def test_tpu_like_pays_fill_and_drain_once_for_all_folds_and_the_whole_batch() -> None:
    R = C = 128
    folds = 3 * 4 * 2  # along k, along n, products
    assert array_cycles(512, 3 * R, 4 * C, 2, R, C, "ws", "tpu-like") == R + folds * 512 + R + C - 2
    # Streams shorter than the load of the next weights wait for it; nothing waits after the last fold.
    assert array_cycles(10, 3 * R, 4 * C, 2, R, C, "ws", "tpu-like") == R + (folds - 1) * R + 10 + R + C - 2


def test_every_parameter_counts() -> None:
    args = (40, 64, 64, 3, 16, 16, "ws")
    base = int(array_cycles(*args, Timing()))
    assert int(array_cycles(*args, Timing(last_index=True))) == base - 1
    assert int(array_cycles(*args, Timing(weight_load_overlap=True))) < base
    assert int(array_cycles(*args, Timing(fold_overlap=True))) < base
    assert int(array_cycles(*args, Timing(row_latency=2))) == base + 48 * 16
    assert int(array_cycles(*args, Timing(output_latency=1))) == base + 48
    output = [int(array_cycles(*args[:-1], "os", Timing(os_drain=drain))) for drain in ("none", "overlapped", "rows")]
    folds = 3 * 4 * 3
    assert output[1] == output[0] + 16  # a fold of 64 + 30 cycles hides 16 rows; the last drain is exposed
    assert output[2] == output[0] + 16 * folds


@given(
    sizes=st.tuples(SIZES, SIZES, SIZES),
    more=st.tuples(*[st.integers(0, 50)] * 3),
    rows=SIDES,
    cols=SIDES,
    flow=FLOWS,
    preset=PRESET,
    batch=st.integers(1, 4),
)
def test_monotone_and_never_below_the_macs(
    sizes: tuple[int, int, int], more: tuple[int, int, int], rows: int, cols: int, flow: str, preset: str, batch: int
) -> None:
    larger = (sizes[0] + more[0], sizes[1] + more[1], sizes[2] + more[2])
    timing = PRESETS[preset]
    small = int(array_cycles(*sizes, batch, rows, cols, flow, timing))
    assert int(array_cycles(*larger, batch + 1, rows, cols, flow, timing)) >= small
    macs = batch * sizes[0] * sizes[1] * sizes[2]
    assert (small + timing.last_index) * rows * cols >= macs


@given(m=SIZES, k=SIZES, n=SIZES, rows=SIDES, cols=SIDES, flow=FLOWS)
def test_overlap_never_hurts(m: int, k: int, n: int, rows: int, cols: int, flow: str) -> None:
    serial = Timing(os_drain="rows")
    for overlapped in (
        Timing(os_drain="overlapped"),
        Timing(os_drain="rows", weight_load_overlap=True),
        Timing(os_drain="rows", fold_overlap=True),
        PRESETS["tpu-like"],
    ):
        assert array_cycles(m, k, n, 1, rows, cols, flow, overlapped) <= array_cycles(
            m, k, n, 1, rows, cols, flow, serial
        )


def test_vectorised_equals_scalar() -> None:
    rng = np.random.default_rng(0)
    m, k, n, batch = rng.integers(1, 5000, size=(4, 50))
    for flow in DATAFLOWS:
        for preset in PRESETS:
            together = array_cycles(m, k, n, batch, 32, 16, flow, preset)
            alone = [int(array_cycles(*row, 32, 16, flow, preset)) for row in zip(m, k, n, batch, strict=True)]
            assert together.dtype == np.int64
            assert together.tolist() == alone
    folds, stream = array_folds(m, k, n, 32, 16, "ws")
    assert (folds * stream * 32 * 16 >= m * k * n).all()


@given(
    stream=st.integers(1, 60),
    folds=st.integers(1, 5),
    pieces=st.integers(1, 6),
    rows=SIDES,
    cols=SIDES,
    flow=FLOWS,
    preset=PRESET,
)
def test_pieces_are_further_folds(
    stream: int, folds: int, pieces: int, rows: int, cols: int, flow: str, preset: str
) -> None:
    # Pieces of equal length: each is a fold of its own, the stream over all of them stays what it is.
    timing = PRESETS[preset]
    whole = int(fold_cycles(folds, stream * pieces, rows, cols, flow, timing, pieces))
    assert whole == int(fold_cycles(folds * pieces, stream, rows, cols, flow, timing))
    assert whole >= int(fold_cycles(folds, stream * pieces, rows, cols, flow, timing))
    longer = int(fold_cycles(folds, stream * pieces, rows, cols, flow, timing, pieces + 1))
    assert longer >= whole


@given(m=SIZES, k=SIZES, n=SIZES, batch=st.integers(1, 3), rows=SIDES, cols=SIDES, preset=PRESET)
def test_flexible_is_the_best_of_the_three(
    m: int, k: int, n: int, batch: int, rows: int, cols: int, preset: str
) -> None:
    fixed = [int(array_cycles(m, k, n, batch, rows, cols, flow, preset)) for flow in DATAFLOWS]
    assert int(array_cycles(m, k, n, batch, rows, cols, FLEXIBLE, preset)) == min(fixed)


def test_large_products_fit_int64() -> None:
    assert int(array_cycles(10**6, 10**5, 10**5, 1, 16, 16, "ws", "tpu-like")) > 10**12


def test_unknown_names_are_refused_with_the_allowed_ones() -> None:
    with pytest.raises(InputError, match=r"scalesim3.*tpu-like"):
        resolve_timing("exact")
    with pytest.raises(InputError, match="ws, os, is"):
        array_cycles(1, 1, 1, 1, 1, 1, "rs", "tpu-like")
    with pytest.raises(InputError, match="none, rows, overlapped"):
        Timing(os_drain="never")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="row_latency"):
        Timing(row_latency=0)


def test_packing_of_small_products() -> None:
    # Depthwise 3 × 3 on 128 × 128: 14 blocks of 9 × 1 lie on the diagonal.
    tpu, apart = PRESETS["tpu-like"], replace(PRESETS["tpu-like"], pack_products=False)
    args = (4096, 9, 1, 960, 128, 128, "ws")
    assert int(array_cycles(*args, apart)) == 128 + 960 * 4096 + 254
    assert int(array_cycles(*args, tpu)) == 128 + ceil_div(960, 14) * 4096 + 254
    # Its weight gradient: 128 streams of one row, but only 14 × 9 columns; the diagonal blocks are kept.
    args = (1, 4096, 9, 960, 128, 128, "ws")
    assert int(array_cycles(*args, tpu)) == 128 + ceil_div(960, 14) * 32 * 128 + 254
    # Nothing to pack in one product, or where a product fills the array.
    for sizes in ((4096, 9, 1, 1), (512, 128, 65, 12)):
        assert array_cycles(*sizes, 128, 128, "ws", tpu) == array_cycles(*sizes, 128, 128, "ws", apart)


@given(
    m=st.integers(1, 40),
    k=st.integers(1, 40),
    n=st.integers(1, 40),
    batch=st.integers(1, 40),
    rows=SIDES,
    cols=SIDES,
    flow=FLOWS,
)
def test_packing_never_hurts_nor_beats_the_macs(
    m: int, k: int, n: int, batch: int, rows: int, cols: int, flow: str
) -> None:
    tpu = PRESETS["tpu-like"]
    packed = int(array_cycles(m, k, n, batch, rows, cols, flow, tpu))
    assert packed <= int(array_cycles(m, k, n, batch, rows, cols, flow, replace(tpu, pack_products=False)))
    assert packed * rows * cols >= batch * m * k * n
    for larger in ((m + 1, k, n, batch), (m, k + 1, n, batch), (m, k, n + 1, batch), (m, k, n, batch + 1)):
        assert int(array_cycles(*larger, rows, cols, flow, tpu)) >= packed
