"""How a layer is laid out in hardware: engine, folding factors, memory of the weights, buffers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from accmine.sparse.layer import Layer

__all__ = ["DENSE", "ENGINES", "MEMORIES", "SLACKS", "SPARSE", "Folding", "divisors", "fines", "wrong_folding"]

DENSE, SPARSE = ENGINES = ("dense", "sparse")
"""``dense``: every product of a window takes its turn. ``sparse``: a crossbar hands on non-zero ones only."""

MEMORIES = ("bram", "uram", "stream")
"""Where weights are: on chip, or read from off chip, once per output position."""

SLACKS = (1, 4, 16, 64)
"""Windows by which a sparse engine may run ahead of the slowest of its layer."""


@dataclass(frozen=True, slots=True, order=True)
class Folding:
    """What a layer is given.

    Attributes
    ----------
    engine, memory
        One of ``ENGINES``, of ``MEMORIES``.
    coarse_in, coarse_out, coarse_group
        Engines side by side over input channels (clusters of them) and output channels of a group, and over groups.
    fine
        Multipliers of an engine: a divisor of the window in a dense one, any number up to it in a sparse one.
    slack
        One of ``SLACKS``; 1 in a dense engine, which never waits.
    """

    engine: str
    coarse_in: int
    coarse_out: int
    coarse_group: int
    fine: int
    memory: str = "bram"
    slack: int = 1

    @property
    def engines(self) -> int:
        """Dot-product engines."""
        return self.coarse_in * self.coarse_out * self.coarse_group

    @property
    def multipliers(self) -> int:
        """Of all engines."""
        return self.engines * self.fine

    def streams_in(self, layer: Layer) -> int:
        """Words that it takes per cycle."""
        return self.coarse_in * self.coarse_group * layer.cluster

    @property
    def streams_out(self) -> int:
        """Words that it gives per cycle."""
        return self.coarse_out * self.coarse_group


def divisors(number: int) -> list[int]:
    """In ascending order."""
    small = [d for d in range(1, int(number**0.5) + 1) if number % d == 0]
    return sorted({*small, *(number // d for d in small)})


def fines(layer: Layer, engine: str) -> list[int]:
    """Multipliers that an engine of the layer may have."""
    return divisors(layer.window) if engine == DENSE else list(range(1, layer.window + 1))


def wrong_folding(layer: Layer, folding: Folding) -> Iterator[str]:
    """Everything that is not allowed in a folding of a layer, in words."""
    if folding.engine not in ENGINES:
        yield f"{layer.name}: engine {folding.engine!r} is not allowed; allowed: {', '.join(ENGINES)}"
    if folding.memory not in MEMORIES:
        yield f"{layer.name}: memory {folding.memory!r} is not allowed; allowed: {', '.join(MEMORIES)}"
    whole = {
        "coarse_in": layer.channels_in // (layer.groups * layer.cluster),
        "coarse_out": layer.channels_out // layer.groups,
        "coarse_group": layer.groups,
    }
    for key, number in whole.items():
        value = getattr(folding, key)
        if value < 1 or number % value:
            yield f"{layer.name}: {key} {value} does not divide {number}"
    if not 1 <= folding.fine <= layer.window or (folding.engine == DENSE and layer.window % folding.fine):
        rule = "a divisor of it" if folding.engine == DENSE else "1 up to it"
        yield f"{layer.name}: fine {folding.fine} is not allowed for a window of {layer.window}; allowed: {rule}"
    if folding.slack not in ((1,) if folding.engine == DENSE else SLACKS):
        allowed = "1 (dense)" if folding.engine == DENSE else ", ".join(map(str, SLACKS))
        yield f"{layer.name}: slack {folding.slack} is not allowed; allowed: {allowed}"
