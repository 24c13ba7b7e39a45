"""Costs of operators by described architectures: kernels of operators, and a source of costs of a study."""

from __future__ import annotations
