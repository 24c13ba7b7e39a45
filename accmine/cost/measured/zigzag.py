"""ZigZag as a source of costs: products evaluated by its mapping search, as rows of a table of measurements.

ZigZag (KU Leuven, MIT licence; ``pip install 'accmine[zigzag]'``) searches the loop nests of a layer on an array with
a memory hierarchy and evaluates latency and energy. One product takes it seconds, so results are kept in a CSV file
that ``accmine.cost.measured.file`` reads, and each (product, core) runs once.

What its numbers mean:

* Temporal cycles are folds · stream exactly: partial folds in full, without fill and drain. ``systolic_dimensions``
  makes ZigZag add the crossing of the last result once per layer: the rows and columns in use − 2. The load of the
  first stationary tile is in its on-loading.
* Stalls come from ports: an operand that is not double buffered stops the array while it is exchanged, for instance
  with a register of one word.
* The whole of the first SRAM tiles is loaded before the array starts, and the last written after it ends. accmine
  streams tiles behind the computation. Rows for cost tables therefore leave on- and off-loading out
  (``Evaluation.core_cycles``), run with an HBM that never stalls, and let accmine price the HBM from the traffic.
* A stationary tile comes through the port of the SRAM, which may be faster than the R cycles in which a systolic array
  shifts it in row by row: where a fold streams fewer than R cycles, accmine charges R and ZigZag less.
* The search is cut off by ``lpf_limit``: its cycles and traffic are upper bounds of its own optimum. Among mappings of
  equal latency it does not prefer the one with less traffic: rows minimise the product of energy and delay.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

from accmine.cost.arrays.precision import pace
from accmine.cost.arrays.timing import Timing, resolve_timing
from accmine.cost.measured.file import PRODUCT, MeasuredRow, core_name, parse_core, read_rows
from accmine.cost.measured.zigzag_layer import PSUM_WORDS, accelerator, best_dataflow, layer, mapping
from accmine.errors import InputError
from accmine.hardware import TensorCore
from accmine.hardware.precision import rates_text
from accmine.hardware.technology import Technology
from accmine.workload.work import Gemm, Work

__all__ = [
    "LPF_LIMIT",
    "VERSION",
    "Evaluation",
    "Runner",
    "ZigzagRow",
    "evaluate",
    "measured_rows",
    "rows_csv",
    "zigzag_rows",
]

VERSION = "3.9.1"
"""Release of zigzag-dse that the YAML is written for and that was tried."""

LPF_LIMIT = 6
"""Loop prime factors per dimension that its search permutes; more is slower and better."""

_OBJECTIVE = "EDP"
_COLUMNS = ("kind", "m", "k", "n", "batch", "dtype", "core", "cores", "cycles", "bytes", "joules", "source")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What ZigZag says of one product on one core.

    Attributes
    ----------
    temporal_cycles
        Cycles of the loop nest at one operation per processing element and cycle: folds · stream.
    stall_cycles
        Cycles in which ports stop the array.
    drain_cycles
        Crossing of the last result, once.
    loading_cycles
        On-loading of the first tiles and off-loading of the last.
    mac_pj, memory_pj
        Energy of the multiplications, and of all accesses to SRAM and HBM.
    hbm_bytes
        Traffic with HBM, both directions.
    """

    temporal_cycles: int
    stall_cycles: int
    drain_cycles: int
    loading_cycles: int
    mac_pj: float
    memory_pj: float
    hbm_bytes: int

    @property
    def core_cycles(self) -> int:
        """Cycles of the core alone: without on- and off-loading."""
        return self.temporal_cycles + self.stall_cycles + self.drain_cycles

    @property
    def cycles(self) -> int:
        """All cycles: ZigZag's ``latency_total2``."""
        return self.core_cycles + self.loading_cycles


Runner = Callable[[dict[str, Any], list[dict[str, Any]], dict[str, Any], int, str], Evaluation]
"""(accelerator, mapping, layer, lpf_limit, objective) -> evaluation: ``evaluate``, or something that stands for it."""


@contextmanager
def _silent() -> Iterator[None]:
    """Without the tool's log: it configures the root logger itself unless that has a handler."""
    root, own = logging.getLogger(), logging.getLogger("zigzag")
    handler, level = logging.NullHandler(), own.level
    root.addHandler(handler)
    own.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        own.setLevel(level)
        root.removeHandler(handler)


