"""Waiting of parallel engines: simulations, the fit of ``accmine.sparse.stalls`` to them, and how far it is off.

Each number of engines and each slack is simulated for some distributions of cycles (binomial, mixed, two points far
from each other, uniform, geometric, any), with the mean of what was drawn taken out of the result. The fit is the least
of ``PIECES`` weighted means of features with weights of at least 0: linear programs with a given piece for each
distribution, alternating with the choice of the pieces, that minimise the largest relative error, with a tolerance that
grows with what waiting costs. Then other distributions, which the fit has not seen, are simulated as well.

    python benchmarks/stalls.py [--write] [WORK]

``--write`` replaces ``accmine/sparse/stalls_table.py``; WORK is the number of windows of each simulation (4,000,000:
half an hour on one core to fit, ten minutes to check). Takes scipy, which the extra ``searches`` brings.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numba
import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_matrix, hstack, identity, vstack

from accmine.sparse.layer import PARTS, Histogram, binomial, in_parts
from accmine.sparse.stalls import features, waiting_cycles_of

ENGINES = tuple(2**i for i in range(1, 13))
SLACKS = (4, 16, 64)
LARGEST = (*(2**i for i in range(13)), 1 << 14)
LOGS = (0.02, 0.1, 0.3, 0.6, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 12.0)
NEAR = {
    4: (1.1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 16, 32),
    16: (4, 8, 12, 16, 24, 32, 64),
    64: (16, 32, 48, 64, 96, 128, 256),
}
"""Slacks of the bounds that each slack is fitted with."""
BOUNDS = tuple((slack, log) for slack in sorted({own for near in NEAR.values() for own in near}) for log in LOGS)
PIECES, TURNS, SHARES = 4, 6, 10_000
TABLE = Path(__file__).resolve().parent.parent / "accmine/sparse/stalls_table.py"


@numba.njit(cache=True)
def simulated(thresholds: Any, cycles: Any, engines: int, slack: int, warm: int, steps: int, seed: int) -> float:
    """Cycles per window less the mean of the windows that were drawn, after ``warm`` windows of an engine."""
    np.random.seed(seed)
    own, done = np.zeros(engines), np.zeros(slack)
    drawn, start, slowest = 0.0, 0.0, 0.0
    for i in range(warm + steps):
        wait, slowest = done[i % slack], 0.0
        for j in range(engines):
            at = np.searchsorted(thresholds, np.random.random(), side="right")
            own[j] = max(own[j], wait) + cycles[at]
            slowest = max(slowest, own[j])
            if i >= warm:
                drawn += cycles[at]
        done[i % slack] = slowest
        if i == warm - 1:
            start = slowest
    return (slowest - start) / steps - drawn / (engines * steps)


def measured(histogram: Histogram, engines: int, slack: int, work: int, seed: int) -> float:
    """Cycles per window; at ``fine`` 1."""
    counts = np.array(histogram[::-1], dtype=float) / PARTS
    cycles = np.maximum(1, np.arange(len(counts), dtype=float))
    mean = float(counts @ cycles)
    variance = float(counts @ cycles**2) - mean**2
    relaxed = (slack * mean) ** 2 / max(variance, 1e-9) / max(math.log(engines), 0.7)
    steps = max(work // engines, 3000)
    warm = int(min(max(2 * relaxed, 10 * slack), steps / 3))
    return simulated(np.cumsum(counts)[:-1], cycles, engines, slack, warm, steps, seed) + mean


def two_points(low: int, high: int, share: float) -> Histogram:
    """Windows of ``low`` and ``high`` cycles, the latter with a share."""
    found = [0] * (high + 1)
    found[0] = round(share * PARTS)
    found[high - low] += PARTS - found[0]
    return tuple(found)


def of_shares(shares: Any) -> Histogram:
    """Shares of windows by cycles from 1 on."""
    found = [Fraction(float(share)) for share in shares][::-1]
    return (*in_parts([share / sum(found) for share in found]), 0)


def known() -> Iterator[Histogram]:
    """Distributions that every fit has."""
    for window, percent in ((9, 50), (25, 30), (49, 50), (49, 20), (16, 10), (9, 90), (49, 80)):
        yield binomial(window, Fraction(percent, 100))
    for high, shares in ((2, (0.5, 0.1, 0.9, 0.01)), (9, (0.5, 0.1, 0.02, 0.9)), (49, (0.5, 0.1, 0.02, 0.002))):
        for share in shares:
            yield two_points(1, high, share)
    yield two_points(25, 49, 0.1)
    yield two_points(1, 4, 0.3)
    for top in (9, 49):
        yield of_shares(np.ones(top))
    yield of_shares(0.8 ** np.arange(49))
    yield of_shares(0.9 ** np.arange(49)[::-1])


def drawn(draw: np.random.Generator) -> Histogram:
    """One of six kinds; the largest cycles are those of a window with some number of multipliers."""
    top = max(2, -(-int(draw.choice([4, 9, 9, 16, 25, 49])) // int(draw.choice([1, 1, 2, 3, 5]))))
    kind = draw.integers(6)
    if kind == 0:
        return binomial(top, Fraction(int(draw.integers(5, 96)), 100))
    if kind == 1:
        share = draw.uniform(0.02, 0.98)
        pair = [np.array(binomial(top, Fraction(int(draw.integers(*ends)), 100))) for ends in ((2, 60), (40, 98))]
        return in_parts([Fraction(int(own)) / PARTS for own in _rounded(share * pair[0] + (1 - share) * pair[1])])
    if kind == 2:
        return of_shares(draw.dirichlet(np.full(top, draw.choice([0.1, 0.3, 1.0]))) + 1e-9)
    if kind == 3:
        rare = 10 ** draw.uniform(-3, 0)
        return two_points(int(draw.integers(1, top)), top, rare if draw.random() < 0.7 else 1 - rare / 2)
    if kind == 4:
        return of_shares(draw.uniform(0.5, 1.1) ** np.arange(top))
    density = draw.beta(*draw.uniform(0.2, 4, 2), size=200)
    mixed = sum(np.array(binomial(top, Fraction(int(own * 1000), 1000))) for own in density) / 200
    return in_parts([Fraction(int(own)) / PARTS for own in _rounded(mixed)])


def _rounded(counts: Any) -> Any:
    whole = np.floor(counts).astype(np.int64)
    whole[whole.argmax()] += PARTS - whole.sum()
    return whole


def program(rows: Any, tolerance: Any, piece: Any) -> tuple[Any, float]:
    """Weights (pieces, features) of least error if each distribution has its piece (-1: slack 1 is as good)."""
    count, width = rows.shape
    errors = -csr_matrix(np.diag(tolerance))
    all_of, ends = [], []
    for j in range(PIECES):
        blocks = [csr_matrix((count, width))] * PIECES
        blocks[j] = -csr_matrix(rows)
        all_of.append(hstack([*blocks, csr_matrix((count, 1)), errors]))
        own = np.flatnonzero(piece == j)
        blocks = [csr_matrix((len(own), width))] * PIECES
        blocks[j] = csr_matrix(rows[own])
        all_of.append(hstack([*blocks, csr_matrix((len(own), 1)), errors[own]]))
        ends += [-1.0] * count + [1.0] * len(own)
    all_of.append(hstack([csr_matrix((count, PIECES * width)), csr_matrix(-np.ones((count, 1))), identity(count)]))
    sums = np.kron(np.eye(PIECES), np.ones(width))
    sums = np.hstack([sums, np.zeros((PIECES, 1 + count))])
    costs = np.r_[np.zeros(PIECES * width), 1, np.full(count, 1 / count)]
    found = linprog(costs, vstack(all_of).tocsr(), [*ends, *[0.0] * count], sums, np.ones(PIECES), method="highs")
    return found.x[: PIECES * width].reshape(PIECES, width), float(found.fun)


def shape(histogram: Histogram) -> tuple[float, float]:
    """Deviation of the cycles of a window over their mean, and their skewness."""
    shares = np.array(histogram[::-1], dtype=float) / PARTS
    cycles = np.maximum(1, np.arange(len(shares), dtype=float))
    mean = float(shares @ cycles)
    deviation = float(shares @ (cycles - mean) ** 2) ** 0.5
    return deviation / mean, float(shares @ (cycles - mean) ** 3) / deviation**3


def fitted(rows: Any, excess: Any, slowest: Any, shapes: Any) -> Any:
    """Best weights of several starts; rows are features over what was measured."""
    tolerance = 1 + np.minimum(3 * excess, 20)
    best: tuple[Any, float] = (None, np.inf)
    for key in (excess, shapes[:, 0] * np.exp(shapes[:, 1] / 3), shapes[:, 1]):
        piece = np.argsort(np.argsort(key)) * PIECES // len(rows)
        last = np.inf
        for _ in range(TURNS):
            weights, error = program(rows, tolerance, np.where(slowest < 1 + 0.001 * tolerance, -1, piece))
            if error < best[1]:
                best = weights, error
            if error > last - 1e-6:
                break
            last, piece = error, (rows @ weights.T).argmin(axis=1)
    return best[0]


def write(weights: dict[int, list[Any]]) -> None:
    """The module of the table, with the features that have a weight."""
    whole = {slack: [np.rint(own * SHARES).astype(int) for own in rows] for slack, rows in weights.items()}
    has = sum(own.sum(axis=0) for rows in whole.values() for own in rows) > 0
    has[0] = True
    names = dict(zip(np.flatnonzero(has).tolist(), range(int(has.sum())), strict=True))
    lines = [
        '"""Weights of the fit of ``accmine.sparse.stalls``: ``benchmarks/stalls.py`` simulates and writes them."""',
        "\nfrom __future__ import annotations\n",
        '__all__ = ["BOUNDS", "ENGINES", "LARGEST", "WEIGHTS"]\n',
        f"ENGINES = {(1, *ENGINES)}",
        '"""Numbers of engines of the rows; more engines than the last count as that."""\n',
        f"LARGEST = {tuple(own for i, own in enumerate(LARGEST) if has[i])}",
        '"""The first features: cycles of the largest of so many windows."""\n',
        f"BOUNDS: tuple[tuple[float, float], ...] = {tuple(b for i, b in enumerate(BOUNDS) if has[len(LARGEST) + i])}",
        '"""The other features: (slack, log2 of engines) of an exponential bound."""\n',
        "Means = tuple[tuple[tuple[int, int], ...], ...]",
        '"""(feature, weight) of each of the weighted means, of which the least is taken."""\n',
        "WEIGHTS: dict[int, tuple[Means, ...]] = {",
    ]
    for slack, rows in whole.items():
        lines.append(f"    {slack}: ((((0, {SHARES}),),),")
        for own in rows:
            means = tuple(tuple((names[i], int(mean[i])) for i in np.flatnonzero(mean).tolist()) for mean in own)
            lines.append(f"        {means},")
        lines.append("    ),")
    TABLE.write_text("\n".join([*lines, "}", '"""By slack, for each of ``ENGINES``."""', ""]), "utf-8")


def fit(work: int) -> dict[int, list[Any]]:
    """Weights by slack, for each of ``ENGINES``, of shape (pieces, features)."""
    draw = np.random.default_rng(5)
    seen = [*known(), *(drawn(draw) for _ in range(80))]
    table = np.array([features(own, 1, LARGEST, BOUNDS) for own in seen])
    shapes = np.array([shape(own) for own in seen])
    found: dict[int, list[Any]] = {}
    for slack in SLACKS:
        used = [i for i in range(table.shape[1]) if i < len(LARGEST) or BOUNDS[i - len(LARGEST)][0] in NEAR[slack]]
        found[slack] = []
        for engines in ENGINES:
            exact = np.array([measured(own, engines, slack, work, k) for k, own in enumerate(seen)])
            slowest = np.array([waiting_cycles_of(own, 1, np.array([engines]), 1)[0] for own in seen]) / PARTS / exact
            weights = np.zeros((PIECES, table.shape[1]))
            rows = table[:, used] / exact[:, None]
            weights[:, used] = fitted(rows, np.maximum(exact / table[:, 0] - 1, 1e-4), slowest, shapes)
            found[slack].append(weights)
            error = np.minimum((table @ weights.T).min(axis=1) / exact, slowest) - 1
            print(f"fit: slack {slack:2}, {engines:4} engines: within {abs(error).max():.2%}", flush=True)
    return found


def main() -> None:
    """Fit and write if asked to; errors on distributions that no fit has seen, by what waiting costs."""
    words = [word for word in sys.argv[1:] if word != "--write"]
    work = int(words[0]) if words else 4_000_000
    if "--write" in sys.argv:
        write(fit(work))
        print(f"{TABLE} is written; format it, and run this again for its errors")
        return
    draw = np.random.default_rng(77)
    print("slack  engines  waiting costs < 30 %: rms, worst (of so many)   more: rms, worst (of so many)")
    unseen = [drawn(draw) for _ in range(60)]
    for slack in SLACKS:
        for engines in (3, 8, 24, 64, 300, 1500, 4096):
            exact = np.array([measured(own, engines, slack, work, k) for k, own in enumerate(unseen)])
            found = np.array([waiting_cycles_of(own, 1, np.array([1, engines]), slack) for own in unseen]) / PARTS
            error, small = found[:, 1] / exact - 1, exact < 1.3 * found[:, 0]
            parts = [error[small], error[~small]]
            shown = [
                f"{(part**2).mean() ** 0.5:7.2%} {abs(part).max():7.2%} ({len(part)})" if len(part) else "      - "
                for part in parts
            ]
            print(f"{slack:5}  {engines:7}  {shown[0]:>34}  {shown[1]:>34}", flush=True)


if __name__ == "__main__":
    main()
