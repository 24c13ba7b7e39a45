"""ZigZag: a core with its memories, the spatial mapping of its dataflow, and the longest products as a workload.

What the accelerator is made of, and what ZigZag's figures mean: ``accmine.cost.measured.zigzag_layer`` and
``accmine.cost.measured.zigzag``. The export has the HBM's own bandwidth, so that ZigZag charges memory stalls itself.

``verify`` compares three figures of every product. Temporal cycles, folds · stream, follow from the spatial mapping
alone and have to be equal. All cycles, and the energy, differ for the reasons that are printed; how far was measured
(``docs/export.md``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import yaml

from accmine.cost import (
    LPF_LIMIT,
    VERSION,
    Evaluation,
    MemorySystem,
    Runner,
    accelerator,
    array_folds,
    evaluate,
    layer,
    mac_pj,
    mapping,
    pace,
    port_bits,
    resolve_timing,
    tensor_costs,
)
from accmine.hardware import Calibration
from accmine.questions.export.comparison import Comparison, operator_reasons
from accmine.questions.export.operators import ExportedOperator, RunAnswer, Winner
from accmine.workload import BYTES
from accmine.workload.work import Gemm, Work

__all__ = ["BAND_LEAST", "CYCLES_BAND", "files", "verify"]

CYCLES_BAND = (0.94, 1.19)
"""ZigZag / accmine of all cycles as measured on 127 products, on 5 arrays in 3 dataflows: at least ``BAND_LEAST``
temporal cycles, folds no shorter than the array's rows, not HBM-bound."""

BAND_LEAST = 2000

Key = tuple[str, str]
"""Dataflow and dtype: what products must share to share an accelerator file."""


def _groups(winner: Winner) -> dict[Key, list[ExportedOperator]]:
    found: dict[Key, list[ExportedOperator]] = {}
    for operator in winner.operators:
        found.setdefault((operator.dataflow, operator.work.dtype), []).append(operator)
    return found


def _hbm_bits(winner: Winner) -> int:
    return max(1, int(8 * winner.design.usable_hbm_bytes_per_cycle))


def _hardware(answer: RunAnswer, winner: Winner, key: Key) -> dict[str, Any]:
    design = winner.design
    return accelerator(design.tensor, *key, answer.timing, answer.technology, design.hbm_bytes, _hbm_bits(winner))


def _layer(operator: ExportedOperator, index: int) -> dict[str, Any]:
    gemm = operator.work.gemm
    assert gemm is not None
    return layer(operator.label, index, gemm.m, gemm.k, gemm.n, operator.work.dtype)


def _text(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)


def files(answer: RunAnswer) -> dict[str, str]:
    """The files of every design: ``accelerator_X.yaml``, ``mapping_X.yaml``, ``workload_X.yaml``, ``run_X.py``, README.

    X is the dataflow and the dtype: a product of another dtype has other energies and words.

    Raises
    ------
    InputError
        If the technology has no energies.
    """
    made: dict[str, str] = {}
    for winner in answer.winners:
        folder = "" if len(answer.winners) == 1 else f"{winner.name}/"
        for key, operators in _groups(winner).items():
            name = "_".join(key)
            made[f"{folder}accelerator_{name}.yaml"] = _text(_hardware(answer, winner, key))
            made[f"{folder}mapping_{name}.yaml"] = _text(mapping(winner.design.tensor, key[0]))
            made[f"{folder}workload_{name}.yaml"] = _text([_layer(o, i) for i, o in enumerate(operators)])
            made[f"{folder}run_{name}.py"] = _SCRIPT.format(name=name, lpf_limit=LPF_LIMIT)
        made[f"{folder}README.txt"] = _readme(answer, winner)
    return made


_SCRIPT = '''"""Run ZigZag on the exported products; prints cycles and energy of each."""

from zigzag.api import get_hardware_performance_zigzag

energy_pj, cycles, found = get_hardware_performance_zigzag(
    workload="workload_{name}.yaml",
    accelerator="accelerator_{name}.yaml",
    mapping="mapping_{name}.yaml",
    opt="latency",
    lpf_limit={lpf_limit},
    dump_folder="out_{name}",
    pickle_filename="out_{name}/found.pickle",
    loma_show_progress_bar=False,
)
for evaluation, _ in found[0][1]:
    figures = evaluation.ideal_temporal_cycle, evaluation.latency_total0, evaluation.latency_total2
    print(evaluation.layer.name, *map(int, figures), f"{{evaluation.energy_total:.4g}} pJ")
print("sum", int(cycles), f"{{energy_pj:.4g}} pJ")
'''


