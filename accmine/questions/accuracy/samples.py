"""Measured operators on whole chips: what a calibration is fitted on and scored with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from accmine.cost import GEMM_DTYPES, PRODUCT, MeasuredRow, number, read_lines, read_rows, whole
from accmine.cost.corrections import family
from accmine.cost.measured.file import core_name
from accmine.cost.vector import VECTOR_TABLE
from accmine.errors import Complaint, InputError
from accmine.files import did_you_mean
from accmine.hardware import Design
from accmine.hardware.calibration import KINDS
from accmine.workload import BYTES, Vector
from accmine.workload.graph import Gemm, Work

__all__ = ["CLOCKS", "Sample", "chosen", "read_samples"]

_PRODUCT_COLUMNS, _VECTOR_COLUMNS = ("M", "K", "N"), ("rows", "cols", "elements")
_KIND_COLUMNS = ("op", "kind")
_LIBRARY_NAMES = {"layernorm": "layer-norm", "rmsnorm": "rms-norm", "batchnorm": "batch-norm"}
"""Names of vector operators in libraries -> ours."""

CLOCKS = ("kernel", "host")
"""Clocks of measurements: that of the device around the kernel, or that of the host, launch and waiting included."""

_SLOWEST = 1000.0
_LONGEST_BESIDE_S = 1e-3
"""A row that takes longer than this and ``_SLOWEST`` × what the peaks allow is in other units."""

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
    clock
        One of ``CLOCKS``.
    """

    work: Work
    seconds: float
    where: str
    clock: str = "kernel"

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


def read_samples(path: str | Path, design: Design, clock: str = "kernel") -> tuple[Sample, ...]:
    """Measured operators of a file that ran on all cores of ``design``; of repeated ones the median.

    Either a table of measured operators (``accmine.cost.measured.file``), of which the products on all tensor cores
    and the vector operators on all vector cores count; or a table of whole devices with the columns ``dtype`` and
    ``latency_s`` (seconds), for products ``M, K, N`` (C[M,N] = A[M,K] · B[K,N]), for vector operators ``op`` or
    ``kind`` and ``rows, cols`` or ``elements``. Other columns of such a table are not read.

    Parameters
    ----------
    clock
        Of rows of a device without a column ``clock``.

    Raises
    ------
    InputError
        Every complaint about the file at once, with file, line and column; no operator on the cores of ``design``; a
        vector operator without ``bytes``, which its sizes do not tell; an operator faster than the peaks of ``design``,
        or so slow that its time is in other units.
    """
    path = Path(path)
    if clock not in CLOCKS:
        raise InputError(f"unknown clock {clock!r}; allowed: {', '.join(CLOCKS)}", field="clock")
    lines = read_lines(path)
    samples = _from_devices(path, lines, clock) if "latency_s" in lines[0][1] else _from_rows(path, design)
    complaints = [_faster(sample, design) for sample in samples if sample.seconds < _peak_s(sample, design)]
    complaints += [_slower(sample, design) for sample in samples if sample.seconds > _slowest_s(sample, design)]
    if complaints:
        raise InputError(complaints)
    return _medians(samples)


def chosen(samples: Sequence[Sample], kinds: Sequence[str] | None) -> tuple[Sample, ...]:
    """The samples of some kinds of operator (``accmine.hardware.calibration.KINDS``); of all by default.

    Raises
    ------
    InputError
        For an unknown kind, or one without any row.
    """
    measured = dict.fromkeys(family(sample.work) for sample in samples)
    for kind in kinds or ():
        if kind not in KINDS:
            text = f"unknown kind {kind!r}; {did_you_mean(kind, KINDS)}allowed: {', '.join(KINDS)}"
            raise InputError(text, field="--kind")
        if kind not in measured:
            raise InputError(f"no row of kind {kind}; measured: {', '.join(measured)}", field="--kind")
    return tuple(sample for sample in samples if not kinds or family(sample.work) in kinds)


