"""Files of measured operators: one CSV row per operator, core type and number of cores.

=====================  =============================================================================================
column                 meaning
=====================  =============================================================================================
``kind``               ``gemm``, or a vector kind of ``accmine.workload.kinds.VECTOR_KINDS``
``m, k, n, batch``     sizes of a product C[m,n] = A[m,k] · B[k,n]; an empty ``batch`` is 1
``elements, row``      of a vector operator: elements of its main tensor, and of a row (1 for element-wise kinds)
``dtype``              of the operands
``core``               canonical name of one core, e.g. ``tc128x128ws-12Mi`` or ``vc128x16-4Mi`` (``core_name``)
``cores``              cores the operator ran on; without the column 1
``cycles``             clock cycles from start to end; or ``seconds`` with ``frequency_hz``
``bytes``              moved to and from HBM; may be empty
``joules``             dynamic energy; may be empty
``source``             what was run, and where
=====================  =============================================================================================

Empty cells stand for "does not apply" or "not measured". Lines that start with ``#`` are comments. Columns of other
names are refused: a column that nobody reads is a slip of the pen.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from accmine.cost.arrays.gemm import GEMM_DTYPES
from accmine.cost.vector import VECTOR_TABLE
from accmine.errors import Complaint, InputError
from accmine.files import did_you_mean, read_text
from accmine.hardware import DATAFLOW_CHOICES, TensorCore, VectorCore
from accmine.hardware.precision import MOST_RATE
from accmine.workload import BYTES, VECTOR_KINDS

__all__ = ["COLUMNS", "PRODUCT", "MeasuredRow", "core_name", "number", "parse_core", "read_lines", "read_rows", "whole"]

PRODUCT = "gemm"
"""Kind of a matrix product."""

_SIZES = {True: ("m", "k", "n", "batch"), False: ("elements", "row")}
_NEEDED = ("kind", "dtype", "core", "source")
COLUMNS: tuple[str, ...] = (
    *("kind", "m", "k", "n", "batch", "elements", "row", "dtype", "core", "cores"),
    *("cycles", "seconds", "frequency_hz", "bytes", "joules", "source"),
)
"""Every column a file may have."""

_LEAST_HZ = 1_000_000  # a clock below 1 MHz is a number in other units
_TENSOR = re.compile(rf"tc(\d+)x(\d+)({'|'.join(DATAFLOW_CHOICES)})-(\d+)(Ki|Mi|Gi)?\Z")
_VECTOR = re.compile(r"vc(\d+)x(\d+)-(\d+)(Ki|Mi|Gi)?\Z")
_UNITS = {"Gi": 1 << 30, "Mi": 1 << 20, "Ki": 1 << 10}
_MOST = 2**53  # sizes and cycles are exact as floats up to here


@dataclass(frozen=True, slots=True)
class MeasuredRow:
    """One measured operator.

    Attributes
    ----------
    kind
        ``PRODUCT`` or a vector kind.
    size
        (m, k, n, batch) of a product, (elements, row) of a vector operator.
    dtype
        Of the operands.
    core
        Type of the cores it ran on.
    cores
        How many of them.
    cycles
        From start to end, with everything the operator waited for.
    hbm_bytes
        Moved to and from HBM; ``None``: not measured.
    joules
        Dynamic energy; ``None``: not measured.
    source
        What was measured, as the file says.
    where
        ``file:line``.
    """

    kind: str
    size: tuple[int, ...]
    dtype: str
    core: TensorCore | VectorCore
    cores: int
    cycles: int
    hbm_bytes: int | None
    joules: float | None
    source: str
    where: str

    @property
    def key(self) -> tuple[object, ...]:
        """What was run: equal for two measurements of the same operator on the same cores."""
        return self.kind, self.size, self.dtype, self.core, self.cores


def core_name(core: TensorCore | VectorCore) -> str:
    """Canonical name of a core type, as it stands in the names of designs, without the number of cores."""
    size = str(core.sram_bytes)
    for suffix, unit in _UNITS.items():
        if core.sram_bytes >= unit and core.sram_bytes % unit == 0:
            size = f"{core.sram_bytes // unit}{suffix}"
            break
    if isinstance(core, TensorCore):
        return f"tc{core.rows}x{core.cols}{core.dataflow}-{size}"
    return f"vc{core.lanes}x{core.ops_per_lane}-{size}"


def parse_core(text: str) -> TensorCore | VectorCore:
    """The core type of a canonical name.

    Raises
    ------
    InputError
        If the text is not one; the message says how to write it.
    """
    core: TensorCore | VectorCore
    if match := _TENSOR.match(text):
        core = TensorCore(int(match[1]), int(match[2]), int(match[4]) * _UNITS.get(match[5], 1), match[3])
    elif match := _VECTOR.match(text):
        core = VectorCore(int(match[1]), int(match[2]), int(match[3]) * _UNITS.get(match[4], 1))
    else:
        flows = ", ".join(DATAFLOW_CHOICES)
        raise InputError(
            f"unknown core {text!r}; write tcROWSxCOLSdataflow-SRAM with a dataflow of {flows}, such as "
            "tc128x128ws-12Mi, or vcLANESxOPERATIONS-SRAM, such as vc128x16-4Mi"
        )
    if min(int(digits) for digits in match.groups() if digits and digits.isdigit()) < 1:
        raise InputError(f"sizes of core {text!r} must be at least 1")
    if core_name(core) != text:
        raise InputError(f"core {text!r} must be written {core_name(core)!r}")
    return core


def read_lines(path: Path) -> list[tuple[int, dict[str, str]]]:
    """(line number, cells by column) of every row of a CSV; comments and empty lines are left out.

    Cells are stripped, and empty ones kept.

    Raises
    ------
    InputError
        If the file cannot be read, has no rows, a column twice, or a row with too many or too few cells.
    """
    lines = read_text(path).splitlines()
    numbered = [(i, line) for i, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    if len(numbered) < 2:
        raise InputError("no rows: a line of column names and at least one row are needed", where=str(path))
    header = _cells(path, *numbered[0])
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise InputError(f"columns given twice: {', '.join(twice)}", where=f"{path}:{numbered[0][0]}")
    rows, complaints = [], []
    for line_number, line in numbered[1:]:
        cells = _cells(path, line_number, line)
        if len(cells) != len(header):
            text = f"{len(cells)} cells, but {len(header)} columns: {', '.join(header)}"
            complaints.append(Complaint(f"{path}:{line_number}", "", text))
        else:
            rows.append((line_number, dict(zip(header, cells, strict=True))))
    if complaints:
        raise InputError(complaints)
    return rows


def _cells(path: Path, line_number: int, line: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], strict=True))]
    except csv.Error as error:
        raise InputError(f"is no line of a CSV: {error}", where=f"{path}:{line_number}") from None


def read_rows(path: Path) -> tuple[MeasuredRow, ...]:
    """Every measured operator of a file; rows that say the same twice are kept once.

    Raises
    ------
    InputError
        Every complaint at once, with file, line and column: unknown columns, kinds, dtypes and cores, sizes that are
        missing or not positive, several rows for one operator that disagree, fewer cycles than the arithmetic needs
        on the cores named, and what ``read_lines`` refuses.
    """
    lines = read_lines(path)
    _check_header(path, tuple(lines[0][1]))
    rows: dict[tuple[object, ...], MeasuredRow] = {}
    complaints: list[Complaint] = []
    for line_number, cells in lines:
        where = f"{path}:{line_number}"
        wrong: list[tuple[str, str]] = []
        row = _row(cells, where, wrong)
        complaints += [Complaint(where, column, message) for column, message in wrong]
        if row is None:
            continue
        first = rows.setdefault(row.key, row)
        if (first.cycles, first.hbm_bytes, first.joules) != (row.cycles, row.hbm_bytes, row.joules):
            place = first.where.rsplit(":", 1)[1]
            complaints.append(
                Complaint(where, "", f"the same operator as in line {place}, with other values; keep one")
            )
    if complaints:
        raise InputError(complaints)
    return tuple(rows.values())


def _check_header(path: Path, columns: Sequence[str]) -> None:
    wrong = [
        Complaint(f"{path}", name, f"unknown column; {did_you_mean(name, COLUMNS)}allowed: {', '.join(COLUMNS)}")
        for name in columns
        if name not in COLUMNS
    ]
    missing = [name for name in _NEEDED if name not in columns]
    if "cycles" not in columns and not {"seconds", "frequency_hz"} <= set(columns):
        missing.append("cycles (or seconds and frequency_hz)")
    if missing:
        wrong.append(Complaint(f"{path}", "", f"missing columns: {', '.join(missing)}"))
    if wrong:
        raise InputError(wrong)


def number(cells: Mapping[str, str], column: str, wrong: list[tuple[str, str]]) -> float | None:
    """A positive, finite number of a cell; ``None`` where the cell is empty or wrong (said in ``wrong``)."""
    text = cells.get(column, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        wrong.append((column, f"must be a number above 0, got {text!r}"))
        return None
    return value


def whole(cells: Mapping[str, str], column: str, wrong: list[tuple[str, str]]) -> int | None:
    """A whole number from 1 of a cell; ``None`` where the cell is empty or wrong (said in ``wrong``)."""
    text = cells.get(column, "")
    if not text:
        return None
    try:
        value = int(text)
    except ValueError:
        value = 0
    if not 1 <= value <= _MOST:
        wrong.append((column, f"must be a whole number from 1 to 2^53, got {text!r}"))
        return None
    return value


def _row(cells: Mapping[str, str], where: str, wrong: list[tuple[str, str]]) -> MeasuredRow | None:
    """The row, or ``None`` with what is wrong about it, as (column, message) in ``wrong``."""
    kind, dtype = cells["kind"], cells["dtype"]
    is_product = kind == PRODUCT
    if not is_product and kind not in VECTOR_KINDS:
        hint = did_you_mean(kind, (PRODUCT, *VECTOR_KINDS))
        wrong.append(("kind", f"unknown kind {kind!r}; {hint}allowed: {PRODUCT}, {', '.join(VECTOR_KINDS)}"))
    dtypes = GEMM_DTYPES if is_product else tuple(BYTES)
    if dtype not in dtypes:
        wrong.append(("dtype", f"unknown dtype {dtype!r}; allowed: {', '.join(dtypes)}"))
    core: TensorCore | VectorCore | None = None
    try:
        core = parse_core(cells["core"])
    except InputError as error:
        wrong += [("core", item.message) for item in error.complaints]
    if core is not None and not wrong and is_product != isinstance(core, TensorCore):
        wrong.append(("core", f"{kind} runs on a {'tensor' if is_product else 'vector'} core, got {cells['core']!r}"))
    if not cells["source"]:
        wrong.append(("source", "must say what was measured"))
    size = _size(cells, kind, wrong) if is_product or kind in VECTOR_KINDS else None
    cores = whole({"cores": cells.get("cores", "") or "1"}, "cores", wrong)
    cycles = _cycles(cells, wrong)
    hbm_bytes, joules = whole(cells, "bytes", wrong), number(cells, "joules", wrong)
    if wrong or core is None or size is None or cores is None or cycles is None:
        return None
    row = MeasuredRow(kind, size, dtype, core, cores, cycles, hbm_bytes, joules, cells["source"], where)
    if cycles < (least := _least_cycles(row)):
        text = f"{cycles:,} cycles, but the arithmetic alone needs {least:,} on {cores} × {core_name(core)}"
        wrong.append(("cycles" if cells.get("cycles") else "seconds", f"faster than the peak of the cores: {text}"))
        return None
    return row


def _size(cells: Mapping[str, str], kind: str, wrong: list[tuple[str, str]]) -> tuple[int, ...] | None:
    is_product = kind == PRODUCT
    own, other = _SIZES[is_product], _SIZES[not is_product]
    wrong += [(name, f"is no size of {kind!r}; leave it empty") for name in other if cells.get(name)]
    given = {**cells, "batch": cells.get("batch", "") or "1"}
    if kind in VECTOR_TABLE and not VECTOR_TABLE[kind].has_row:
        given["row"] = cells.get("row", "") or "1"
    missing = [name for name in own if not given.get(name)]
    wrong += [(name, f"is needed for {kind!r}") for name in missing]
    sizes = [whole(given, name, wrong) for name in own]
    if None in sizes:
        return None
    size = tuple(one for one in sizes if one is not None)
    if math.prod(size) > _MOST:
        wrong.append((own[0], f"{' × '.join(map(str, size))} is more arithmetic than the model counts exactly (2^53)"))
        return None
    # A row of a kind without rows, or one longer than the tensor, says nothing: the model's works write it this way.
    if not is_product and kind in VECTOR_TABLE:
        return size[0], min(size[1], size[0]) if VECTOR_TABLE[kind].has_row else 1
    return size


def _cycles(cells: Mapping[str, str], wrong: list[tuple[str, str]]) -> int | None:
    cycles, seconds = whole(cells, "cycles", wrong), number(cells, "seconds", wrong)
    clock = number(cells, "frequency_hz", wrong)
    if clock is not None and clock < _LEAST_HZ:
        wrong.append(
            ("frequency_hz", f"must be at least {_LEAST_HZ:,} Hz, got {cells['frequency_hz']!r}; write it in Hz")
        )
        return None
    if cells.get("cycles") and cells.get("seconds"):
        wrong.append(("cycles", "cycles and seconds exclude each other; give one"))
        return None
    if cells.get("cycles"):
        return cycles
    if not cells.get("seconds"):
        wrong.append(("cycles", "is needed, or seconds with frequency_hz"))
    elif not cells.get("frequency_hz"):
        wrong.append(("frequency_hz", "is needed with seconds: cycles = seconds · frequency_hz"))
    return None if seconds is None or clock is None else max(1, round(seconds * clock))


def _least_cycles(row: MeasuredRow) -> int:
    """Cycles below which the cores would be faster than their peak: arithmetic over units, rounded up."""
    core = row.core
    if isinstance(core, TensorCore):
        # Types of one byte may be faster than bf16 by as much as a chip can state; which chip, no file says.
        work, units = math.prod(row.size), core.macs * (MOST_RATE if BYTES[row.dtype] == 1 else 1)
    else:
        # The model's own count: a bound made with it has to stay below what was measured.
        work, units = VECTOR_TABLE[row.kind].operations * row.size[0], core.lanes * core.ops_per_lane
    return -(-work // (units * row.cores))
