"""Latency and bottleneck of kernels on described architectures (``accmine kernel``)."""

from __future__ import annotations
