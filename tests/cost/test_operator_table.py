"""The operators of a step: exact sums, costs equal to those of the schedules' modes, roofs that hold."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from math import inf, isclose
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.cost import LEVELS, PRESETS, CostLibrary, OperatorRow, OperatorTable, total_of
from accmine.cost.modes import hbm_capacity
from accmine.cost.operator_table import LAUNCH, least_tile_bytes, operator_table
from accmine.errors import InputError
from accmine.hardware import Calibration, Design, TensorCore, VectorCore
from accmine.hardware.roofline import roofline
from accmine.hardware.technology import load_technology
from accmine.plan import Plan
from accmine.problems import design_search
from accmine.questions.cost.measure import cost_step
from accmine.workload import Task, Vector, list_models, load_model
from accmine.workload.graph import Work
from accmine.workload.work import Gemm
from tests.cost.arrays.test_kernel import cost_of
from tests.samples.search_sample import Shape, design, graph_of, paired, planned, shapes, task_of, technology

PLAIN = design(4, 2, dim=16)
DESIGNS = {
    "plain": PLAIN,
    "one core of a kind": design(1, 1),
    "more vector cores": design(2, 8),
    "starved of bandwidth": design(4, 2, gbps=2),
    "plenty of bandwidth": design(4, 2, gbps=7000),
    "output-stationary": replace(PLAIN, tensor=TensorCore(16, 8, 1 << 16, "os")),
    "flexible": replace(PLAIN, tensor=TensorCore(8, 16, 1 << 16, "flexible")),
    "shared SRAM": replace(PLAIN, shared_sram_bytes=1 << 20, port_bytes_per_s=20 * 10**9),
    "slow port": replace(PLAIN, shared_sram_bytes=1 << 20, port_bytes_per_s=10**9),
    "launch": replace(PLAIN, calibration=Calibration(2e-6, 0.8, 0.9, 0.7)),
    "tiny SRAM": replace(PLAIN, tensor=TensorCore(16, 16, 256)),
}
MODELS: tuple[dict[str, Any], ...] = (
    {},
    {"models": ("gpt",)},
    {"models": ("gpt",), "workload": {"recompute": "full", "dtype": "fp32", "optimizer": "sgd"}},
    {"models": ("gpt",), "workload": {"batch": 4, "microbatch": 4, "fusion": "none", "split": "none"}},
)


def library_of(task: Task, chip: Design, rule: str = "even") -> CostLibrary:
    return design_search.cost_library([task], (chip.tensor_cores, chip.vector_cores), rule, "tpu-like", technology())


def columns(library: CostLibrary, row: OperatorRow) -> tuple[int, int]:
    """Column of the costs of either side; a side that a row has not is counted as on one core."""
    t, v = (library.splits.index(max(1, cores)) for cores in (row.tensor_cores, row.vector_cores))
    return t, v


def table_of(keys: dict[str, Any], chip: Design) -> tuple[Plan, CostLibrary, OperatorTable]:
    plan, _ = planned(**keys)
    library = library_of(plan.tasks[0], chip)
    return plan, library, operator_table(plan.tasks[0], library, chip)


CASES = [(keys, name) for keys in MODELS for name in DESIGNS]
IDS = [f"{i}-{name}" for i in range(len(MODELS)) for name in DESIGNS]


@pytest.mark.parametrize(("keys", "name"), CASES, ids=IDS)
def test_totals_equal_the_sum_of_the_rows(keys: dict[str, Any], name: str) -> None:
    _, _, table = table_of(keys, DESIGNS[name])
    sums: dict[str, Callable[[OperatorRow], Any]] = {
        "operators": lambda row: row.count,
        "cycles": lambda row: row.count * row.duration_cycles,
        "macs": lambda row: row.count * row.work.macs,
        "inserted": lambda row: row.count * (row.work.gemm.inserted if row.work.gemm else 0),
        "hbm_bytes": lambda row: row.count * row.hbm_bytes,
        "energy_fj": lambda row: row.count * (row.energy_fj or 0),
    }
    for key, of in sums.items():
        for phase in table.phases:
            assert getattr(phase, key) == sum(of(row) for row in table.rows if row.phase == phase.name)
        assert getattr(table.step, key) == sum(map(of, table.rows))
        assert getattr(table.step, key) == sum(getattr(phase, key) for phase in table.phases)
        assert type(getattr(table.step, key)) is int
    shown, rest = table.rows[:3], table.rows[3:]
    parts = total_of("shown", shown), total_of("other", rest)
    assert all(getattr(table.step, key) == sum(getattr(part, key) for part in parts) for key in sums)


@pytest.mark.parametrize(("keys", "name"), CASES, ids=IDS)
def test_every_operator_costs_what_its_fastest_mode_does(keys: dict[str, Any], name: str) -> None:
    chip = DESIGNS[name]
    plan, library, table = table_of(keys, chip)
    modes = dict(zip(library.works, library.modes(chip), strict=True))
    for row in table.rows:
        assert row.duration_cycles == modes[row.work].duration.min()
        assert row.tensor_cores <= chip.tensor_cores
        assert row.vector_cores <= chip.vector_cores
        assert row.hbm_bytes >= library.costs(chip).compulsory_bytes[library.works.index(row.work)]
    task = plan.tasks[0]
    assert table.step.macs == task.macs == plan.pipelines[0].hardware_macs
    assert table.step.operators == sum(run.repeats * len(run.graph) for run in task.phases)
    # Nothing is faster than on every core that any number of cores of the design could be.
    least = dict(zip(library.works, library.shortest(chip).tolist(), strict=True))
    assert all(row.duration_cycles >= least[row.work] for row in table.rows)


@pytest.mark.parametrize(("keys", "name"), CASES, ids=IDS)
def test_what_binds_is_what_takes_the_time(keys: dict[str, Any], name: str) -> None:
    chip = DESIGNS[name]
    _, library, table = table_of(keys, chip)
    costs = library.costs(chip)
    for row in table.rows:
        t, v = columns(library, row)
        own = library.works.index(row.work)
        memory = -(-row.hbm_bytes // hbm_capacity(chip))
        assert row.duration_cycles == chip.launch_cycles + max(row.cycles, memory)
        port = max(costs.tensor.port_cycles[own, t], costs.vector.port_cycles[own, v])
        sides = {"array": costs.tensor.cycles[own, t], "vector": costs.vector.cycles[own, v], "port": port}
        assert row.cycles == max(sides.values())
        if row.bound_by == LAUNCH:
            assert chip.launch_cycles > row.duration_cycles - chip.launch_cycles
            continue
        assert chip.launch_cycles <= row.duration_cycles - chip.launch_cycles
        if row.bound_by == "hbm":
            assert memory >= row.cycles
        else:
            assert sides[row.bound_by] == row.cycles >= row.hbm_bytes / hbm_capacity(chip)
        assert row.work.uses_tensor == (row.utilization is not None)
        assert row.utilization is None or 0 < row.utilization <= 1


def test_all_levels_bind_somewhere() -> None:
    found: Counter[str] = Counter()
    for keys in MODELS:
        for chip in DESIGNS.values():
            found.update(row.bound_by for row in table_of(keys, chip)[2].rows)
    assert set(found) == {*LEVELS, LAUNCH}


@pytest.mark.parametrize(("keys", "name"), CASES, ids=IDS)
def test_no_operator_is_above_the_roof(keys: dict[str, Any], name: str) -> None:
    _, _, table = table_of(keys, DESIGNS[name])
    for row in table.rows:
        assert row.reached_flops_per_s <= row.attainable_flops_per_s * (1 + 1e-12)
        flops = 2 * row.work.macs if row.work.uses_tensor else row.vector_operations
        assert row.intensity == (flops / row.hbm_bytes if row.hbm_bytes else inf)
        assert isclose(row.reached_flops_per_s, flops / (row.duration_cycles / 700e6), rel_tol=1e-12)
    assert sum(table.cycles_by_bound.values()) == table.step.cycles
    assert all(table.cycles_by_bound[row.bound_by] >= row.step_cycles for row in table.rows)
    assert 0 < table.utilization <= 1
    order = [row.step_cycles for row in table.rows]
    assert order == sorted(order, reverse=True)


@settings(max_examples=40, deadline=None)
@given(shapes(), st.sampled_from(sorted(DESIGNS)), st.integers(1, 5))
def test_any_graph(own: list[Shape], name: str, repeats: int) -> None:
    task, chip = task_of(graph_of(own), repeats=[repeats]), DESIGNS[name]
    table = operator_table(task, library_of(task, chip), chip)
    assert table.step.operators == repeats * len(own)
    assert table.step.hbm_bytes == sum(row.step_bytes for row in table.rows)
    assert table.step.cycles == sum(row.step_cycles for row in table.rows)
    alone = operator_table(task, library_of(task, chip, "none"), chip)
    assert all(row.cores == 1 for row in alone.rows)
    assert table.step.cycles <= alone.step.cycles
    assert alone.step.macs == table.step.macs


def test_equal_operators_share_a_row_and_phases_do_not() -> None:
    _, _, table = table_of({"models": ("gpt",), "workload": {"recompute": "full"}}, PLAIN)
    keys = [(row.phase, row.kind, row.work) for row in table.rows]
    assert len(set(keys)) == len(keys)
    assert [phase.name for phase in table.phases] == ["forward", "backward", "update"]
    both = {(row.kind, row.work) for row in table.rows if row.phase == "forward"}
    assert both & {(row.kind, row.work) for row in table.rows if row.phase == "backward"}  # run again


def test_skipped_zeros_are_added_up() -> None:
    product = Gemm(64, 32, 16, 1, 64 * 32, 32 * 16, 64 * 16, inserted=1000)
    graph = graph_of([("gemm", 64, ()), ("gemm", 64, ())])
    graph = replace(graph, operators=tuple(replace(o, work=replace(o.work, gemm=product)) for o in graph.operators))
    task = task_of(graph, repeats=[3])
    (row,) = operator_table(task, library_of(task, PLAIN), PLAIN).rows
    assert (row.inserted, row.step_inserted, row.count) == (1000, 6000, 6)


def test_energies_are_those_of_the_costs_or_none() -> None:
    plan, library, table = table_of({}, PLAIN)
    costs = library.costs(PLAIN)
    tensor, vector = costs.tensor, costs.vector
    assert tensor.energy_pj is not None
    assert vector.energy_pj is not None
    assert tensor.compulsory_pj is not None
    for row in table.rows:
        w, (t, v) = library.works.index(row.work), columns(library, row)
        own = tensor.energy_pj[w, t] + vector.energy_pj[w, v] + tensor.compulsory_pj[w]
        assert row.energy_fj is not None
        assert abs(row.energy_fj - 1000 * own) <= 0.5
    without = operator_table(plan.tasks[0], library, PLAIN, energies=False)
    assert without.step.energy_fj is None
    assert all(row.energy_fj is None and row.step_energy_fj is None for row in without.rows)
    assert without.step.cycles == table.step.cycles


def test_ceilings_are_those_of_the_design() -> None:
    roof = roofline(PLAIN)
    assert roof.tensor_flops_per_s == 2 * 4 * 16 * 16 * 700e6
    assert roof.vector_flops_per_s == 2 * 8 * 2 * 700e6
    assert roof.tensor_ridge == roof.tensor_flops_per_s / 70e9
    assert roof.attainable(roof.tensor_ridge / 2, product=True) == roof.tensor_flops_per_s / 2
    assert roof.attainable(2 * roof.vector_ridge, product=False) == roof.vector_flops_per_s
    lower = roofline(DESIGNS["launch"])
    assert isclose(lower.tensor_flops_per_s, 0.8 * roof.tensor_flops_per_s)
    assert isclose(lower.vector_flops_per_s, 0.9 * roof.vector_flops_per_s)
    assert isclose(lower.hbm_bytes_per_s, 0.7 * roof.hbm_bytes_per_s)


def _fits(work: Work, core: TensorCore) -> bool:
    """Whether one of the model's loop orders has a tile of one output for it."""
    return any(cost_of(work, core, PRESETS["tpu-like"], order, 1, 1) for order in ("outputs", "a", "b"))


