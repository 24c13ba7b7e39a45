"""Operator × core -> cycles, energy and bytes."""

from accmine.cost.arrays.gemm import GemmCost, gemm
from accmine.cost.arrays.timing import PRESETS, Timing, array_cycles
from accmine.cost.memory import NOMINAL, MemorySystem, memory_of
from accmine.cost.operator_costs import LEVELS, binding
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
from accmine.cost.vector import VECTOR_TABLE

__all__ = [
    "INVALID",
    "LEVELS",
    "NOMINAL",
    "PRESETS",
    "VECTOR_TABLE",
    "GemmCost",
    "MemorySystem",
    "OperatorCosts",
    "TensorCosts",
    "Timing",
    "TypeCosts",
    "VectorCosts",
    "array_cycles",
    "binding",
    "combine",
    "durations",
    "gemm",
    "memory_of",
    "tensor_costs",
    "vector_costs",
]
