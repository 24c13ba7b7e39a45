"""Levels of a ``.npz`` file with weights and sample activations of a network.

=====================  =============================================================================================
array                  what it holds, for each layer of the network
=====================  =============================================================================================
``LAYER.weight``       (channels_out, channels_in / groups, rows, columns); of a linear layer
                       (channels_out, channels_in)
``LAYER.input``        what it reads: (samples, channels_in, rows, columns), before any border of zeros; of a linear
                       layer (samples, channels_in)
``LAYER.thresholds``   (levels, 2): magnitudes below which weights, and up to which inputs, are zero. For all layers or
                       none, which then prune evenly more of the weights (``default_thresholds``)
``LAYER.losses``       (levels,): points. For all layers or none, whose losses are then made up, and say so
=====================  =============================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from accmine.errors import Complaint, InputError
from accmine.files import did_you_mean
from accmine.files.arrays import read_arrays
from accmine.sparse.layer import Layer
from accmine.sparse.levels.counted import Thresholds, counted_levels, default_thresholds
from accmine.sparse.levels.synthetic import MOST_PRUNED

__all__ = ["PARTS_OF_ARRAYS", "levels_of_arrays"]

PARTS_OF_ARRAYS = ("weight", "input", "thresholds", "losses")
"""What the name of an array ends in, behind that of its layer."""
_DEFAULT_COUNT = 8

Arrays = Mapping[str, npt.NDArray[Any]]


def levels_of_arrays(
    path: str | Path, layers: Sequence[Layer], count: int | None = None, *, most_pruned: float | None = None
) -> tuple[Layer, ...]:
    """The same layers with levels whose histograms are counted in a file.

    Parameters
    ----------
    path
        A ``.npz`` file; see the head of this module.
    count, most_pruned
        Levels of each layer, and share of the weights that the last one prunes; where the file has no thresholds.
        Default: 8, and ``MOST_PRUNED``.

    Raises
    ------
    InputError
        For a file that cannot be read, and arrays that are unknown, missing, or do not fit: all at once.
    """
    arrays = read_arrays(Path(path))
    parts = _by_part(arrays, layers, str(path))
    weights, inputs, given, losses = (parts[part] for part in PARTS_OF_ARRAYS)
    if given:
        for field, value in (("count", count), ("most_pruned", most_pruned)):
            if value is not None:
                raise InputError("has no effect: the file has thresholds", where=str(path), field=field)
        thresholds = {name: _thresholds(array, str(path), f"{name}.thresholds") for name, array in given.items()}
    else:
        share = MOST_PRUNED if most_pruned is None else most_pruned
        if not 0 < share < 1:
            raise InputError(f"{share} is not allowed; above 0 and below 1", field="most_pruned")
        most = _DEFAULT_COUNT if count is None else count
        thresholds = {
            layer.name: default_thresholds(layer, weights[layer.name], inputs[layer.name], most, share)
            for layer in layers
        }
    points = {name: _points(array, str(path), f"{name}.losses") for name, array in losses.items()}
    return counted_levels(layers, weights, inputs, thresholds, points or None, str(path))


def _by_part(arrays: Arrays, layers: Sequence[Layer], where: str) -> dict[str, dict[str, npt.NDArray[Any]]]:
    """Part -> layer -> array: weights and inputs of all layers, the others of all or none."""
    names = {layer.name for layer in layers}
    parts: dict[str, dict[str, npt.NDArray[Any]]] = {part: {} for part in PARTS_OF_ARRAYS}
    wrong: list[Complaint] = []
    for key, array in arrays.items():
        name, _, part = key.rpartition(".")
        if name in names and part in PARTS_OF_ARRAYS:
            parts[part][name] = array
        else:
            hint = did_you_mean(key, [f"{own}.{last}" for own in names for last in PARTS_OF_ARRAYS])
            message = f"is no array of a layer; {hint}allowed: {', '.join(f'LAYER.{last}' for last in PARTS_OF_ARRAYS)}"
            wrong.append(Complaint(where, key, message))
    for part, found in parts.items():
        missing = [layer.name for layer in layers if layer.name not in found]
        if missing and (found or part in PARTS_OF_ARRAYS[:2]):
            shown = ", ".join(missing[:8]) + (f" and {len(missing) - 8} more" if len(missing) > 8 else "")
            wrong.append(Complaint(where, part, f"missing for {shown}"))
    wrong += [
        Complaint(where, f"{name}.{part}", "holds nothing")
        for part, found in parts.items()
        for name, array in found.items()
        if not array.size
    ]
    if wrong:
        raise InputError(wrong)
    return parts


def _thresholds(array: npt.NDArray[Any], where: str, key: str) -> tuple[Thresholds, ...]:
    if array.ndim != 2 or array.shape[1] != 2:
        raise InputError(f"has the shape {array.shape}; (levels, 2) is needed", where=where, field=key)
    return tuple(Thresholds(float(weight), float(values)) for weight, values in array)


def _points(array: npt.NDArray[Any], where: str, key: str) -> tuple[float, ...]:
    if array.ndim != 1:
        raise InputError(f"has the shape {array.shape}; (levels,) is needed", where=where, field=key)
    return tuple(float(value) for value in array)
