"""Bounds of layers: never above what any number of layers takes in any schedule of any module."""

from __future__ import annotations

import numpy as np

from accmine.ports import Stop
from accmine.problems import operator_schedule
from accmine.problems.design_placement import bound, module_graphs
from accmine.problems.design_placement.layer_bounds import (
    BACKWARD,
    FORWARD,
    UPDATE,
    classes_of,
    layer_seconds,
    peak_seconds,
    serial_part,
    shared_seconds,
)
from accmine.problems.design_search.lowering import lower
from accmine.problems.design_search.space_bound import blocks
from accmine.solving import solve
from tests.samples.placement_sample import classes, layer_times, placement_problem, simulated

PROBLEM = placement_problem(space={"tensor_rows": (4, 8), "hbm_bytes_per_s": (7 * 10**9, 70 * 10**9)})


def test_peaks_are_below_work_below_paths() -> None:
    found = classes_of(PROBLEM)
    several = list(blocks(found.work))
    cheap, dear = (layer_seconds(found, several, paths=paths) for paths in (False, True))
    for block, work, full in zip(several, cheap, dear, strict=True):
        peak = peak_seconds(found, block)
        assert (peak <= work * (1 + 1e-12)).all()
        assert (work <= full * (1 + 1e-12)).all()
    assert sum((full > work).sum() for work, full in zip(cheap, dear, strict=True)) > 0


def test_no_schedule_of_several_layers_is_below_the_bounds_of_each() -> None:
    found = classes_of(PROBLEM)
    several = list(blocks(found.work))
    rows = layer_seconds(found, several, paths=True)
    for b in (0, len(several) - 1):
        column, flat = int(several[b].fits.sum()) - 1, int(np.flatnonzero(several[b].fits)[-1])
        design = several[b].design(flat)
        for variant, at in list(zip(PROBLEM.variants, found.at, strict=True))[:2]:
            for layer_class, task in zip(variant.classes, at, strict=True):
                for repeats in (1, 2, 3)[: len(layer_class.layers)]:
                    graphs = module_graphs(layer_class, repeats)
                    for phase in (FORWARD, BACKWARD, UPDATE):
                        part = lower(graphs[phase], PROBLEM.library, design).problem
                        deep = b == 0 and repeats == 2 and phase == BACKWARD and variant is PROBLEM.variants[0]
                        result = solve(part, "auto" if deep else "critical-path", stop=Stop(work=0.2 if deep else 4))
                        count = 1 if phase == UPDATE else repeats
                        least = count * rows[b][task, phase, column] * design.frequency_hz
                        assert result.objective is not None
                        assert least <= result.objective, (layer_class.name, repeats, phase)
                        assert operator_schedule.bound(part)[0] <= result.objective


def test_weight_gradients_are_not_serial_but_in_a_layer_of_its_own() -> None:
    embeddings, layer, head = classes(3, 1, 1, "none")
    serial = {layer.backward.operators[i].name for i in serial_part(layer, "backward")}
    assert serial
    assert not any(name.endswith(".dw") for name in serial)
    assert any(o.name.endswith(".dw") for o in layer.backward.operators)
    assert len(serial_part(layer, "forward")) == len(layer.forward)
    for only in (embeddings, head):
        assert len(serial_part(only, "backward")) == len(only.backward)


def test_recomputation_waits_for_the_gradient() -> None:
    layer = classes(3, 1, 1, "full")[1]
    serial = {layer.backward.operators[i].name for i in serial_part(layer, "backward")}
    again = {o.name for o in layer.backward.operators if o.name.split("+")[0].endswith(".re")}
    assert again
    assert len(again & serial) > len(again) / 2


def test_the_bound_without_search_is_below_every_placement() -> None:
    problem = placement_problem()
    value, method = bound(problem)
    assert value is not None
    assert "devices" in method
    steps = [s for design, v, times in layer_times(problem) for _, s in simulated(problem, design, v, times)]
    assert 0.3 * min(steps) < value <= min(steps)
    found = classes_of(problem)
    rows = layer_seconds(found, list(blocks(found.work)), paths=False)
    assert value == min(float(shared_seconds(problem, found, row).min()) for row in rows)


def test_nothing_fits_the_limits() -> None:
    assert bound(placement_problem(area_mm2=1e-9)) == (None, "no design meets the limits")
