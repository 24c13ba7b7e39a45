"""Zero products counted in weights and sample activations: exact histograms for each group of channels.

A weight is zero where it is, or where its magnitude is below the threshold; an activation where its magnitude is not
above it (a thresholded ReLU: Yu et al., fpgaconvnet-torch). Zeros of the border of a padded map are products as well:
an engine skips them like others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.errors import Complaint, InputError
from accmine.sparse.layer import POINT, Histogram, Layer, Level, in_parts
from accmine.sparse.levels.sources import ARRAYS, ARRAYS_PROXY, proxy_losses
from accmine.sparse.levels.synthetic import MOST_LEVELS, MOST_PRUNED

__all__ = [
    "MOST_PRODUCTS",
    "Thresholds",
    "counted_levels",
    "default_thresholds",
    "kept_inputs",
    "kept_weights",
    "zero_products",
]

MOST_PRODUCTS = 10**12
"""Products that are counted: those of an image, times samples and levels."""

_CHUNK = 1 << 22  # windows at a time: some tens of MB

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Of a level of a layer: magnitudes of weights and of inputs, in their own units."""

    weight: float
    input: float


def kept_weights(weight: Array, threshold: float) -> npt.NDArray[np.bool_]:
    """Weights that are not pruned and not zero; shape of ``weight``."""
    kept: npt.NDArray[np.bool_] = (weight != 0) & (np.abs(weight) >= threshold)
    return kept


def kept_inputs(values: Array, threshold: float) -> npt.NDArray[np.bool_]:
    """Activations that are not clipped and not zero; shape of ``values``."""
    kept: npt.NDArray[np.bool_] = np.abs(values) > threshold
    return kept


def default_thresholds(
    layer: Layer, weight: Array, values: Array, count: int = 8, most_pruned: float = MOST_PRUNED
) -> tuple[Thresholds, ...]:
    """Thresholds that prune evenly more of the weights, from none to ``most_pruned``.

    Inputs have the same threshold in root mean squares (of those that are not zero) where a ReLU stands in front, else
    0: the same rule as that of ``synthetic_levels``.
    """
    if not 1 <= count <= MOST_LEVELS:
        raise InputError(f"{count} levels are not allowed; 1 to {MOST_LEVELS}", field="count")
    sizes = np.sort(np.abs(weight), axis=None).astype(float)
    scale = _rms(weight)
    found = []
    for i in range(count):
        at = round(most_pruned * i / max(1, count - 1) * sizes.size)
        threshold = float(sizes[min(at, sizes.size - 1)]) if i else 0.0
        clipped = threshold / scale * _rms(values) if layer.zeros and scale else 0.0
        found.append(Thresholds(threshold, clipped))
    return tuple(found)


def _rms(values: Array) -> float:
    """Root mean square of those that are not zero; 0 without any."""
    others = values[values != 0].astype(float)
    return float(np.sqrt((others**2).mean())) if others.size else 0.0


