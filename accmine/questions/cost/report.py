"""The operators of a step as text, CSV and JSON values."""

from __future__ import annotations

from math import isfinite
from typing import Any

from accmine.cost import OperatorRow, Total, total_of
from accmine.questions.cost.measure import CostedStep
from accmine.report import UNKNOWN, Column, Section, csv, figures, gibibytes, number, percent, seconds, si, texts
from accmine.report import table as text_of
from accmine.workload import Task

__all__ = ["COLUMNS", "LONGEST", "csv_text", "graphml", "operators", "render", "row_values", "to_json", "totals"]

LONGEST = 25
"""Rows that are printed; the others are one row."""

_NAME = 34  # characters of a name in the table
COLUMNS = (
    "operator",
    "kind",
    "phase",
    "size",
    "count",
    "cores",
    "cycles",
    "time",
    "bound",
    "MACs",
    "zeros",
    "HBM",
    "energy",
    "FLOP/B",
    "roof",
    "reached",
    "share",
)
"""Columns of the table; that of zeros is left out where there are none."""

_WORDS = 4  # columns of words before those of numbers


def render(step: CostedStep, *, everything: bool = False, width: int | None = None) -> str:
    """Table, totals, roofline and notes as text; unless ``everything``, the ``LONGEST`` rows and one of all others.

    ``width`` as ``accmine.report.table``.
    """
    tables = [text_of(section, width) for section in (operators(step, everything=everything), totals(step))]
    blocks = [_header(step), *tables, _roofline(step)]
    blocks.append("\n".join(_notes(step)))
    return "\n\n".join(blocks) + "\n"


def operators(step: CostedStep, *, everything: bool = False) -> Section:
    """The rows, longest first; unless ``everything``, the ``LONGEST`` and one of all others."""
    table = step.table
    shown = table.rows if everything or len(table.rows) <= LONGEST + 1 else table.rows[:LONGEST]
    lines = [_row_cells(row, step) for row in shown]
    rest = table.rows[len(shown) :]
    if rest:
        lines.append(_other_cells(total_of("other", rest), len(rest), step))
    columns = [i for i, name in enumerate(COLUMNS) if name != "zeros" or table.step.inserted]
    heads = tuple(Column(COLUMNS[i], numeric=i >= _WORDS and COLUMNS[i] != "bound") for i in columns)
    return Section("operators", "Operators", heads, tuple(tuple(line[i] for i in columns) for line in lines))


def _header(step: CostedStep) -> str:
    lines = [
        f"{step.workload} on {step.accelerator}: {step.design.name}",
        f"A training step of {step.microbatches} microbatch{'es' if step.microbatches > 1 else ''}.",
    ]
    for source, words in (("given", "Given"), ("default", "Defaults"), ("model", "The model's own")):
        own = [f"{s.name.replace('_', ' ')} {s.value}" for s in step.settings if s.source == source]
        if own:
            lines.append(f"{words}: {', '.join(own)}.")
    return "\n".join(lines)


def _row_cells(row: OperatorRow, step: CostedStep) -> list[str]:
    frequency = step.design.frequency_hz
    return [
        _short(row.name),
        row.kind,
        row.phase,
        _size(row),
        f"{row.count:,}",
        f"{row.cores:,}",
        f"{row.cycles:,}",
        seconds(row.duration_cycles / frequency),
        row.bound_by,
        "" if row.utilization is None else f"{100 * row.utilization:.1f} %",
        si(row.step_inserted, "", 3) if row.inserted else "",
        gibibytes(row.step_bytes),
        _joules(row.step_energy_fj),
        _intensity(row.intensity),
        si(row.attainable_flops_per_s, "", 3),
        si(row.reached_flops_per_s, "", 3),
        _share(row.step_cycles, step.table.step.cycles),
    ]


def _other_cells(other: Total, rows: int, step: CostedStep) -> list[str]:
    known = {
        "operator": f"other ({rows} rows)",
        "count": f"{other.operators:,}",
        "zeros": si(other.inserted, "", 3) if other.inserted else "",
        "HBM": gibibytes(other.hbm_bytes),
        "energy": _joules(other.energy_fj),
        "share": _share(other.cycles, step.table.step.cycles),
    }
    return [known.get(name, "") for name in COLUMNS]


