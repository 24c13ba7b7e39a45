"""A sample outcome with all that figures show, and its schedule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from accmine.questions.run.pictures.record import DeviceRoof, EvaluatedDesign, OperatorPoint
from accmine.questions.run.record import Outcome
from accmine.report import perfetto
from accmine.report.charts.trace import Lane
from tests.samples.report_sample import BIG, single

AREA = {
    "base": 5.0,
    "uncore": 150.24,
    "io_phy": 6.0,
    "hbm_interface": 60.0,
    "shared_sram": 20.0,
    "tensor_array": 40.0,
    "tensor_edge": 2.0,
    "tensor_sram": 24.0,
    "tensor_overhead": 4.0,
    "shared_sram_port": 2.0,
    "vector_alus": 8.0,
    "vector_edge": 2.0,
    "vector_sram": 6.0,
    "vector_overhead": 2.0,
}
POWER = {"uncore": 30.0, "hbm_idle": 17.0, "leakage": 40.0, "hbm": 52.0, "tensor_macs": 100.6, "vector_alus": 40.0}

DESIGNS = 40


def evaluated(count: int = DESIGNS) -> tuple[EvaluatedDesign, ...]:
    """Larger ones are faster, but each third wastes area; the first is the answer, the last one does not fit."""
    rows = [
        EvaluatedDesign(
            name=BIG if i == 0 else f"tc{i}x64x64ws-1Mi_vc6x64x16-1Mi_sh0_hbm16Gi-700GBps_700MHz",
            devices="device",
            relative=1.6 - 0.02 * i,
            samples_per_s=44.017 * (1.6 - 0.02 * i) / 1.6,
            area_mm2=331.24 - i + (25.0 if i % 3 == 1 else 0.0),
            tdp_w=279.6 - 2 * i + (5.0 if i % 3 == 1 else 0.0),
            fits=i != count - 1,
        )
        for i in range(count)
    ]
    return tuple(rows)


def pictured() -> Outcome:
    """The sample of one device with parts, designs and operators."""
    base = single()
    operators = tuple(
        OperatorPoint(f"op<{i}>", "linear", "forward", 4, 10.0 * (i + 1), 1e12 * (i + 1), 0.01, "array", True)
        for i in range(8)
    )
    odd = OperatorPoint("softmax", "softmax", "forward", 4, 0.0, 0.0, 0.02, "hbm", False)
    roof = DeviceRoof("device", 9e13, 3e12, 7e11, (*operators, odd), 0.001)
    design = replace(base.designs[0], area_parts=AREA, tdp_parts=POWER, tensor_cores=4, vector_cores=4)
    return replace(base, designs=(design,), evaluated=evaluated(), roofs=(roof,), chips=1)


def lanes(microbatches: int = 30) -> list[Lane]:
    """A device with two cores, and a pipeline whose step is far longer than its slices."""
    found = []
    for i in range(20):
        phase = "forward" if i < 8 else "backward"
        args = {"kind": "linear", "phase": phase, **({"critical": True} if i % 2 == 0 else {})}
        found.append(Lane("device", "tensor 0", f"layer{i}.mm", 1e-3 * i, 1e-3, args))
        if i % 4 == 0:
            found.append(Lane("device", "vector 0", f"layer{i}.mm", 1e-3 * i, 1e-3, args))
    for stage in range(2):
        for i in range(microbatches):
            start = 0.05 * stage + 0.25 * i
            found.append(Lane("pipe", f"m/stage{stage}", f"F{i}", start, 0.1, {"phase": "forward", "microbatch": i}))
            found.append(Lane("pipe", f"m/stage{stage}", f"B{i}", start + 0.1, 0.1, {"phase": "backward"}))
    return found


def trace(microbatches: int = 30) -> dict[str, Any]:
    """The schedule of ``lanes``."""
    return perfetto(lanes(microbatches))
