"""Weights of the fit of ``accmine.sparse.stalls``: written by ``benchmarks/stalls.py``, which simulates and fits."""

from __future__ import annotations

__all__ = ["BOUNDS", "ENGINES", "LARGEST", "WEIGHTS"]

ENGINES = (1, 2, 4, 16, 64, 512, 4096)
"""Numbers of engines of the rows; more engines than the last count as that."""

LARGEST = (1, 8, 16, 64)
"""The first features: cycles of the largest of so many windows."""

BOUNDS: tuple[tuple[float, float], ...] = (
    (4, 0.02),
    (4, 0.1),
    (4, 1.5),
    (4, 5.0),
    (4, 6.0),
    (4, 8.0),
    (4, 10.0),
    (16, 0.02),
    (16, 0.1),
    (16, 0.3),
    (16, 0.6),
    (16, 1.5),
    (16, 2.0),
    (16, 4.0),
    (16, 8.0),
    (64, 0.02),
    (64, 0.1),
    (64, 0.6),
    (64, 2.0),
    (64, 3.0),
    (64, 5.0),
)
"""The other features: (slack, log2 of engines) of an exponential bound."""

Means = tuple[tuple[tuple[int, int], ...], ...]
"""(feature, weight) of each of the weighted means, of which the least is taken."""

WEIGHTS: dict[int, tuple[Means, ...]] = {
    4: (
        (((0, 10000),),),
        (((0, 8238), (1, 211), (2, 450), (4, 1101)),),
        (((0, 7326), (2, 1164), (3, 3), (5, 1506)),),
        (((0, 1537), (2, 449), (3, 902), (5, 7113)),),
        (((0, 1211), (3, 881), (6, 7909)),),
        (((0, 736), (7, 5681), (9, 2784), (10, 799)),),
        (((2, 16), (3, 37), (8, 333), (9, 8922), (10, 693)),),
    ),
    16: (
        (((0, 10000),),),
        (((0, 8085), (2, 145), (3, 17), (11, 1754)),),
        (((0, 4172), (2, 225), (3, 28), (11, 5575)),),
        (((2, 194), (3, 2), (12, 7484), (13, 2320)),),
        (((14, 5378), (15, 4622)),),
        (((16, 2538), (17, 7462)),),
        (((17, 4178), (18, 5822)),),
    ),
    64: (
        (((0, 10000),),),
        (((0, 8456), (2, 21), (3, 11), (19, 1512)),),
        (((0, 6370), (2, 32), (3, 17), (19, 3581)),),
        (((0, 387), (2, 22), (3, 16), (19, 9576)),),
        (((2, 17), (3, 9), (20, 7842), (21, 2133)),),
        (((0, 265), (21, 1806), (22, 7929)),),
        (((0, 240), (23, 3422), (24, 6338)),),
    ),
}
"""By slack, for each of ``ENGINES``."""