def _short(name: str) -> str:
    """A name from both of its ends: layers are told apart by the first, operators by the last."""
    if len(name) <= _NAME:
        return name
    head = (_NAME - 1) // 2
    return f"{name[:head]}…{name[len(name) - (_NAME - 1 - head) :]}"


def _size(row: OperatorRow) -> str:
    sizes = _sizes(row)
    if sizes is None:
        return f"{row.elements:,}"
    m, k, n, batch = sizes
    return f"{m}×{k}×{n}" if batch == 1 else f"{batch}·{m}×{k}×{n}"


def _sizes(row: OperatorRow) -> tuple[int, int, int, int] | None:
    """m, k, n and batch of the product; of fused attention those of its scores, rows × width × keys."""
    gemm, attention = row.work.gemm, row.work.attention
    if gemm is not None:
        return gemm.m, gemm.k, gemm.n, gemm.batch
    return None if attention is None else (attention.rows, attention.width, attention.keys, attention.batch)


def _joules(femtojoules: int | None) -> str:
    return "n/a" if femtojoules is None else si(_in_joules(femtojoules), "J", 3)


def _in_joules(femtojoules: int | None) -> float | None:
    return None if femtojoules is None else femtojoules / 1e15


def _intensity(value: float) -> str:
    return number(value, 3) if isfinite(value) else "∞"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else UNKNOWN


def totals(step: CostedStep) -> Section:
    """Sums of the phases and of the step."""
    table, frequency = step.table, step.design.frequency_hz
    skipped = table.step.inserted > 0
    zeros = ("zeros",) if skipped else ()
    heads = (*texts("sum of"), *figures("operators", "cycles", "time", "MACs", *zeros, "HBM bytes", "energy", "share"))
    rows = tuple(
        (
            total.name,
            f"{total.operators:,}",
            f"{total.cycles:,}",
            seconds(total.cycles / frequency),
            f"{total.macs:,}",
            *((f"{total.inserted:,}",) if skipped else ()),
            f"{total.hbm_bytes:,}",
            _joules(total.energy_fj),
            _share(total.cycles, table.step.cycles),
        )
        for total in (*table.phases, table.step)
    )
    return Section("totals", "Sums", heads, rows)


def _roofline(step: CostedStep) -> str:
    roof, whole = step.table.roof, step.table.step
    intensity = 2 * whole.macs / whole.hbm_bytes if whole.hbm_bytes else 0.0
    peaks = (
        f"arrays {si(roof.tensor_flops_per_s, 'FLOP/s')}",
        f"vector lanes {si(roof.vector_flops_per_s, 'op/s')}",
        f"HBM {si(roof.hbm_bytes_per_s, 'B/s')}",
    )
    return (
        f"Roofline: {', '.join(peaks)}; ridge of the arrays at {number(roof.tensor_ridge, 3)} FLOP/byte, "
        f"of the lanes at {number(roof.vector_ridge, 3)}.\n"
        f"The step as one: {number(intensity, 3)} FLOP/byte, attainable "
        f"{si(roof.attainable(intensity, product=True), 'FLOP/s')}.\n"
        f"Multiply-accumulates at the peak of all arrays: {percent(step.table.utilization)} of the sum. "
        f"The sum by what binds: {_by_bound(step)}."
    )


def _by_bound(step: CostedStep) -> str:
    whole = step.table.step.cycles
    return ", ".join(f"{name} {_share(cycles, whole)}" for name, cycles in step.table.cycles_by_bound.items())


def _notes(step: CostedStep) -> list[str]:
    notes = [
        "The sum is not the makespan of a step: every operator stands alone, with all of the HBM bandwidth, on as many",
        "cores as make it fastest; in a schedule operators run side by side and share cores and HBM.",
        "cycles, time: of one operator; cycles without HBM and launch. HBM, energy, share: of all of them in a step.",
        "MACs: utilisation of the multipliers of the cores held. FLOP/B: FLOP of the product (without one: of the",
        "lanes) per byte of HBM traffic; roof: what all cores can reach at it, in FLOP/s; reached: one operator.",
    ]
    notes.append(f"Interval of time: {step.worth.text}.")
    if step.table.step.inserted:
        notes.append("zeros: multiplications by zeros that a stride inserts, skipped: they are in no other figure.")
    notes.append(
        f"energy: n/a, {step.no_energy}."
        if step.no_energy
        else f"energy: dynamic, constants of {step.technology}; idle power and leakage are charged by time."
    )
    notes += [f"{sentence}." for sentence in step.unstated]
    return [*notes, *(f"Warning: {warning}." for warning in step.warnings)]


