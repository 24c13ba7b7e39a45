"""Descriptions of architectures and kernels: their files, expressions, paths, and the programs they become."""

from __future__ import annotations
