"""Array-size ablation: 65,536 multiply-accumulators as 1 x 256^2, 4 x 128^2 or 16 x 64^2 arrays, everything else equal.

Training steps of CNNs and an RNN on a TPUv3-like chip (HBM, clock, SRAM and vector throughput in total). Three
utilisations, all MACs / (65,536 x cycles):

* arrays: the cycles of the arrays alone, every product spread over all of them in the best grid;
* operators: with the vector units and the HBM, operators one after the other, each as wide as is fastest;
* step: the list schedule of the whole training graph.

    python benchmarks/array_sizes.py [--batch 8 32 128] [--models resnet-50 gnmt-4] [--bandwidth 1]
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from accmine.cost import INVALID, CostLibrary, splits_for
from accmine.hardware import Design, TensorCore, VectorCore, load_accelerator
from accmine.hardware.technology import Technology, area_mm2, chip_of, load_technology
from accmine.ports import Stop
from accmine.search import schedule_task
from accmine.workload import OperatorGraph, PhaseRun, Task, forward_graph, fuse, load_model, training_graph

__all__ = ["ARRAYS", "MODELS", "Row", "design_of", "measure"]

ARRAYS = ((1, 256), (4, 128), (16, 64))
"""How many arrays of which side: as many multiply-accumulators each."""

MODELS = ("resnet-50", "inception-v3", "vgg-16", "resnext-101", "mobilenet-v3-large", "gnmt-4")
"""Convolutional networks, and a recurrent one."""

_IMAGES = {"inception-v3": 299}
_MACS = 256 * 256


@dataclass(frozen=True)
class Row:
    """One model and batch on one chip.

    Attributes
    ----------
    arrays, operators, step
        Utilisations, 0 to 1; see the head of this file.
    steps_per_s
        Training steps per second of the list schedule.
    chip_mm2, arrays_mm2
        Area of the chip, and of its arrays with skew registers, ports to the SRAM and their overhead.
    """

    model: str
    batch: int
    count: int
    side: int
    arrays: float
    operators: float
    step: float
    steps_per_s: float
    chip_mm2: float
    arrays_mm2: float


def design_of(count: int, side: int, bandwidth: float = 1.0) -> Design:
    """A TPUv3-like chip whose multiply-accumulators are ``count`` arrays; a vector core stands beside each.

    Totals are equal: 24 MiB of SRAM at the arrays, 8 MiB at vector units of 4096 operations per cycle.
    ``bandwidth`` is that of the HBM as a multiple of TPUv3's 900 GB/s.
    """
    base = load_accelerator("tpuv3-like")
    tensor_sram = base.tensor_cores * base.tensor.sram_bytes
    vector_sram, lanes = base.vector_cores * base.vector.sram_bytes, base.vector_cores * base.vector.lanes
    return replace(
        base,
        tensor_cores=count,
        tensor=TensorCore(side, side, tensor_sram // count),
        vector_cores=count,
        vector=VectorCore(lanes // count, base.vector.ops_per_lane, vector_sram // count),
        hbm_bytes_per_s=int(base.hbm_bytes_per_s * bandwidth),
    )


def graph_of(name: str, batch: int) -> OperatorGraph:
    """Forward, backward and update of one batch, fused."""
    forward = forward_graph(load_model(name), batch=batch, image=_IMAGES.get(name))
    return fuse(training_graph(forward, optimizer="sgd", accumulate=False))


def measure(model: str, batch: int, graph: OperatorGraph, design: Design, technology: Technology) -> Row:
    """Utilisation of a training graph on a design."""
    library = CostLibrary(
        [graph], splits_for((design.tensor_cores, design.vector_cores), "even"), "tpu-like", technology
    )
    costs = library.costs(design)
    times = np.bincount(library.index(graph)[graph.work_index], minlength=len(library.works))
    macs = float((times * np.array([work.macs for work in library.works], dtype=np.float64)).sum())
    products = costs.uses_tensor & (times > 0)
    all_cycles = np.where(costs.tensor_cycles == INVALID, np.inf, costs.tensor_cycles.astype(np.float64)).min(axis=1)
    apart = np.array([table.duration[0] for table in library.modes(design)], dtype=np.float64)
    task = Task(model, model, (PhaseRun("step", graph, 1),), 1, 0)
    makespan = schedule_task(task, library, design, "list", Stop(), 0).phases[0].cycles
    own = technology.area.tensor_mm2(design.tensor, chip_of(design))
    return Row(
        model,
        batch,
        design.tensor_cores,
        design.tensor.rows,
        arrays=macs / _MACS / float((times * all_cycles)[products].sum()),
        operators=macs / _MACS / float((times * apart)[times > 0].sum()),
        step=macs / _MACS / makespan,
        steps_per_s=design.frequency_hz / makespan,
        chip_mm2=area_mm2(design, technology),
        arrays_mm2=design.tensor_cores * sum(value for part, value in own.items() if part != "tensor_sram"),
    )


def _geometric(values: Sequence[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, values)))


def _print_models(rows: Sequence[Row]) -> None:
    """One line per model and array size; throughput per area against that of 128 x 128."""
    print("model               arrays      utilisation, %            steps/s   steps/s per mm2, 128^2 = 1")
    print("                                arrays operators  step              chip   arrays")
    reference = {row.model: row for row in rows if row.side == 128}
    for row in sorted(rows, key=lambda row: list(reference).index(row.model)):
        base = reference[row.model]
        faster = row.steps_per_s / base.steps_per_s
        print(
            f"{row.model:<19} {row.count:>2} x {row.side:>3}^2 {100 * row.arrays:>8.1f} {100 * row.operators:>9.1f} "
            f"{100 * row.step:>5.1f} {row.steps_per_s:>11.2f} {faster * base.chip_mm2 / row.chip_mm2:>9.3f}"
            f"{faster * base.arrays_mm2 / row.arrays_mm2:>9.3f}"
        )


def _print_summary(rows: Sequence[Row]) -> None:
    """One line per array size: utilisation over the models, and geometric means against 128 x 128."""
    print("arrays      chip mm2  arrays mm2  utilisation of the step   128^2 / this     steps/s per mm2, 128^2 = 1")
    print("                                  range          median     range            chip   arrays")
    base = {row.model: row for row in rows if row.side == 128}
    for count, side in ARRAYS:
        some = [row for row in rows if row.side == side]
        steps = [100 * row.step for row in some]
        ratios = [base[row.model].step / row.step for row in some]
        chip, arrays = some[0].chip_mm2, some[0].arrays_mm2
        faster, one = 1 / _geometric(ratios), next(iter(base.values()))
        print(
            f"{count:>2} x {side:>3}^2 {chip:>10.1f} {arrays:>11.1f}  {min(steps):>4.1f} .. {max(steps):>4.1f} % "
            f"{statistics.median(steps):>7.1f} %     {min(ratios):.2f} .. {max(ratios):.2f} "
            f"{faster * one.chip_mm2 / chip:>10.3f} {faster * one.arrays_mm2 / arrays:>8.3f}"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--batch", type=int, nargs="+", default=(8, 32, 128))
    parser.add_argument("--technology", default="tpu-16nm")
    parser.add_argument("--bandwidth", type=float, default=1.0, help="of the HBM, as a multiple of TPUv3's")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    technology = load_technology(options.technology)
    rows: list[Row] = []
    for batch in options.batch:
        start, found = time.perf_counter(), []
        for model in options.models:
            graph = graph_of(model, batch)
            designs = [design_of(count, side, options.bandwidth) for count, side in ARRAYS]
            found += [measure(model, batch, graph, design, technology) for design in designs]
        print(
            f"batch {batch}, {options.technology}, HBM x {options.bandwidth:g}, {time.perf_counter() - start:.1f} s\n"
        )
        _print_models(found)
        print()
        _print_summary(found)
        print()
        rows += found
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
