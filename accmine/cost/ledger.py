"""Ledger of array timing against SCALE-Sim 3.0.0: every row of a table of the tool's runs."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from accmine.cost.gemm import gemm
from accmine.errors import Complaint, InputError

__all__ = ["LedgerRow", "scalesim_ledger"]

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
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read: {error}", where=str(path)) from None
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