def _readme(answer: RunAnswer, winner: Winner) -> str:
    from accmine.questions.export.readme import heading, operator_table

    commands = "".join(f"    python run_{'_'.join(key)}.py\n" for key in _groups(winner))
    return heading("ZigZag", VERSION, answer, winner) + (
        f"Run it (pip install 'zigzag-dse=={VERSION}' six; seconds per operator), here:\n\n{commands}\n"
        "It prints of each operator: temporal cycles, cycles with stalls, cycles with on- and off-loading, energy.\n\n"
        + operator_table(winner, "folds·stream", {o.label: f"{_temporal(o, winner):,}" for o in winner.operators})
        + "\nWhat it models differently:\n\n"
        + "".join(f"- {line}\n" for line in _general(answer, winner))
    )


def _general(answer: RunAnswer, winner: Winner) -> list[str]:
    words = 2 if resolve_timing(answer.timing).weight_load_overlap else 1
    lines = [
        f"One core of {winner.design.tensor_cores} with the whole bandwidth of the HBM; no vector unit.",
        "Temporal cycles are folds · stream, without fill and drain; equal to accmine's by construction.",
        "systolic_dimensions adds the crossing of the last result once per operator.",
        "Tiles move through the SRAM's ports, not row by row: folds shorter than the array's rows are cheaper.",
        "On- and off-loading of whole SRAM tiles is serial; accmine streams tiles behind the computation.",
        f"Stationary registers of {words} words: with one, the array waits while it is exchanged.",
        f"The search of mappings is cut off at lpf_limit {LPF_LIMIT}: upper bounds of ZigZag's own optimum.",
        "Register energy is 0: the MAC energy of the technology includes it.",
    ]
    if winner.design.shared_sram_bytes:
        lines.append("The shared SRAM of the chip and its ports are left out: private SRAM and HBM only.")
    if any(operator.is_im2col for operator in winner.operators):
        lines.append("Convolutions are their im2col products, with the traffic of the im2col matrix.")
    return lines


def _temporal(operator: ExportedOperator, winner: Winner) -> int:
    gemm, tensor = operator.work.gemm, winner.design.tensor
    assert gemm is not None
    folds, stream = array_folds(gemm.m, gemm.k, gemm.n, tensor.rows, tensor.cols, operator.dataflow)
    return int(folds) * int(stream)


def verify(answer: RunAnswer, runner: Runner = evaluate, lpf_limit: int = LPF_LIMIT) -> tuple[Comparison, ...]:
    """Let ZigZag evaluate every exported product: temporal cycles, which must be equal, and all cycles.

    Raises
    ------
    InputError
        If ZigZag is not installed or finds no mapping, or the technology has no energies.
    """
    found: list[Comparison] = []
    for winner in answer.winners:
        for key, operators in _groups(winner).items():
            hardware, spatial = _hardware(answer, winner, key), mapping(winner.design.tensor, key[0])
            known: dict[tuple[int, ...], Evaluation] = {}  # operators may share their product
            for operator in operators:
                product = _layer(operator, 0)
                sizes = tuple(product["loop_sizes"])
                if sizes not in known:
                    known[sizes] = runner(hardware, spatial, product, lpf_limit, "latency")
                found += _compare(answer, winner, operator, known[sizes])
    return tuple(found)


@dataclass(frozen=True)
class _Own:
    """accmine's figures for one product on one core with the HBM to itself, uncalibrated."""

    cycles: int
    hbm_bytes: int
    mac_j: float
    memory_j: float


