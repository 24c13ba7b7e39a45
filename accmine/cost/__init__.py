"""Operator × core -> cycles, energy and bytes."""

from accmine.cost.gemm import GemmCost, gemm
from accmine.cost.table import (
    INVALID,
    OperatorCosts,
    TensorCosts,
    TypeCosts,
    VectorCosts,
    combine,
    durations,
    tensor_costs,
    vector_costs,
)
from accmine.cost.timing import PRESETS, Timing, array_cycles
from accmine.cost.vector import VECTOR_TABLE

__all__ = [
    "INVALID",
    "PRESETS",
    "VECTOR_TABLE",
    "GemmCost",
    "OperatorCosts",
    "TensorCosts",
    "Timing",
    "TypeCosts",
    "VectorCosts",
    "array_cycles",
    "combine",
    "durations",
    "gemm",
    "tensor_costs",
    "vector_costs",
]
