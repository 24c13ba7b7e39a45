"""Calibration: corrections of the time model fitted on measurements of a chip, each kind of operator with its own.

The time of an operator is, with the constants of its kind (``accmine.cost.corrections`` computes it),

    max(host_launch, launch + ‖array cycles / array_efficiency, vector cycles / vector_efficiency,
                              (bytes + hbm_ramp) / (bandwidth · hbm_efficiency)‖)

where the norm of computing and memory is their maximum, or the softer one of exponent ``overlap``. A chip whose
libraries have tiles of a few shapes computes in waves of them (``accmine.cost.arrays.waves``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import inf
from typing import Any

from accmine.errors import InputError

__all__ = ["EFFICIENCIES", "KINDS", "UNCALIBRATED", "Calibration", "Constants", "Tiles"]

KINDS = ("product", "attention", "softmax", "norm", "elementwise", "convolution", "optimizer")
"""Kinds of operator that have constants of their own (``accmine.cost.corrections.family`` says which one a work is);
one without takes those of ``LIKE``, or of the calibration itself."""

LIKE = {"attention": "product", "convolution": "product", "optimizer": "elementwise"}
"""A kind without constants of its own -> the one whose constants hold for it, where that has any."""

EFFICIENCIES = ("array_efficiency", "vector_efficiency", "hbm_efficiency", "sustained")


@dataclass(frozen=True, slots=True, order=True)
class Tiles:
    """Shapes of the tiles of outputs in which the libraries of a chip cut products; without any there is no such term.

    Attributes
    ----------
    shapes
        (rows, columns) of the tiles; a core computes one at a time, and all cores a wave of them.
    fill
        Steps of k that a tile takes beside its own, for filling and draining.
    edge
        Elements: a tile of a × b reaches 1 / (1 + edge · (1/a + 1/b - 1/256 - 1/128)) of the array's efficiency, since
        its operands are read again more often the smaller it is. A tile of 128 × 256 has it whole.
    split_launch_s
        Seconds that a product cut along k takes beside: a second kernel, or a wait for the other sums.
    split_traffic
        Share of the traffic of its partial sums (fp32, written and read) that is not hidden.
    """

    shapes: tuple[tuple[int, int], ...] = ()
    fill: float = 0.0
    edge: float = 0.0
    split_launch_s: float = 0.0
    split_traffic: float = 0.0

    def __post_init__(self) -> None:
        if any(len(shape) != 2 or min(shape) < 1 for shape in self.shapes):
            raise InputError(f"calibration: tiles need shapes such as 128x256, got {self.shapes!r}")
        for name in ("fill", "edge", "split_launch_s", "split_traffic"):
            if not 0.0 <= getattr(self, name) < inf:
                raise InputError(f"calibration: {name} of tiles must be 0 or more, got {getattr(self, name)!r}")


@dataclass(frozen=True, slots=True, order=True)
class Constants:
    """Corrections of one kind of operator; the default corrects nothing.

    Attributes
    ----------
    launch_s
        Seconds that every operator takes beside its work: launch, synchronisation, first access.
    array_efficiency, vector_efficiency
        Share of its peak that an array or vector unit reaches while it computes: computing cycles are divided by it.
    hbm_efficiency
        Share of the peak HBM bandwidth that operators get.
    hbm_ramp_bytes
        Bytes that an operator could have moved while its bandwidth builds up.
    overlap
        Exponent p of (computing^p + memory^p)^(1/p); 0, as if infinite: the shorter one hides behind the longer one.
    sustained
        Share of its rate that an array keeps in operators of many milliseconds, once the power limit lowers the clock.
    host_launch_s
        Least time of an operator of a stream: what the software needs to start the next one.
    interval
        Bounds of measured ÷ modelled time of 9 of 10 operators, of rows not used for fitting; empty where unknown.
    """

    launch_s: float = 0.0
    array_efficiency: float = 1.0
    vector_efficiency: float = 1.0
    hbm_efficiency: float = 1.0
    hbm_ramp_bytes: float = 0.0
    overlap: float = 0.0
    sustained: float = 1.0
    host_launch_s: float = 0.0
    interval: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name, word in (("launch_s", "launch"), ("host_launch_s", "host_launch")):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise InputError(f"calibration: {word} must be from 0 to below 1 s, got {getattr(self, name)!r}")
        for name in EFFICIENCIES:
            if not 0.0 < getattr(self, name) <= 1.0:
                raise InputError(f"calibration: {name} must be above 0 and at most 1, got {getattr(self, name)!r}")
        if not 0.0 <= self.hbm_ramp_bytes < inf:
            raise InputError(f"calibration: hbm_ramp must be 0 or more bytes, got {self.hbm_ramp_bytes!r}")
        if self.overlap == inf:
            object.__setattr__(self, "overlap", 0.0)  # JSON has no infinity
        if not (self.overlap >= 1.0 or self.overlap == 0.0):
            raise InputError(f"calibration: overlap must be 1 or more, or 0 for none, got {self.overlap!r}")
        if self.interval and not (len(self.interval) == 2 and 0.0 < self.interval[0] <= self.interval[1] < inf):
            raise InputError(f"calibration: interval must be two ratios, the lower first, got {list(self.interval)!r}")


@dataclass(frozen=True, slots=True, order=True)
class Calibration(Constants):
    """Corrections of the time model fitted on measurements of a chip; the default corrects nothing.

    The constants of ``Constants`` hold for operators whose kind has none of its own.

    Attributes
    ----------
    kinds
        (kind, its constants), in the order of ``KINDS``.
    tiles
        Tiles of products.
    """

    kinds: tuple[tuple[str, Constants], ...] = ()
    tiles: Tiles = Tiles()

    def __post_init__(self) -> None:
        Constants.__post_init__(self)
        unknown = [kind for kind, _ in self.kinds if kind not in KINDS]
        if unknown:
            raise InputError(f"calibration: unknown kind {', '.join(unknown)}; allowed: {', '.join(KINDS)}")
        object.__setattr__(self, "kinds", tuple(sorted(self.kinds, key=lambda item: KINDS.index(item[0]))))

    def of(self, kind: str) -> Constants:
        """The constants of a kind of operator."""
        own = dict(self.kinds)
        return own.get(kind) or own.get(LIKE.get(kind, ""), self)

    def best(self, name: str) -> float:
        """The largest value of an efficiency over all kinds."""
        return max(float(getattr(item, name)) for item in (self, *dict(self.kinds).values()))

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Calibration:
        """The calibration of which ``table`` is ``dataclasses.asdict``, also after a journey through JSON."""
        kinds = tuple((kind, _constants(constants)) for kind, constants in table.get("kinds", ()))
        tiles = dict(table.get("tiles", {}))
        tiles["shapes"] = tuple((int(rows), int(columns)) for rows, columns in tiles.get("shapes", ()))
        own = {key: value for key, value in table.items() if key not in ("kinds", "tiles")}
        return cls(**_values(own), kinds=kinds, tiles=Tiles(**tiles))


def _values(table: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no tuples."""
    return dict(table) | {"interval": tuple(table.get("interval", ()))}


def _constants(table: Mapping[str, Any]) -> Constants:
    return Constants(**_values(table))


UNCALIBRATED = Calibration()
"""Corrects nothing."""

NAMES = tuple(item.name for item in fields(Constants))
"""Fields of the constants of a kind."""
