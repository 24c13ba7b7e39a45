"""Ledgers of times: the array against runs of SCALE-Sim 3.0.0, and products on a whole chip against silicon."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from accmine.cost import gemm
from accmine.errors import Complaint, InputError
from accmine.files import read_text
from accmine.hardware import Design

__all__ = ["MATMUL_ACCELERATOR", "LedgerRow", "MatmulRow", "matmul_ledger", "scalesim_ledger"]

MATMUL_ACCELERATOR = "a100-80gb-like"
"""Accelerator file of the chip on which the products of the ledger were measured."""

_COLUMNS = ("dataflow", "rows", "cols", "layer", "M", "N", "K", "cycles", "utilization")


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One run of the tool beside the model.

    Attributes
    ----------
    layer, dataflow, rows, cols, m, k, n
        What was run: C[m,n] = A[m,k] · B[k,n] on a ``rows`` × ``cols`` array.
    tool_cycles, model_cycles
        "Total Cycles" of the tool, and ``gemm(..., timing="scalesim3").cycles``.
    tool_utilization, model_utilization
        Fractions 0 to 1.
    """

    layer: str
    dataflow: str
    rows: int
    cols: int
    m: int
    k: int
    n: int
    tool_cycles: int
    model_cycles: int
    tool_utilization: float
    model_utilization: float

    @property
    def exact(self) -> bool:
        """Whether the cycles agree exactly."""
        return self.tool_cycles == self.model_cycles


def scalesim_ledger(path: str | Path) -> list[LedgerRow]:
    """Compare every row of a CSV of SCALE-Sim runs with ``timing="scalesim3"``.

    The CSV has at least the columns ``dataflow, rows, cols, layer, M, N, K, cycles`` and ``utilization``
    (percent); lines that start with ``#`` are comments.

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column or a row, or holds something that is not a number.
    """
    lines = read_text(Path(path)).splitlines()
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line and not line.startswith("#")]
    reader = csv.DictReader(line for _, line in numbered)
    missing = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise InputError(f"missing columns {', '.join(missing)}; needed: {', '.join(_COLUMNS)}", where=str(path))
    rows: list[LedgerRow] = []
    complaints: list[Complaint] = []
    for (number, _), record in zip(numbered[1:], reader, strict=True):
        try:
            rows.append(_row(record))
        except (ValueError, TypeError, InputError) as error:
            complaints.append(Complaint(f"{path}:{number}", "", str(error)))
    if complaints:
        raise InputError(complaints)
    if not rows:
        raise InputError("no rows", where=str(path))
    return rows


def _row(record: dict[str, str]) -> LedgerRow:
    rows, cols, m, n, k, cycles = (int(record[column]) for column in ("rows", "cols", "M", "N", "K", "cycles"))
    cost = gemm(m, k, n, (rows, cols), record["dataflow"], "scalesim3")
    utilization = float(record["utilization"]) / 100
    return LedgerRow(
        record["layer"],
        record["dataflow"],
        rows,
        cols,
        m,
        k,
        n,
        cycles,
        cost.cycles,
        utilization,
        cost.utilization,
    )


@dataclass(frozen=True, slots=True)
class MatmulRow:
    """A measured product beside the model, whose constants were fitted on other rows.

    Attributes
    ----------
    name
        Sizes m, k, n.
    measured_s
        Measured seconds.
    model_s, launch_only_s, uncorrected_s
        Modelled seconds with all constants of a calibration, with its launch constant alone, and with none.
    """

    name: str
    measured_s: float
    model_s: float
    launch_only_s: float
    uncorrected_s: float


def matmul_ledger(path: str | Path, design: Design, seed: int = 0) -> list[MatmulRow]:
    """Every product of a table of measured ones against the model of a chip.

    The rows are divided in two halves (``score.drawn``); those of either are modelled with constants
    fitted on the other. No row is compared with constants that have seen it.

    Raises
    ------
    InputError
        As ``accmine.questions.accuracy.samples.read_samples``, and for fewer rows than two halves need.
    """
    from accmine.questions.accuracy.calibrate import cross_fit
    from accmine.questions.accuracy.samples import read_samples
    from accmine.questions.accuracy.score import drawn

    samples = read_samples(path, design)
    parts = drawn([sample.seconds for sample in samples], 0.5, seed)
    columns = cross_fit(samples, design, parts)
    return [
        MatmulRow(sample.name, sample.seconds, *(float(column[i]) for column in columns))
        for i, sample in enumerate(samples)
    ]
