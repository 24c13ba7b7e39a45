"""Measured operators on whole chips: what a calibration is fitted on and scored with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from accmine.cost import GEMM_DTYPES, PRODUCT, MeasuredRow, number, read_lines, read_rows, whole
from accmine.cost.measured.file import core_name
from accmine.errors import Complaint, InputError
from accmine.hardware import Design
from accmine.workload import BYTES, Vector
from accmine.workload.graph import Gemm, Work

__all__ = ["Sample", "read_samples"]

_TABLE_COLUMNS = ("dtype", "M", "K", "N", "latency_s")
_TABLE_NOTES = ("device", "tflops_reported", "provenance", "source")
_RATE_TOLERANCE = 0.02  # a reported rate is rounded; beyond this the latency is in other units


@dataclass(frozen=True, slots=True)
class Sample:
    """A measured operator on a whole chip.

    Attributes
    ----------
    work
        What was run: a product that reads both operands and writes the result, or a vector operator.
    seconds
        How long it took.
    where
        ``file:line``.
    """

    work: Work
    seconds: float
    where: str

    @staticmethod
    def product(m: int, k: int, n: int, batch: int, dtype: str, seconds: float, where: str) -> Sample:
        """A measured product C[m,n] = A[m,k] · B[k,n], ``batch`` times."""
        size = BYTES[dtype]
        a, b, c = batch * m * k, batch * k * n, batch * m * n
        return Sample(Work(Gemm(m, k, n, batch, a, b, c), (), (a + b) * size, c * size, dtype), seconds, where)

    @property
    def name(self) -> str:
        """Sizes m, k and n of a product; kind and sizes of a vector operator."""
        g = self.work.gemm
        if g is None:
            part = self.work.vector[0]
            return f"{part.kind} {part.elements}/{part.row}"
        return f"{g.m}x{g.k}x{g.n}" + (f" ({g.batch})" if g.batch > 1 else "")


def read_samples(path: str | Path, design: Design) -> tuple[Sample, ...]:
    """Measured operators of a file that ran on all cores of ``design``.

    Either a table of measured operators (``accmine.cost.measured.file``), of which the products on all tensor cores
    and the vector operators on all vector cores count; or a table with the columns ``dtype, M, K, N, latency_s`` of
    products on a whole device (C[M,N] = A[M,K] · B[K,N], seconds).

    Raises
    ------
    InputError
        Every complaint about the file at once, with file, line and column; no operator on the cores of ``design``; a
        vector operator without ``bytes``, which its sizes do not tell; a product faster than the peak of ``design``.
    """
    path = Path(path)
    lines = read_lines(path)
    samples = _from_devices(path, lines) if "latency_s" in lines[0][1] else _from_rows(path, design)
    complaints = [_faster(sample, design) for sample in samples if sample.seconds < _peak_s(sample, design)]
    if complaints:
        raise InputError(complaints)
    return samples


def _peak_s(sample: Sample, design: Design) -> float:
    return sample.work.macs / design.peak_macs_per_s / (design.tensor.rate(sample.work.dtype) or 1.0)


def _faster(sample: Sample, design: Design) -> Complaint:
    text = (
        f"{sample.seconds:.3g} s for {sample.name}, but {design.name} needs {_peak_s(sample, design):.3g} s at its "
        "peak; another chip, or another unit?"
    )
    return Complaint(sample.where, "latency_s", f"faster than the peak: {text}")


def _from_rows(path: Path, design: Design) -> tuple[Sample, ...]:
    rows = read_rows(path)
    whole_chip = ((design.tensor.plain, design.tensor_cores), (design.vector.plain, design.vector_cores))
    own = [row for row in rows if (row.core, row.cores) in whole_chip]
    if not own:
        found = sorted({f"{row.cores} × {core_name(row.core)}" for row in rows})
        wanted = " or ".join(f"{cores} × {core_name(core)}" for core, cores in whole_chip)
        raise InputError(f"no operator on {wanted}; in the file: {', '.join(found)}", where=str(path))
    complaints = [
        Complaint(row.where, "bytes", f"is needed to calibrate with {row.kind!r}: its traffic is not in its sizes")
        for row in own
        if row.kind != PRODUCT and row.hbm_bytes is None
    ]
    if complaints:
        raise InputError(complaints)
    return tuple(_sample(row, row.cycles / design.frequency_hz) for row in own)


def _sample(row: MeasuredRow, seconds: float) -> Sample:
    if row.kind == PRODUCT:
        m, k, n, batch = row.size
        return Sample.product(m, k, n, batch, row.dtype, seconds, row.where)
    elements, length = row.size
    work = Work(None, (Vector(row.kind, elements, length),), row.hbm_bytes or 0, 0, row.dtype)
    return Sample(work, seconds, row.where)


def _from_devices(path: Path, lines: Sequence[tuple[int, dict[str, str]]]) -> tuple[Sample, ...]:
    columns = tuple(lines[0][1])
    missing = [name for name in _TABLE_COLUMNS if name not in columns]
    unknown = [name for name in columns if name not in (*_TABLE_COLUMNS, *_TABLE_NOTES)]
    if missing or unknown:
        text = "; ".join(
            f"{word} columns: {', '.join(n)}" for word, n in (("missing", missing), ("unknown", unknown)) if n
        )
        raise InputError(
            f"{text}; needed: {', '.join(_TABLE_COLUMNS)}, allowed too: {', '.join(_TABLE_NOTES)}", str(path)
        )
    devices = sorted({cells.get("device", "") for _, cells in lines})
    if len(devices) > 1:
        raise InputError(f"rows of several devices: {', '.join(devices)}; calibrate one at a time", str(path), "device")
    samples, complaints = [], []
    for line_number, cells in lines:
        wrong: list[tuple[str, str]] = []
        sample = _device_sample(cells, f"{path}:{line_number}", wrong)
        complaints += [Complaint(f"{path}:{line_number}", column, message) for column, message in wrong]
        samples += [] if sample is None else [sample]
    if complaints:
        raise InputError(complaints)
    return tuple(samples)


def _device_sample(cells: dict[str, str], where: str, wrong: list[tuple[str, str]]) -> Sample | None:
    m, k, n = (whole(cells, name, wrong) for name in ("M", "K", "N"))
    seconds, rate = number(cells, "latency_s", wrong), number(cells, "tflops_reported", wrong)
    wrong += [(name, "is needed") for name in _TABLE_COLUMNS if not cells[name]]
    if cells["dtype"] and cells["dtype"] not in GEMM_DTYPES:
        wrong.append(("dtype", f"unknown dtype {cells['dtype']!r} of a product; allowed: {', '.join(GEMM_DTYPES)}"))
    if wrong or m is None or k is None or n is None or seconds is None:
        return None
    if rate is not None and abs(2e-12 * m * k * n / seconds / rate - 1) > _RATE_TOLERANCE:
        wrong.append(
            ("latency_s", f"{seconds:g} s are {2e-12 * m * k * n / seconds:.4g} TFLOP/s, reported {rate:g}: units?")
        )
    return Sample.product(m, k, n, 1, cells["dtype"], seconds, where)