def row_values(row: OperatorRow, step: CostedStep) -> dict[str, Any]:
    """Everything about a row under names that carry their units; figures of one operator, then ``step_`` of all."""
    sizes = _sizes(row) or (None, None, None, None)
    whole = step.table.step.cycles
    return {
        "operator": row.name,
        "kind": row.kind,
        "phase": row.phase,
        "count": row.count,
        **dict(zip("mkn", sizes[:3], strict=True)),
        "batch": sizes[3],
        "elements": row.elements if row.work.vector else None,
        "dtype": row.work.dtype,
        "tensor_cores": row.tensor_cores,
        "vector_cores": row.vector_cores,
        "compute_cycles": row.cycles,
        "duration_cycles": row.duration_cycles,
        "duration_s": row.duration_cycles / step.design.frequency_hz,
        "bound_by": row.bound_by,
        "utilization": row.utilization,
        "macs": row.work.macs,
        "inserted_macs": row.inserted,
        "vector_operations": row.vector_operations,
        "hbm_bytes": row.hbm_bytes,
        "energy_fj": row.energy_fj,
        "flop_per_byte": row.intensity if isfinite(row.intensity) else None,
        "attainable_flop_per_s": row.attainable_flops_per_s,
        "reached_flop_per_s": row.reached_flops_per_s,
        "step_cycles": row.step_cycles,
        "step_macs": row.step_macs,
        "step_inserted_macs": row.step_inserted,
        "step_hbm_bytes": row.step_bytes,
        "step_energy_fj": row.step_energy_fj,
        "step_energy_j": _in_joules(row.step_energy_fj),
        "share": row.step_cycles / whole if whole else None,
        "least_sram_bytes": row.least_sram_bytes or None,
    }


def _total_values(total: Total) -> dict[str, Any]:
    return {
        "name": total.name,
        "operators": total.operators,
        "step_cycles": total.cycles,
        "step_macs": total.macs,
        "step_inserted_macs": total.inserted,
        "step_hbm_bytes": total.hbm_bytes,
        "step_energy_fj": total.energy_fj,
        "step_energy_j": _in_joules(total.energy_fj),
    }


def to_json(step: CostedStep) -> dict[str, Any]:
    """All rows, totals, ceilings and settings as plain values."""
    roof = step.table.roof
    return {
        "workload": step.workload,
        "accelerator": step.accelerator,
        "design": step.design.name,
        "frequency_hz": step.design.frequency_hz,
        "technology": step.technology,
        "settings": {setting.name: setting.value for setting in step.settings},
        "defaults": [setting.name for setting in step.settings if setting.source != "given"],
        "microbatches": step.microbatches,
        "rows": [row_values(row, step) for row in step.table.rows],
        "phases": [_total_values(total) for total in step.table.phases],
        "step": _total_values(step.table.step),
        "step_cycles_by_bound": step.table.cycles_by_bound,
        "step_utilization": step.table.utilization,
        "roofline": {
            "tensor_flop_per_s": roof.tensor_flops_per_s,
            "vector_op_per_s": roof.vector_flops_per_s,
            "hbm_bytes_per_s": roof.hbm_bytes_per_s,
            "tensor_ridge_flop_per_byte": roof.tensor_ridge,
            "vector_ridge_op_per_byte": roof.vector_ridge,
        },
        "no_energy": step.no_energy or None,
        "unstated": list(step.unstated),
        "warnings": list(step.warnings),
    }


def csv_text(step: CostedStep) -> str:
    """All rows with a header line; empty cells where a value does not apply."""
    return csv.render([row_values(row, step) for row in step.table.rows])


def graphml(task: Task) -> str:
    """The operators of a step as GraphML: nodes with kind, phase, layer, macs, bytes and runs in a step."""
    import networkx as nx

    return "\n".join(nx.generate_graphml(task.networkx())) + "\n"
