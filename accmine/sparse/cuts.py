"""Where a network can be cut for devices in a row."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

from accmine.errors import InputError

__all__ = ["MOST_CUTS", "places_to_cut"]

MOST_CUTS = 200_000
"""Cuts of a network; more are refused."""


def places_to_cut(layers: int, edges: Sequence[tuple[int, int]], devices: int) -> list[int]:
    """Layers that may be the first of a device, so that every edge goes forward.

    Parameters
    ----------
    layers, edges
        How many there are, and pairs of indices between which data flow.
    devices
        Each of which gets a layer at least.

    Raises
    ------
    InputError
        If there are fewer places than devices need, or too many ways to cut.
    """
    places = [place for place in range(1, layers) if all(not b < place <= a for a, b in edges)]
    if len(places) < devices - 1:
        where = f"{len(places)} places where {layers} layers can be cut"
        raise InputError(f"{devices} devices are too many for {where}", field="devices")
    if (count := comb(len(places), devices - 1)) > MOST_CUTS:
        raise InputError(f"{count} ways to cut, at most {MOST_CUTS} are looked at", field="devices")
    return places
