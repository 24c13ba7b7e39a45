"""accmine: accelerators for distributed DNN training, designed by constrained optimisation with certificates."""

from __future__ import annotations

__version__ = "0.1.0"