def _own(answer: RunAnswer, winner: Winner, operator: ExportedOperator) -> _Own:
    gemm, design = operator.work.gemm, winner.design
    assert gemm is not None
    dtype, size = operator.work.dtype, BYTES[operator.work.dtype]
    a, b, c = gemm.m * gemm.k, gemm.k * gemm.n, gemm.m * gemm.n
    work = Work(Gemm(gemm.m, gemm.k, gemm.n, 1, a, b, c), (), size * (a + b), size * c, dtype)
    core = replace(design.tensor, dataflow=operator.dataflow)
    memory = MemorySystem(design.usable_hbm_bytes_per_cycle)
    found = tensor_costs([work], [core], (1,), timing=answer.timing, technology=answer.technology, memory=memory)
    costs = found.of_type(0)
    assert costs.energy_pj is not None
    assert costs.compulsory_pj is not None
    mac_j = (
        1e-12 * gemm.m * gemm.k * gemm.n * mac_pj(dtype, resolve_timing(answer.timing), answer.technology, core.rates)
    )
    whole_j = 1e-12 * float(costs.energy_pj[0, 0] + costs.compulsory_pj[0])
    return _Own(int(costs.cycles[0, 0]), int(costs.hbm_bytes[0, 0]), mac_j, whole_j - mac_j)


def _compare(answer: RunAnswer, winner: Winner, operator: ExportedOperator, theirs: Evaluation) -> Sequence[Comparison]:
    gemm, own, design = operator.work.gemm, _own(answer, winner, operator), winner.design
    assert gemm is not None
    sizes = gemm.m, gemm.k, gemm.n
    folds, stream = array_folds(*sizes, design.tensor.rows, design.tensor.cols, operator.dataflow)
    temporal, memory = int(folds) * int(stream), ceil(own.hbm_bytes / design.usable_hbm_bytes_per_cycle)
    ours = max(own.cycles, memory)
    passes, rate = pace(operator.work.dtype, design.tensor.rates, resolve_timing(answer.timing))
    short = int(stream) < design.tensor.rows
    what = f"{operator.name}: {gemm.m}×{gemm.k}×{gemm.n} {operator.dataflow}"
    same = ("both are folds · stream: fill, drain and memory left out",)
    reasons = [
        f"accmine: {own.cycles - ceil(passes * temporal / rate):+,} for load, fill, drain and tiles"
        + (f"; HBM-bound at {memory:,}" if memory > own.cycles else "; not HBM-bound"),
        f"ZigZag: {theirs.stall_cycles:+,} stalls of ports, {theirs.drain_cycles:+,} crossing of the last result, "
        f"{theirs.loading_cycles:+,} serial on- and off-loading",
    ]
    if short:
        edge = "shifted in" if operator.dataflow != "os" else "shifted out"
        width = port_bits(design.tensor, 8 * BYTES[operator.work.dtype], _hbm_bits(winner))
        reasons.append(
            f"a fold streams {stream} cycles, fewer than the {design.tensor.rows} in which a tile is {edge} row by "
            f"row; ZigZag moves it through ports of {width} bits"
        )
    if rate != 1:
        reasons.append(f"accmine runs {operator.work.dtype} at {rate:g} times the bf16 rate; ZigZag knows no rates")
    if passes > 1:
        reasons.append(f"accmine runs an fp32 product as {passes} bf16 passes; ZigZag multiplies fp32 at once")
    if design.shared_sram_bytes:
        reasons.append("the shared SRAM and its ports are in neither figure")
    if design.calibration != Calibration():
        reasons.append("the calibration of the accelerator is in neither figure, but for the HBM's bandwidth")
    reasons += operator_reasons(operator, "ZigZag")
    energy = (
        f"accmine: {own.mac_j:.3g} J of MACs, {own.memory_j:.3g} J of SRAM and HBM, {own.hbm_bytes:,} HBM bytes",
        f"ZigZag: {1e-12 * theirs.mac_pj:.3g} J of MACs, {1e-12 * theirs.memory_pj:.3g} J of SRAM and HBM, "
        f"{theirs.hbm_bytes:,} HBM bytes: its search minimises latency, whatever the traffic",
    )
    unlike = short or passes > 1 or memory > own.cycles or temporal < BAND_LEAST
    energies = own.mac_j + own.memory_j, 1e-12 * (theirs.mac_pj + theirs.memory_pj)
    return (
        Comparison(winner.name, what, "temporal cycles", temporal, theirs.temporal_cycles, True, same),
        Comparison(
            winner.name,
            what,
            "cycles on one core",
            ours,
            theirs.cycles,
            False,
            tuple(reasons),
            None if unlike else CYCLES_BAND,
        ),
        Comparison(winner.name, what, "energy on one core, J", *energies, False, energy),
    )