def _medians(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """One sample for each operator and clock, with the median of its times."""
    found: dict[tuple[Work, str], list[Sample]] = {}
    for sample in samples:
        found.setdefault((sample.work, sample.clock), []).append(sample)
    return tuple(replace(group[0], seconds=float(median(s.seconds for s in group))) for group in found.values())


def _slowest_s(sample: Sample, design: Design) -> float:
    moved = (sample.work.bytes_in + sample.work.bytes_out) / design.hbm_bytes_per_s
    return max(_LONGEST_BESIDE_S, _SLOWEST * max(_peak_s(sample, design), moved))


def _slower(sample: Sample, design: Design) -> Complaint:
    text = f"{sample.seconds:.3g} s for {sample.name} are more than {_SLOWEST:g} times what the peaks allow"
    return Complaint(sample.where, "latency_s", f"{text} of {design.name}: another unit than seconds?")


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


def _from_devices(path: Path, lines: Sequence[tuple[int, dict[str, str]]], clock: str) -> tuple[Sample, ...]:
    columns = tuple(lines[0][1])
    times = [name for name in columns if name.startswith("latency_") and name != "latency_s"]
    if times:
        raise InputError(f"times in several units: latency_s, {', '.join(times)}; keep one", str(path), times[0])
    named = any(name in columns for name in _KIND_COLUMNS)
    needed = ("dtype",) if named else ("dtype", *_PRODUCT_COLUMNS)
    missing = [name for name in needed if name not in columns]
    if missing:
        vectors = "op (or kind) with rows and cols, or elements, for vector operators"
        text = f"missing columns: {', '.join(missing)}; needed: dtype, latency_s, and M, K, N for products, {vectors}"
        raise InputError(text, str(path))
    devices = sorted({cells.get("device", "") for _, cells in lines})
    if len(devices) > 1:
        raise InputError(f"rows of several devices: {', '.join(devices)}; calibrate one at a time", str(path), "device")
    samples, complaints = [], []
    for line_number, cells in lines:
        wrong: list[tuple[str, str]] = []
        own = cells.get("clock", "") or clock
        if own not in CLOCKS:
            wrong.append(("clock", f"unknown clock {own!r}; allowed: {', '.join(CLOCKS)}"))
        op = next((cells[name] for name in _KIND_COLUMNS if cells.get(name)), PRODUCT)
        read = _device_product if op in (PRODUCT, "matmul") else _device_vector
        sample = read(cells, f"{path}:{line_number}", own, wrong)
        complaints += [Complaint(f"{path}:{line_number}", column, message) for column, message in wrong]
        samples += [] if sample is None else [sample]
    if complaints:
        raise InputError(complaints)
    return tuple(samples)


def _device_product(cells: dict[str, str], where: str, clock: str, wrong: list[tuple[str, str]]) -> Sample | None:
    m, k, n = (whole(cells, name, wrong) for name in _PRODUCT_COLUMNS)
    seconds, rate = number(cells, "latency_s", wrong), number(cells, "tflops_reported", wrong)
    wrong += [(name, "is needed") for name in ("dtype", *_PRODUCT_COLUMNS, "latency_s") if not cells.get(name)]
    if cells["dtype"] and cells["dtype"] not in GEMM_DTYPES:
        wrong.append(("dtype", f"unknown dtype {cells['dtype']!r} of a product; allowed: {', '.join(GEMM_DTYPES)}"))
    if wrong or m is None or k is None or n is None or seconds is None:
        return None
    if rate is not None and abs(2e-12 * m * k * n / seconds / rate - 1) > _RATE_TOLERANCE:
        wrong.append(
            ("latency_s", f"{seconds:g} s are {2e-12 * m * k * n / seconds:.4g} TFLOP/s, reported {rate:g}: units?")
        )
    return replace(Sample.product(m, k, n, 1, cells["dtype"], seconds, where), clock=clock)


def _device_vector(cells: dict[str, str], where: str, clock: str, wrong: list[tuple[str, str]]) -> Sample | None:
    """A vector operator that reads its tensor and writes one of its size, once each."""
    column = next(name for name in _KIND_COLUMNS if cells.get(name))
    kind = _LIBRARY_NAMES.get(cells[column], cells[column])
    if kind not in VECTOR_TABLE:
        wrong.append((column, f"unknown kind {kind!r}; {did_you_mean(kind, tuple(VECTOR_TABLE))}allowed: {PRODUCT} …"))
        return None
    if cells["dtype"] not in BYTES:
        wrong.append(("dtype", f"unknown dtype {cells['dtype']!r}; allowed: {', '.join(BYTES)}"))
    rows, cols, elements = (whole(cells, name, wrong) for name in _VECTOR_COLUMNS)
    seconds = number(cells, "latency_s", wrong)
    if not cells.get("latency_s"):
        wrong.append(("latency_s", "is needed"))
    if rows is not None and cols is not None and elements not in (None, rows * cols):
        wrong.append(("elements", f"are {elements:,}, but rows · cols are {rows * cols:,}"))
    elements = rows * cols if rows is not None and cols is not None else elements
    if elements is None and not wrong:
        wrong.append(("elements", "is needed where rows and cols are empty"))
    if VECTOR_TABLE[kind].has_row and cols is None and not wrong:
        wrong.append(("cols", f"is needed: {kind!r} works on rows"))
    if wrong or elements is None or seconds is None:
        return None
    moved = elements * BYTES[cells["dtype"]]
    row = cols if VECTOR_TABLE[kind].has_row and cols is not None else 1
    return Sample(Work(None, (Vector(kind, elements, row),), moved, moved, cells["dtype"]), seconds, where, clock)