def evaluate(
    hardware: dict[str, Any],
    spatial: list[dict[str, Any]],
    product: dict[str, Any],
    lpf_limit: int = LPF_LIMIT,
    objective: str = "latency",
) -> Evaluation:
    """Run ZigZag on one layer; its files go to a temporary folder. Takes seconds.

    Parameters
    ----------
    hardware, spatial, product
        From ``accelerator``, ``mapping`` and ``layer`` of ``accmine.cost.measured.zigzag_layer``.
    lpf_limit
        Effort of the search.
    objective
        What it minimises: ``latency``, ``energy`` or ``EDP``.

    Raises
    ------
    InputError
        If ZigZag is not installed, or finds no mapping.
    """
    import tempfile

    import yaml

    try:
        from zigzag import api
        from zigzag.mapping.data_movement import DataMoveAttr
        from zigzag.opt.loma.engine import NoValidLoopOrderingFoundException
        from zigzag.opt.loma.memory_allocator import MemoryHierarchyTooSmallException, MemoryTooSmallException
    except ImportError as error:
        message = f"needs ZigZag ({error.name or error} is missing): pip install 'accmine[zigzag]'"
        raise InputError(message, field="zigzag") from None
    with tempfile.TemporaryDirectory() as folder, _silent():
        files = {"accelerator": hardware, "mapping": spatial}
        for name, content in files.items():
            (Path(folder) / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        try:
            _, _, found = api.get_hardware_performance_zigzag(
                workload=[product],
                **{name: f"{folder}/{name}.yaml" for name in files},
                opt=objective,
                lpf_limit=lpf_limit,
                dump_folder=folder,
                pickle_filename=f"{folder}/found",
                loma_show_progress_bar=False,
            )
        except (
            NoValidLoopOrderingFoundException,
            MemoryHierarchyTooSmallException,
            MemoryTooSmallException,
        ) as error:
            m, n, k = product["loop_sizes"]
            message = f"ZigZag finds no mapping of {m} × {k} × {n} (m, k, n): {type(error).__name__}: {error}"
            raise InputError(message, field="zigzag") from None
    chosen = found[0][1][0][0]
    return _evaluation(chosen, DataMoveAttr)


def _evaluation(chosen: Any, attributes: Any) -> Evaluation:
    """The figures of ZigZag's cost model for the mapping it chose."""
    moved = 0
    for operand, levels in chosen.mapping.unit_mem_data_movement.items():
        top = len(levels) - 1
        amount, bits, periods = (
            levels[top].get_attribute(name)
            for name in (
                attributes.DATA_TRANS_AMOUNT_PER_PERIOD,
                attributes.DATA_PRECISION,
                attributes.DATA_TRANS_PERIOD_COUNT,
            )
        )
        units = chosen.mapping.spatial_mapping.unit_count[operand][top + 1]
        moved += sum(int(amount.get(way) * bits.get(way) * periods.get(way) * units) for way in amount.data)
    temporal = int(chosen.ideal_temporal_cycle)
    stalled = ceil(chosen.latency_total0) - temporal
    drain = int(chosen.systolic_drain_cycle)
    return Evaluation(
        temporal_cycles=temporal,
        stall_cycles=stalled,
        drain_cycles=drain,
        loading_cycles=ceil(chosen.latency_total2) - temporal - stalled - drain,
        mac_pj=float(chosen.mac_energy),
        memory_pj=float(chosen.mem_energy),
        hbm_bytes=ceil(moved / 8),
    )


@dataclass(frozen=True, slots=True)
class ZigzagRow:
    """One product on one core as a row of a table of measurements; see ``accmine.cost.measured.file``."""

    m: int
    k: int
    n: int
    batch: int
    dtype: str
    core: str
    cycles: int
    hbm_bytes: int
    joules: float
    source: str

    @property
    def cells(self) -> tuple[str, ...]:
        """The row in the order of the file's columns."""
        sizes = (self.m, self.k, self.n, self.batch)
        figures = (self.cycles, self.hbm_bytes, repr(self.joules))
        return tuple(map(str, (PRODUCT, *sizes, self.dtype, self.core, 1, *figures, self.source)))


def rows_csv(rows: Sequence[ZigzagRow]) -> str:
    """The rows as a file of measured operators."""
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(row.cells for row in rows)
    return text.getvalue()


def measured_rows(rows: Sequence[ZigzagRow]) -> tuple[MeasuredRow, ...]:
    """The rows as a table of measurements takes them: what reading their file gives, but for the places."""
    return tuple(
        MeasuredRow(
            kind=PRODUCT,
            size=(row.m, row.k, row.n, row.batch),
            dtype=row.dtype,
            core=parse_core(row.core),
            cores=1,
            cycles=row.cycles,
            hbm_bytes=row.hbm_bytes,
            joules=row.joules,
            source=row.source,
            where=row.source,
        )
        for row in rows
    )


def zigzag_rows(
    works: Sequence[Work],
    tensor: TensorCore,
    technology: Technology,
    *,
    timing: str | Timing = "tpu-like",
    cache: Path | None = None,
    hbm_bytes: int = 1 << 40,
    lpf_limit: int = LPF_LIMIT,
    runner: Runner = evaluate,
) -> tuple[ZigzagRow, ...]:
    """Cycles, HBM traffic and energy of the products of some works on one core, by ZigZag.

    The products of a batch run one after the other. Works without a product and convolutions (which ZigZag would be
    given as im2col products, with their traffic) have no row: their costs stay modelled.

    Parameters
    ----------
    works
        Works; equal products run once.
    tensor
        Core; with the dataflow ``flexible`` each product runs in accmine's choice of the three.
    technology
        Constants of the energies.
    timing
        Decides whether the stationary registers are double buffered, and how many bf16 passes an fp32 product takes.
    cache
        File of rows of one kind of run (version, limits, technology), for any core: what is there is not run again.
    hbm_bytes, lpf_limit, runner
        Capacity of the HBM, which decides nothing while an operator fits; effort of the search; what evaluates a layer.

    Returns
    -------
    tuple of ZigzagRow
        One per distinct product, in the order of the works.

    Raises
    ------
    InputError
        If ZigZag is missing or finds no mapping, or the file is wrong or from another kind of run.
    """
    from accmine.files import write_atomic

    chosen = resolve_timing(timing)
    source = _source(technology, chosen, lpf_limit) + rates_text(tensor.rates)
    known = {} if cache is None else _read_cache(cache, source)
    run = partial(_row, tensor, technology, chosen, hbm_bytes, lpf_limit, runner, source)
    rows = []
    for gemm, dtype in dict.fromkeys((work.gemm, work.dtype) for work in works if work.gemm is not None):
        if not _plain(gemm):
            continue
        key = (gemm.m, gemm.k, gemm.n, gemm.batch, dtype, core_name(tensor))
        if key not in known:
            known[key] = run(gemm, dtype)
            if cache is not None:
                known |= _read_cache(cache, source)  # another process may have added to it
                write_atomic(cache, rows_csv(list(known.values())))
        rows.append(known[key])
    return tuple(dict.fromkeys(rows))


def _source(technology: Technology, timing: Timing, lpf_limit: int) -> str:
    """The kind of run: what decides a row beside the product and the core."""
    buffered = "double" if timing.weight_load_overlap else "single"
    search = f"zigzag-dse {VERSION}; {_OBJECTIVE}; lpf_limit {lpf_limit}"
    return f"{search}; {PSUM_WORDS} psum words; {buffered}-buffered registers; {technology.name}"


def _plain(gemm: Gemm) -> bool:
    """Whether the operands are those of the product itself: no image behind an im2col matrix."""
    sizes = (gemm.m * gemm.k, gemm.k * gemm.n, gemm.m * gemm.n)
    return (gemm.a_elements, gemm.b_elements, gemm.c_elements) == tuple(gemm.batch * size for size in sizes)


def _row(
    tensor: TensorCore,
    technology: Technology,
    timing: Timing,
    hbm_bytes: int,
    lpf_limit: int,
    runner: Runner,
    source: str,
    gemm: Gemm,
    dtype: str,
) -> ZigzagRow:
    dataflow = best_dataflow(gemm, tensor, timing)
    hardware = accelerator(tensor, dataflow, dtype, timing, technology, hbm_bytes)
    product = layer("product", 0, gemm.m, gemm.k, gemm.n, dtype)
    found = runner(hardware, mapping(tensor, dataflow), product, lpf_limit, _OBJECTIVE)
    passes, rate = pace(dtype, tensor.rates, timing)
    return ZigzagRow(
        m=gemm.m,
        k=gemm.k,
        n=gemm.n,
        batch=gemm.batch,
        dtype=dtype,
        core=core_name(tensor),
        cycles=ceil(gemm.batch * passes * found.core_cycles / rate),
        hbm_bytes=gemm.batch * found.hbm_bytes,
        # The energy of an fp32 multiplication is that of all its passes already.
        joules=1e-12 * gemm.batch * (found.mac_pj + passes * found.memory_pj),
        source=source,
    )


def _read_cache(cache: Path, source: str) -> dict[tuple[Any, ...], ZigzagRow]:
    if not cache.exists():
        return {}
    known = {}
    for row in read_rows(cache):
        if row.source != source or row.kind != PRODUCT or row.hbm_bytes is None or row.joules is None or row.cores != 1:
            message = f"{row.source!r} is another kind of run than {source!r}; name another cache, or remove this one"
            raise InputError(message, where=row.where, field="source")
        m, k, n, batch = row.size
        own = ZigzagRow(
            m, k, n, batch, row.dtype, core_name(row.core), row.cycles, row.hbm_bytes, row.joules, row.source
        )
        known[m, k, n, batch, row.dtype, own.core] = own
    return known
