"""Designs as points: which of them no other one beats, and the tunables that a name carries."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

__all__ = ["TUNABLES", "front", "tunables"]

TUNABLES = (
    *("tensor_cores", "tensor_rows", "tensor_cols", "dataflow", "tensor_sram"),
    *("vector_cores", "vector_lanes", "vector_ops_per_lane", "vector_sram"),
    *("shared_sram", "port_bandwidth", "hbm", "hbm_bandwidth", "frequency"),
)
"""Keys of a design file in its order."""

_NAME = re.compile(
    r"tc(?P<tensor_cores>\d+)x(?P<tensor_rows>\d+)x(?P<tensor_cols>\d+)(?P<dataflow>[a-z]+)-(?P<tensor_sram>\d+[KMG]?i?)"
    r"_vc(?P<vector_cores>\d+)x(?P<vector_lanes>\d+)x(?P<vector_ops_per_lane>\d+)-(?P<vector_sram>\d+[KMG]?i?)"
    r"_sh(?P<shared_sram>\d+[KMG]?i?)(?:-(?P<port_bandwidth>[\d.e+]+)GBps)?"
    r"_hbm(?P<hbm>\d+[KMG]?i?)-(?P<hbm_bandwidth>[\d.e+]+)GBps_(?P<frequency>[\d.e+]+)MHz"
)
_SIZES = ("tensor_sram", "vector_sram", "shared_sram", "hbm")
_UNITS = {"port_bandwidth": " GB/s", "hbm_bandwidth": " GB/s", "frequency": " MHz"}


def front(points: Sequence[tuple[float, ...]]) -> list[bool]:
    """Which points no other one beats, all values of which are to be small; of equal points the first.

    Parameters
    ----------
    points
        As many values each; shape (points, values).
    """
    kept: list[bool] = []
    values = np.array(points, dtype=np.float64)
    for i, own in enumerate(values):
        no_worse, better = np.all(values <= own, axis=1), np.any(values < own, axis=1)
        kept.append(not ((no_worse & better).any() or no_worse[:i].any()))
    return kept


def tunables(name: str) -> dict[str, str]:
    """Keys and values of the file of the design of this canonical name, in the order of ``TUNABLES``.

    Empty for designs whose name does not carry all of it: those with a calibration or with rates of types.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        return {}
    return {key: _value(key, text) for key, text in found.groupdict().items() if text is not None}


def _value(key: str, text: str) -> str:
    if key in _SIZES:
        size = text.rstrip("KMGi")
        return f"{size} {text[len(size) :]}B"
    return text + _UNITS.get(key, "")
