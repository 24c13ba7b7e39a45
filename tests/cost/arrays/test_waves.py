"""Waves of tiles: known counts, and what more cores, steps or edges may do."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.cost import INVALID, tensor_costs
from accmine.cost.arrays.waves import Waves, wave_cycles, waves_of
from accmine.hardware import Calibration, TensorCore, Tiles
from tests.samples.cost_sample import product
from tests.samples.search_sample import design

SQUARE = Waves(Tiles(((128, 128),)), 0.0, 0.0)
CORES = (1, 2, 3, 8, 107, 108, 216)


def cycles(m: int, k: int, n: int, waves: Waves, batch: int = 1, macs: int = 1024) -> list[int]:
    rows, depth, columns, many = (np.array([size]) for size in (m, k, n, batch))
    return list(wave_cycles(rows, depth, columns, many, macs, CORES, waves)[0].tolist())


def test_a_nearly_empty_wave_takes_as_long_as_a_full_one() -> None:
    one = 64 * 128 * 128 // 1024  # one tile of k = 64, too short to be cut
    found = dict(zip(CORES, cycles(128 * 108, 64, 128, SQUARE), strict=True))
    assert found[1] == 108 * one
    assert found[107] == 2 * one
    assert found[108] == found[216] == one
    assert dict(zip(CORES, cycles(128 * 108 + 1, 64, 128, SQUARE), strict=True))[108] == 2 * one
    assert cycles(128, 64, 128, SQUARE, batch=108) == cycles(128 * 108, 64, 128, SQUARE)


def test_steps_of_k_are_whole_and_a_tile_fills_and_drains() -> None:
    assert cycles(1, 1, 1, SQUARE)[0] == cycles(128, 32, 128, SQUARE)[0] == 32 * 16
    filled = replace(SQUARE, tiles=replace(SQUARE.tiles, fill=100.0))
    assert cycles(128, 32, 128, filled)[0] == 132 * 16


def test_a_cut_along_k_is_taken_where_its_price_is_less_than_what_it_gains() -> None:
    plain, dear = cycles(128, 4096, 128, SQUARE), cycles(128, 4096, 128, replace(SQUARE, split_cycles=1e9))
    assert plain[-1] == 4096 // 32 * 16, "32 pieces of 128"
    assert dear[-1] == dear[0] == 4096 * 16
    cheap = cycles(128, 4096, 128, replace(SQUARE, split_cycles=1000.0, sum_cycles=0.001))
    assert plain[-1] + 1000 < cheap[-1] < dear[-1]


def test_a_smaller_tile_reaches_less() -> None:
    small = Waves(Tiles(((64, 64),), edge=37.5), 0.0, 0.0)
    assert cycles(64, 64, 64, small)[0] == np.ceil(64 * 4 * (1 + 37.5 * (2 / 64 - 1 / 128 - 1 / 256)))
    huge = Waves(Tiles(((256, 256),), edge=37.5), 0.0, 0.0)
    assert cycles(256, 64, 256, huge)[0] == 64 * 64, "none reaches more than the array does"


@st.composite
def any_waves(draw: st.DrawFn) -> Waves:
    sides = st.sampled_from((16, 32, 64, 128, 256))
    shapes = tuple(draw(st.lists(st.tuples(sides, sides), min_size=1, max_size=4)))
    tiles = Tiles(shapes, draw(st.floats(0, 500)), draw(st.floats(0, 100)))
    return Waves(tiles, draw(st.floats(0, 5000)), draw(st.floats(0, 0.1)))


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 3), any_waves())
def test_more_cores_never_take_longer_and_no_price_makes_it_faster(
    m: int, k: int, n: int, batch: int, waves: Waves
) -> None:
    found = cycles(m, k, n, waves, batch)
    assert all(later <= earlier for earlier, later in pairwise(found))
    assert all(c * cores * 1024 >= batch * m * n * k for c, cores in zip(found, CORES, strict=True))
    free = cycles(m, k, n, Waves(Tiles(waves.tiles.shapes), 0.0, 0.0), batch)
    assert all(a >= b for a, b in zip(found, free, strict=True))


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 600), st.integers(1, 600), st.integers(1, 600), any_waves())
def test_tables_take_at_least_their_waves_and_never_more_bytes_than_without(
    m: int, k: int, n: int, waves: Waves
) -> None:
    core, splits = TensorCore(32, 32, 1 << 18, "os"), (1, 2, 4)
    plain = tensor_costs([product(m, k, n)], [core], splits)
    waved = tensor_costs([product(m, k, n)], [core], splits, waves=waves)
    rows, depth, columns, batch = (np.array([size]) for size in (m, k, n, 1))
    own = wave_cycles(rows, depth, columns, batch, core.macs, splits, waves)
    valid = plain.cycles[:, 0] != INVALID
    assert np.array_equal(waved.cycles[:, 0][valid], np.maximum(plain.cycles[:, 0], own)[valid])
    assert np.array_equal(waved.cycles[:, 0] == INVALID, ~valid)
    assert (waved.hbm_bytes <= plain.hbm_bytes).all()
    assert (waved.hbm_bytes >= plain.compulsory_bytes[:, None, None]).all()


def test_a_chip_without_shapes_has_no_waves() -> None:
    assert waves_of(design(4, 2)) is None
    tiles = Tiles(((64, 64),), split_launch_s=2e-6, split_traffic=0.5)
    own = replace(design(4, 2), calibration=Calibration(tiles=tiles))
    found = waves_of(own)
    assert found is not None
    assert found.split_cycles == 2e-6 * own.frequency_hz
    assert found.sum_cycles == 0.5 * 8 / own.hbm_bytes_per_cycle