@pytest.mark.parametrize("seed", range(60))
def test_the_least_sram_is_where_tiles_begin_to_fit(seed: int) -> None:
    rng = random.Random(seed)
    m, k, n = (rng.choice((1, 3, 16, 40, 64, 100, 512)) for _ in range(3))
    rows, flow = rng.choice((4, 16, 48, 128)), rng.choice(("ws", "os", "is"))
    work = Work(Gemm(m, k, n, 1, m * k, k * n, m * n), (), 0, 0, rng.choice(("bf16", "fp32", "int8")))
    least = least_tile_bytes(work, rows, k, flow)
    assert _fits(work, TensorCore(rows, 16, least, flow))
    assert not _fits(work, TensorCore(rows, 16, least - 1, flow))


def test_rows_say_what_does_not_fit() -> None:
    _, _, tiny = table_of({"models": ("gpt",)}, DESIGNS["tiny SRAM"])
    small = [row for row in tiny.rows if row.least_sram_bytes]
    assert small
    assert all(row.least_sram_bytes > 256 for row in small)
    most = max(row.least_sram_bytes for row in small)
    enough = replace(PLAIN, tensor=TensorCore(16, 16, most))
    assert not any(row.least_sram_bytes for row in table_of({"models": ("gpt",)}, enough)[2].rows)


