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


def roofline(design: Design) -> Roofline:
    """The ceilings of all cores of a design, lowered by its calibration."""
    calibration = design.calibration
    return Roofline(
        design.peak_flops_per_s * calibration.best("array_efficiency"),
        design.vector_ops_per_s * calibration.best("vector_efficiency"),
        design.hbm_bytes_per_s * calibration.best("hbm_efficiency"),
    )
