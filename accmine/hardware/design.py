"""A design: one point of the tunable accelerator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil, inf
from typing import Any
from zlib import crc32

from accmine.errors import InputError
from accmine.hardware.calibration import UNCALIBRATED, Calibration
from accmine.hardware.precision import Rates, rates_text

__all__ = [
    "DATAFLOWS",
    "DATAFLOW_CHOICES",
    "FLEXIBLE",
    "Design",
    "TensorCore",
    "VectorCore",
]

DATAFLOWS = ("ws", "os", "is")
"""Weight-, output- and input-stationary systolic arrays."""

FLEXIBLE = "flexible"
"""An array that runs every product in the best of the three dataflows; its processing elements are larger."""

DATAFLOW_CHOICES = (*DATAFLOWS, FLEXIBLE)
"""What a template may name."""

_FLAT = ("launch_s", "array_efficiency", "vector_efficiency", "hbm_efficiency")

_SUFFIXES = ((1 << 30, "Gi"), (1 << 20, "Mi"), (1 << 10, "Ki"))


def _size(count: int) -> str:
    for unit, suffix in _SUFFIXES:
        if count >= unit and count % unit == 0:
            return f"{count // unit}{suffix}"
    return str(count)


@dataclass(frozen=True, slots=True, order=True)
class TensorCore:
    """A systolic array of ``rows`` × ``cols`` multiply-accumulators with private SRAM.

    ``rates`` are the stated multiples of its bf16 rate by type (``accmine.hardware.precision``).
    """

    rows: int
    cols: int
    sram_bytes: int
    dataflow: str = "ws"
    rates: Rates = ()

    @property
    def macs(self) -> int:
        """Multiply-accumulators of the array."""
        return self.rows * self.cols

    @property
    def plain(self) -> TensorCore:
        """The core without its rates, as rows of a measured table name it."""
        return replace(self, rates=()) if self.rates else self

    def rate(self, dtype: str) -> float | None:
        """Stated multiple of the bf16 rate; ``None`` where the chip states none."""
        return 1.0 if dtype == "bf16" else dict(self.rates).get(dtype)


@dataclass(frozen=True, slots=True, order=True)
class VectorCore:
    """A vector unit of ``lanes`` lanes, each doing ``ops_per_lane`` operations per cycle, with private SRAM.

    ``rates`` are the stated multiples of its fp32 rate by type.
    """

    lanes: int
    ops_per_lane: int
    sram_bytes: int
    rates: Rates = ()

    @property
    def plain(self) -> VectorCore:
        """The core without its rates, as rows of a measured table name it."""
        return replace(self, rates=()) if self.rates else self

    def width(self, dtype: str) -> int:
        """Operations per cycle on elements of this type; one at least."""
        return max(1, int(self.lanes * self.ops_per_lane * dict(self.rates).get(dtype, 1.0)))


@dataclass(frozen=True, slots=True, order=True)
class Design:
    """One accelerator: every tunable of the template has a value.

    Attributes
    ----------
    tensor_cores, vector_cores
        How many cores of each kind; they are capacities of the schedule.
    tensor, vector
        The core types.
    shared_sram_bytes
        SRAM of the chip between that of the cores and the HBM; 0 for none.
    hbm_bytes, hbm_bytes_per_s
        Capacity and peak bandwidth of the HBM.
    frequency_hz
        Clock of all cores.
    port_bytes_per_s
        Bandwidth of the port of one core to the shared SRAM; of no meaning without one.
    calibration
        Corrections of the time model.
    """

    tensor_cores: int
    tensor: TensorCore
    vector_cores: int
    vector: VectorCore
    hbm_bytes: int
    hbm_bytes_per_s: int
    frequency_hz: int
    shared_sram_bytes: int = 0
    port_bytes_per_s: int = 0
    calibration: Calibration = UNCALIBRATED

    def __post_init__(self) -> None:
        if self.shared_sram_bytes > 0 and self.port_bytes_per_s < 1:
            raise InputError("a shared SRAM needs port_bandwidth, the bandwidth of one core's port to it")
        if self.shared_sram_bytes == 0 and self.port_bytes_per_s:
            raise InputError("port_bandwidth is that of a core's port to the shared SRAM; give shared_sram as well")

    @property
    def name(self) -> str:
        """Canonical name; it carries every tunable."""
        t, v = self.tensor, self.vector
        return (
            f"tc{self.tensor_cores}x{t.rows}x{t.cols}{t.dataflow}-{_size(t.sram_bytes)}{rates_text(t.rates)}"
            f"_vc{self.vector_cores}x{v.lanes}x{v.ops_per_lane}-{_size(v.sram_bytes)}{rates_text(v.rates)}"
            f"_sh{_size(self.shared_sram_bytes)}{self._port}"
            f"_hbm{_size(self.hbm_bytes)}-{self.hbm_bytes_per_s / 1e9:g}GBps_{self.frequency_hz / 1e6:g}MHz"
            f"{self._calibrated}"
        )

    @property
    def _calibrated(self) -> str:
        c = self.calibration
        if c == UNCALIBRATED:
            return ""
        flat = replace(Calibration(), **{name: getattr(c, name) for name in _FLAT})
        more = "" if c == flat else f"-{crc32(repr(c).encode()):08x}"
        return f"_cal{c.launch_s * 1e6:g}us-{c.array_efficiency:g}-{c.vector_efficiency:g}-{c.hbm_efficiency:g}{more}"

    @property
    def _port(self) -> str:
        return f"-{self.port_bytes_per_s / 1e9:g}GBps" if self.shared_sram_bytes else ""

    @property
    def peak_macs_per_s(self) -> float:
        """Multiply-accumulates per second of all tensor cores."""
        return float(self.tensor_cores * self.tensor.macs * self.frequency_hz)

    @property
    def peak_flops_per_s(self) -> float:
        """FLOP/s of all tensor cores in bf16; one multiply-accumulate is two."""
        return 2.0 * self.peak_macs_per_s

    def flops_per_s(self, dtype: str) -> float | None:
        """FLOP/s of all tensor cores in this type; ``None`` where the chip states no rate for it."""
        rate = self.tensor.rate(dtype)
        return None if rate is None else rate * self.peak_flops_per_s

    @property
    def vector_ops_per_s(self) -> float:
        """Vector operations per second of all vector cores."""
        return float(self.vector_cores * self.vector.lanes * self.vector.ops_per_lane * self.frequency_hz)

    @property
    def hbm_bytes_per_cycle(self) -> float:
        """Peak HBM bandwidth in bytes per clock cycle."""
        return self.hbm_bytes_per_s / self.frequency_hz

    @property
    def usable_hbm_bytes_per_cycle(self) -> float:
        """HBM bandwidth that operators of the best kind get, in bytes per clock cycle."""
        return self.hbm_bytes_per_s * self.calibration.best("hbm_efficiency") / self.frequency_hz

    @property
    def port_bytes_per_cycle(self) -> float:
        """Bandwidth of a core's port to the shared SRAM in bytes per clock cycle; infinite without one."""
        return self.port_bytes_per_s / self.frequency_hz if self.shared_sram_bytes else inf

    @property
    def launch_cycles(self) -> int:
        """Cycles that a product takes beside its work, rounded up."""
        return self.cycles_of(self.calibration.of("product").launch_s)

    def cycles_of(self, seconds: float) -> int:
        """Cycles of a time, rounded up."""
        return ceil(seconds * self.frequency_hz - 1e-6)  # 10 us at 700 MHz are 7000, not 7001

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Design:
        """The design of which ``table`` is ``dataclasses.asdict``, also after a journey through JSON."""
        types = {
            "tensor": TensorCore(**_with_rates(table["tensor"])),
            "vector": VectorCore(**_with_rates(table["vector"])),
            "calibration": Calibration.from_table(table["calibration"]),
        }
        return cls(**(dict(table) | types))

    def with_cores(self, tensor_cores: int, vector_cores: int) -> Design:
        """The same design with other core counts."""
        return replace(self, tensor_cores=tensor_cores, vector_cores=vector_cores)


def _with_rates(core: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a core, with rates as pairs again, which JSON has as lists; without any in older files."""
    return dict(core) | {"rates": tuple((str(dtype), float(rate)) for dtype, rate in core.get("rates", ()))}