def test_an_operator_that_no_core_can_run_is_refused() -> None:
    task = task_of(graph_of([("fused", 64, ())]))
    library = CostLibrary([task.phases[0].graph], (2,), "tpu-like", technology())
    for counts in ((1, 1), (2, 1), (1, 2)):
        with pytest.raises(InputError, match="no mode of an operator fits"):
            operator_table(task, library, PLAIN.with_cores(*counts))
    (row,) = operator_table(task, library, PLAIN.with_cores(2, 3)).rows
    assert (row.tensor_cores, row.vector_cores) == (2, 2)


def test_fastest_core_counts_are_taken_and_the_fewest_of_equal_ones() -> None:
    task = task_of(graph_of([("vector", 1, ())]))
    graph = task.phases[0].graph
    work = Work(None, (Vector("relu", 1),), 64, 32, "bf16")
    graph = replace(graph, operators=(replace(graph.operators[0], work=work),))
    task = task_of(graph)
    chip = replace(PLAIN, vector_cores=8, vector=VectorCore(8, 2, 1 << 15))
    (row,) = operator_table(task, library_of(task, chip), chip).rows
    assert (row.tensor_cores, row.vector_cores, row.cores) == (0, 1, 1)


def test_a_fused_operator_takes_all_cores_of_a_kind_whatever_there_is_of_the_other() -> None:
    """Eight tensor cores beside two vector cores: WHAM's rule leaves six of them idle."""
    task, chip = task_of(graph_of([("fused", 300, ())])), design(8, 2, dim=4, lanes=64, gbps=7000)
    both = task, task_of(paired(task.phases[0].graph))
    (free,), (pair,) = (operator_table(t, library_of(t, chip), chip).rows for t in both)
    assert (free.tensor_cores, pair.tensor_cores, pair.vector_cores) == (8, 2, 2)
    assert free.duration_cycles < pair.duration_cycles / 2


@pytest.mark.full
@pytest.mark.parametrize("name", ["tpuv2-like", "a100-40gb", "nvdla-like"])
@pytest.mark.parametrize("model", [m for m in list_models() if m != "gpt-3-175b"])
def test_the_zoo(model: str, name: str) -> None:
    step = cost_step(model, name, "accelerator-5nm", {"batch": 4, "microbatch": 2})
    table = step.table
    assert table.step.cycles == sum(row.count * row.duration_cycles for row in table.rows)
    assert table.step.hbm_bytes == sum(phase.hbm_bytes for phase in table.phases)
    assert table.step.energy_fj == sum(row.step_energy_fj or 0 for row in table.rows)
    assert all(row.reached_flops_per_s <= row.attainable_flops_per_s * (1 + 1e-12) for row in table.rows)
    forward = dict(load_model(model).published).get("forward_macs")
    if forward:  # of one sample; the backward pass has twice as many, but for the gradient of the image
        assert 2.5 * 4 * forward < table.step.macs < 3.2 * 4 * forward
    # 16-bit products at the energy of a multiply-accumulate, at least
    assert (table.step.energy_fj or 0) >= 1000 * table.step.macs * load_technology("accelerator-5nm").mac_pj(
        "bf16"
    ) * 0.999
