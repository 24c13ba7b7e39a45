"""The roofline of a design: what its cores and its HBM allow at an arithmetic intensity."""

from __future__ import annotations

from dataclasses import dataclass

from accmine.hardware.design import Design

__all__ = ["Roofline", "roofline"]


@dataclass(frozen=True)
class Roofline:
    """The ceilings of a design, with its calibration.

    Attributes
    ----------
    tensor_flops_per_s
        Of all arrays; a multiply-accumulate is two FLOP.
    vector_flops_per_s
        Operations per second of all vector lanes.
    hbm_bytes_per_s
        Bandwidth that operators get.
    """

    tensor_flops_per_s: float
    vector_flops_per_s: float
    hbm_bytes_per_s: float

    @property
    def tensor_ridge(self) -> float:
        """Intensity from which arrays rather than the HBM limit, FLOP per byte."""
        return self.tensor_flops_per_s / self.hbm_bytes_per_s

    @property
    def vector_ridge(self) -> float:
        """Intensity from which vector lanes rather than the HBM limit, operations per byte."""
        return self.vector_flops_per_s / self.hbm_bytes_per_s

    def attainable(self, intensity: float, *, product: bool) -> float:
        """FLOP/s below the roof at this intensity (FLOP per byte of HBM traffic)."""
        ceiling = self.tensor_flops_per_s if product else self.vector_flops_per_s
        return min(ceiling, intensity * self.hbm_bytes_per_s)


def roofline(design: Design, dtype: str = "bf16") -> Roofline:
    """The ceilings of all cores of a design for elements of a type, lowered by its calibration.

    Where the chip states no rate for the type, the ceiling is that of bf16.
    """
    calibration = design.calibration
    lanes = design.vector_cores * design.vector.width(dtype) * design.frequency_hz
    return Roofline(
        (design.flops_per_s(dtype) or design.peak_flops_per_s) * calibration.best("array_efficiency"),
        lanes * calibration.best("vector_efficiency"),
        design.hbm_bytes_per_s * calibration.best("hbm_efficiency"),
    )
