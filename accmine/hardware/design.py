"""A design: one point of the tunable accelerator."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DATAFLOWS", "Design", "TensorCore", "VectorCore"]

DATAFLOWS = ("ws", "os", "is")
"""Weight-, output- and input-stationary systolic arrays."""

_SUFFIXES = ((1 << 30, "Gi"), (1 << 20, "Mi"), (1 << 10, "Ki"))


def _size(count: int) -> str:
    for unit, suffix in _SUFFIXES:
        if count >= unit and count % unit == 0:
            return f"{count // unit}{suffix}"
    return str(count)


@dataclass(frozen=True, slots=True, order=True)
class TensorCore:
    """A systolic array of ``rows`` × ``cols`` multiply-accumulators with private SRAM."""

    rows: int
    cols: int
    sram_bytes: int
    dataflow: str = "ws"

    @property
    def macs(self) -> int:
        """Multiply-accumulators of the array."""
        return self.rows * self.cols


@dataclass(frozen=True, slots=True, order=True)
class VectorCore:
    """A vector unit of ``lanes`` lanes, each doing ``ops_per_lane`` operations per cycle, with private SRAM."""

    lanes: int
    ops_per_lane: int
    sram_bytes: int


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
        SRAM of the chip beside that of the cores. It has area and leakage; no term of the time model
        depends on it yet, so a range over it is refused.
    hbm_bytes, hbm_bytes_per_s
        Capacity and peak bandwidth of the HBM.
    frequency_hz
        Clock of all cores.
    """

    tensor_cores: int
    tensor: TensorCore
    vector_cores: int
    vector: VectorCore
    hbm_bytes: int
    hbm_bytes_per_s: int
    frequency_hz: int
    shared_sram_bytes: int = 0

    @property
    def name(self) -> str:
        """Canonical name; it carries every tunable."""
        t, v = self.tensor, self.vector
        return (
            f"tc{self.tensor_cores}x{t.rows}x{t.cols}{t.dataflow}-{_size(t.sram_bytes)}"
            f"_vc{self.vector_cores}x{v.lanes}x{v.ops_per_lane}-{_size(v.sram_bytes)}"
            f"_sh{_size(self.shared_sram_bytes)}"
            f"_hbm{_size(self.hbm_bytes)}-{self.hbm_bytes_per_s / 1e9:g}GBps_{self.frequency_hz / 1e6:g}MHz"
        )

    @property
    def peak_macs_per_s(self) -> float:
        """Multiply-accumulates per second of all tensor cores."""
        return float(self.tensor_cores * self.tensor.macs * self.frequency_hz)

    @property
    def peak_flops_per_s(self) -> float:
        """FLOP/s of all tensor cores; one multiply-accumulate is two."""
        return 2.0 * self.peak_macs_per_s

    @property
    def vector_ops_per_s(self) -> float:
        """Vector operations per second of all vector cores."""
        return float(self.vector_cores * self.vector.lanes * self.vector.ops_per_lane * self.frequency_hz)

    @property
    def hbm_bytes_per_cycle(self) -> float:
        """Peak HBM bandwidth in bytes per clock cycle."""
        return self.hbm_bytes_per_s / self.frequency_hz
