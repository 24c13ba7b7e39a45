"""Solvers of kernel sizing."""

from __future__ import annotations
