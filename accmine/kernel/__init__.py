"""Kernel performance models: described architectures, kernels on them, and their exact latency."""

from __future__ import annotations
