"""Solvers of ``sparse-dataflow``."""