def zero_products(layer: Layer, weight: Array, values: Array, own: Thresholds) -> tuple[Histogram, ...]:
    """Histograms of zero products, one for each group of ``cluster`` input channels, in order.

    Parameters
    ----------
    weight
        Shape (channels_out, channels_in / groups, rows, columns) of the kernel.
    values
        What the layer reads; shape (samples, channels_in, rows, columns).
    """
    width, cluster = layer.channels_in // layer.groups, layer.cluster
    (top, bottom, left, right), (down, across) = layer.padding, layer.stride
    maps = np.pad(kept_inputs(values, own.input), ((0, 0), (0, 0), (top, bottom), (left, right)))
    windows = np.lib.stride_tricks.sliding_window_view(maps, layer.kernel, axis=(2, 3))[:, :, ::down, ::across]
    ones = kept_weights(weight, own.weight).reshape(layer.groups, -1, width // cluster, layer.window)
    found = []
    for first in range(0, layer.channels_in, cluster):
        group, inner = divmod(first, width)
        filters = ones[group, :, inner // cluster]
        patches = windows[:, first : first + cluster].transpose(0, 2, 3, 1, 4, 5).reshape(-1, layer.window)
        by_pattern = 3 * layer.window << min(layer.window, 40) < 4 * len(patches) * len(filters)
        counts = _by_pattern(patches, filters) if by_pattern else _by_pair(patches, filters)
        found.append(in_parts(counts[::-1].tolist()))
    return tuple(found)


def _by_pair(patches: npt.NDArray[np.bool_], filters: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Pairs of a patch and a filter, shapes (…, window), with 0, 1, … non-zero products: each pair is looked at."""
    counts = np.zeros(patches.shape[1] + 1, dtype=np.int64)
    other = filters.astype(np.float32).T
    step = max(1, _CHUNK // other.shape[1])
    for at in range(0, len(patches), step):
        # sums of at most 2**24 ones are exact in 32 bits
        both = patches[at : at + step].astype(np.float32) @ other
        counts += np.bincount(both.astype(np.int64).ravel(), minlength=len(counts))
    return counts


def _by_pattern(patches: npt.NDArray[np.bool_], filters: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """The same by patterns of bits: pairs with the same ones in common are an AND-convolution of both histograms.

    Summed over supersets (a zeta transform along each bit) both become numbers of patches and filters that have at
    least these ones; their product, undone, is the number of pairs that have these in common and no others.
    """
    bits = patches.shape[1]
    places = np.int64(1) << np.arange(bits)
    both = np.ones(1 << bits, dtype=np.int64)
    for ones in (patches, filters):
        own = np.bincount(ones @ places, minlength=1 << bits)
        for halves in (own.reshape(-1, 2, 1 << bit) for bit in range(bits)):
            halves[:, 0] += halves[:, 1]
        both *= own
    for halves in (both.reshape(-1, 2, 1 << bit) for bit in range(bits)):
        halves[:, 0] -= halves[:, 1]
    size = sum((np.arange(1 << bits) >> bit) & 1 for bit in range(bits))
    return np.array([both[size == ones].sum() for ones in range(bits + 1)], dtype=np.int64)


def counted_levels(
    layers: Sequence[Layer],
    weights: Mapping[str, Array],
    inputs: Mapping[str, Array],
    thresholds: Mapping[str, Sequence[Thresholds]],
    losses: Mapping[str, Sequence[float]] | None = None,
    where: str = "",
) -> tuple[Layer, ...]:
    """The same layers with levels counted in arrays.

    Parameters
    ----------
    weights, inputs
        By name of the layer: shapes as of ``zero_products``; kernel and map may be left out where they are (1, 1).
    thresholds
        Of each level of each layer.
    losses
        Points that each level loses; without them they are made up by ``proxy_losses``, and levels say so.
    where
        The file that all is from, for complaints.

    Raises
    ------
    InputError
        For arrays that are missing or do not fit their layer, and for more than ``MOST_PRODUCTS``.
    """
    wrong: list[Complaint] = []
    fitted: list[tuple[Array, Array]] = []
    for layer in layers:
        problems = [*_geometry(layer), *_levels_wrong(layer, thresholds, losses)]
        wrong += [Complaint(where, f"{layer.name}.{key}", message) for key, message in problems]
        pair = []
        for key, given, shape in (("weight", weights, _weight(layer)), ("input", inputs, (-1, *_map(layer)))):
            try:
                pair.append(_fitted(given.get(layer.name), shape))
            except InputError as error:
                wrong.append(Complaint(where, f"{layer.name}.{key}", error.complaints[0].message))
        if len(pair) == 2:
            fitted.append((pair[0], pair[1]))
    if wrong:
        raise InputError(wrong)
    total = sum(
        layer.macs * len(values) * len(thresholds[layer.name])
        for layer, (_, values) in zip(layers, fitted, strict=True)
    )
    if total > MOST_PRODUCTS:
        message = f"{total:,} products to count; allowed: {MOST_PRODUCTS:,}; give fewer samples, or fewer levels"
        raise InputError(message, where=where)
    made = _losses(layers, fitted, thresholds) if losses is None else None
    result = []
    for i, (layer, (weight, values)) in enumerate(zip(layers, fitted, strict=True)):
        lost = [round(own * POINT) for own in losses[layer.name]] if losses is not None else made[i] if made else []
        result.append(replace(layer, levels=_levels(layer, weight, values, thresholds[layer.name], lost, made is None)))
    return tuple(result)


def _levels(
    layer: Layer, weight: Array, values: Array, own: Sequence[Thresholds], losses: Sequence[int], measured: bool
) -> tuple[Level, ...]:
    source = ARRAYS if measured else ARRAYS_PROXY
    return tuple(
        Level(f"{i}:w{each.weight:.3g},a{each.input:.3g}", zero_products(layer, weight, values, each), loss, source)
        for i, (each, loss) in enumerate(zip(own, losses, strict=True))
    )


def _losses(
    layers: Sequence[Layer], arrays: Sequence[tuple[Array, Array]], thresholds: Mapping[str, Sequence[Thresholds]]
) -> list[list[int]]:
    removed = []
    for layer, (weight, values) in zip(layers, arrays, strict=True):
        kept = [
            _energy(weight, kept_weights(weight, own.weight)) * _energy(values, kept_inputs(values, own.input))
            for own in thresholds[layer.name]
        ]
        removed.append([1 - share for share in kept])
    return proxy_losses(layers, removed)


def _energy(values: Array, kept: npt.NDArray[np.bool_]) -> float:
    """Share of the energy of values that is kept; all of none."""
    total = float((values.astype(float) ** 2).sum())
    return float((values[kept].astype(float) ** 2).sum()) / total if total else 1.0


def _weight(layer: Layer) -> tuple[int, ...]:
    return layer.channels_out, layer.channels_in // layer.groups, *layer.kernel


def _map(layer: Layer) -> tuple[int, ...]:
    return layer.channels_in, *layer.size_in


def _fitted(array: Array | None, shape: tuple[int, ...]) -> Array:
    """An array as the shape that is needed, where -1 is any number; last axes of 1 may be missing."""
    if array is None:
        raise InputError("missing")
    short = tuple(array.shape) + (1,) * max(0, len(shape) - array.ndim)
    if len(short) != len(shape) or any(want not in (-1, have) for want, have in zip(shape, short, strict=True)):
        raise InputError(f"has the shape {array.shape}; {tuple(w if w >= 0 else 'samples' for w in shape)} is needed")
    if not array.size:
        raise InputError("holds nothing")
    return array.reshape(short)


def _geometry(layer: Layer) -> list[tuple[str, str]]:
    top, bottom, left, right = layer.padding
    rows = (layer.size_in[0] + top + bottom - layer.kernel[0]) // layer.stride[0] + 1
    columns = (layer.size_in[1] + left + right - layer.kernel[1]) // layer.stride[1] + 1
    if (rows, columns) == layer.size_out:
        return []
    return [("stride", f"windows give maps of {(rows, columns)}, the layer says {layer.size_out}")]


def _levels_wrong(
    layer: Layer, thresholds: Mapping[str, Sequence[Thresholds]], losses: Mapping[str, Sequence[float]] | None
) -> list[tuple[str, str]]:
    own = thresholds.get(layer.name, ())
    if not own:
        return [("thresholds", "missing; one level at least is needed")]
    wrong = []
    for each in own:
        if not (0 <= each.weight < float("inf") and 0 <= each.input < float("inf")):
            wrong.append(("thresholds", f"({each.weight}, {each.input}) is not allowed; at least 0"))
    if losses is not None:
        given = losses.get(layer.name, ())
        if len(given) != len(own):
            wrong.append(("losses", f"{len(given)} losses for {len(own)} levels"))
        wrong += [("losses", f"{v} is not allowed; at least 0") for v in given if not (isfinite(v) and v >= 0)]
    return wrong
