"""Technologies: area and power of a design, and the files they come from."""

from accmine.hardware.technology.file import load_technology
from accmine.hardware.technology.technology import (
    LinearCosts,
    SourcedConstant,
    Technology,
    area_breakdown,
    area_mm2,
    chip_of,
    idle_w,
    linear_costs,
    tdp_breakdown,
    tdp_w,
)

__all__ = [
    "LinearCosts",
    "SourcedConstant",
    "Technology",
    "area_breakdown",
    "area_mm2",
    "chip_of",
    "idle_w",
    "linear_costs",
    "load_technology",
    "tdp_breakdown",
    "tdp_w",
]
