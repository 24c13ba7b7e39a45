"""Operator × core -> cycles, energy and bytes."""

from accmine.cost.arrays.gemm import GEMM_DTYPES, GemmCost, gemm
from accmine.cost.arrays.precision import pace, unstated
from accmine.cost.arrays.ready import ready
from accmine.cost.arrays.timing import PRESETS, Timing, array_cycles, array_folds, resolve_timing
from accmine.cost.corrections import Corrections, no_corrections
from accmine.cost.energy import mac_pj
from accmine.cost.kernel.source import KernelSource, too_many_kernels
from accmine.cost.measured.file import PRODUCT, MeasuredRow, number, read_lines, read_rows, whole
from accmine.cost.measured.source import MeasuredTable, Source, Stretched, ZigzagSource, too_many_runs
from accmine.cost.measured.values import INTERPOLATED, MEASURED, MODELLED
from accmine.cost.measured.works import Share, read_measurements, share
from accmine.cost.measured.zigzag import LPF_LIMIT, VERSION, Evaluation, Runner, evaluate
from accmine.cost.measured.zigzag_layer import accelerator, best_dataflow, layer, mapping, port_bits
from accmine.cost.memory import NOMINAL, MemorySystem, memory_of
from accmine.cost.mode_table import HBM_SHARES, RESOURCES, ModeTable
from accmine.cost.modes import CostLibrary, hbm_capacity, splits_for
from accmine.cost.operator_costs import LEVELS, binding
from accmine.cost.operator_table import OperatorRow, OperatorTable, Total, total_of, vector_operations
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
    "GEMM_DTYPES",
    "HBM_SHARES",
    "INTERPOLATED",
    "INVALID",
    "LEVELS",
    "LPF_LIMIT",
    "MEASURED",
    "MODELLED",
    "NOMINAL",
    "PRESETS",
    "PRODUCT",
    "RESOURCES",
    "VECTOR_TABLE",
    "VERSION",
    "Corrections",
    "CostLibrary",
    "Evaluation",
    "GemmCost",
    "KernelSource",
    "MeasuredRow",
    "MeasuredTable",
    "MemorySystem",
    "ModeTable",
    "OperatorCosts",
    "OperatorRow",
    "OperatorTable",
    "Runner",
    "Share",
    "Source",
    "Stretched",
    "TensorCosts",
    "Timing",
    "Total",
    "TypeCosts",
    "VectorCosts",
    "ZigzagSource",
    "accelerator",
    "array_cycles",
    "array_folds",
    "best_dataflow",
    "binding",
    "combine",
    "durations",
    "evaluate",
    "gemm",
    "hbm_capacity",
    "layer",
    "mac_pj",
    "mapping",
    "memory_of",
    "no_corrections",
    "number",
    "pace",
    "port_bits",
    "read_lines",
    "read_measurements",
    "read_rows",
    "ready",
    "resolve_timing",
    "share",
    "splits_for",
    "tensor_costs",
    "too_many_kernels",
    "too_many_runs",
    "total_of",
    "unstated",
    "vector_costs",
    "vector_operations",
    "whole",
]
