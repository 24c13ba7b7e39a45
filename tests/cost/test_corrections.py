"""Corrections: which kind a work is, that none makes anything faster, and that all costs hold them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.cost import CostLibrary, durations
from accmine.cost.corrections import Corrections, corrections, family, no_corrections
from accmine.cost.modes import hbm_capacity
from accmine.hardware import Calibration, Constants, Tiles
from accmine.hardware.calibration import KINDS
from accmine.workload import Vector
from accmine.workload.work import Work
from tests.samples.cost_sample import convolution, product
from tests.samples.search_sample import Shape, design, graph_of, shapes, technology


@pytest.mark.parametrize(
    ("work", "kind"),
    [
        (product(8, 8, 8), "product"),
        (convolution(2, 8, 4, 4), "convolution"),
        (replace(product(8, 8, 8), vector=(Vector("softmax", 64, 8),)), "product"),
        (Work(None, (Vector("softmax", 64, 8),), 1, 1, "bf16"), "softmax"),
        (Work(None, (Vector("layer-norm-backward", 64, 8),), 1, 1, "bf16"), "norm"),
        (Work(None, (Vector("add", 8), Vector("rms-norm", 64, 8)), 1, 1, "bf16"), "norm"),
        (Work(None, (Vector("scale", 64), Vector("mask", 64), Vector("softmax", 64, 8)), 1, 1, "bf16"), "softmax"),
        (Work(None, (Vector("softmax-backward", 64, 8), Vector("scale-backward", 64)), 1, 1, "bf16"), "softmax"),
        (Work(None, (Vector("gelu", 64),), 1, 1, "bf16"), "elementwise"),
        (Work(None, (Vector("adam-update", 64),), 1, 1, "fp32"), "optimizer"),
        (Work(None, (), 1, 1, "bf16"), "elementwise"),
    ],
)
def test_kinds(work: Work, kind: str) -> None:
    assert family(work) == kind
    assert kind in KINDS


def test_each_work_has_the_constants_of_its_kind() -> None:
    works = [product(8, 8, 8), Work(None, (Vector("gelu", 64),), 1, 1, "bf16")]
    own = (("product", Constants(1e-6, 0.5, hbm_efficiency=0.4, overlap=4.0)),)
    machine = replace(design(4, 2), calibration=Calibration(hbm_efficiency=0.8, kinds=own))
    found = corrections(works, machine)
    assert found.launch_cycles.tolist() == [machine.cycles_of(1e-6), 0]
    assert found.array_efficiency.tolist() == [0.5, 1.0]
    assert found.hbm_efficiency.tolist() == [0.5, 1.0], "shares of what the best kind gets"
    assert hbm_capacity(machine) == int(machine.hbm_bytes_per_s * 0.8) // machine.frequency_hz


def one(**values: float) -> Corrections:
    return replace(no_corrections(1), **{name: np.array([value]) for name, value in values.items()})


def test_the_terms_one_by_one() -> None:
    assert one(overlap=2.0).busy_cycles(np.array([300]), np.array([400]), 1).tolist() == [500]
    assert one(overlap=np.inf).busy_cycles(np.array([300]), np.array([400]), 1).tolist() == [400]
    assert one(ramp_bytes=100.0, hbm_efficiency=0.5).busy_bytes(np.array([400])).tolist() == [1000]
    assert one(ramp_bytes=100.0).busy_bytes(np.array([0])).tolist() == [0], "what moves nothing has no ramp"
    assert one(launch_cycles=10, host_cycles=50).launched(np.array([20])).tolist() == [50]
    assert one(launch_cycles=10, host_cycles=50).launched(np.array([60])).tolist() == [70]
    slow = one(sustained=0.8, sustained_cycles=1000.0)
    assert slow.array_cycles(np.array([1000]))[0] == pytest.approx(1125), "half of the loss"
    assert slow.array_cycles(np.array([10**9]))[0] == pytest.approx(1.25e9)
    measured = one(ramp_bytes=9.0, overlap=2.0, host_cycles=99).but_measured(np.array([True]))
    assert measured.durations(np.array([300]), np.array([400]), 1).tolist() == [400]


efficiency = st.floats(0.3, 1.0)
seconds = st.sampled_from((0.0, 1e-7, 2e-6))
constants = st.builds(
    Constants,
    launch_s=seconds,
    array_efficiency=efficiency,
    vector_efficiency=efficiency,
    hbm_efficiency=efficiency,
    hbm_ramp_bytes=st.sampled_from((0.0, 1e4)),
    overlap=st.sampled_from((1.0, 4.0, np.inf)),
    sustained=efficiency,
    host_launch_s=seconds,
)
tiles = st.builds(
    Tiles,
    shapes=st.sampled_from(((), ((16, 16),), ((64, 128), (32, 32)))),
    fill=st.floats(0, 200),
    edge=st.floats(0, 50),
    split_launch_s=seconds,
    split_traffic=st.floats(0, 1),
)
calibrations = st.builds(
    lambda own, kinds, t: Calibration(
        **{n: getattr(own, n) for n in Constants.__dataclass_fields__}, kinds=kinds, tiles=t
    ),
    constants,
    st.lists(st.tuples(st.sampled_from(KINDS), constants), unique_by=lambda item: item[0], max_size=3).map(tuple),
    tiles,
)


@settings(deadline=None, max_examples=40)
@given(shapes(6), calibrations, st.integers(5, 60))
def test_no_calibration_makes_anything_faster_and_more_cores_never_slower(
    rows: list[Shape], calibration: Calibration, gbps: int
) -> None:
    """Tiles alone may save bytes read again: they are compared with the same tiles at no price."""
    graph = graph_of(rows)
    free = Calibration(tiles=Tiles(calibration.tiles.shapes))
    ideal, real = (replace(design(4, 4, gbps=gbps), calibration=c) for c in (free, calibration))
    library = CostLibrary([graph], (1, 2, 3, 4), "tpu-like", technology())
    fast, slow = (durations(library.costs(d), hbm_capacity(d)) for d in (ideal, real))
    assert (slow >= fast).all()
    for few in (1, 2, 3):
        for less, more in zip(
            library.modes(real.with_cores(few, few)), library.modes(real.with_cores(4, 4)), strict=True
        ):
            assert len(less.duration) == 0 or more.duration[0] <= less.duration[0]
    for table in library.modes(real):
        assert (table.uses[:, 2] <= hbm_capacity(real)).all()
        assert (table.duration * table.uses[:, 2] >= table.hbm_bytes).all()
