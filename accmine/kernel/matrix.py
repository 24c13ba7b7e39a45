"""Max-plus matrices of whole cycles: products, and powers applied to what follows them.

``(A ⊗ B)[i, j] = max over k of A[i, k] + B[k, j]``; ``NEVER`` is the neutral element of max. Entries are weights of
paths, hence ``NEVER`` or 0 … 2^62 − 1, so that no sum leaves int64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from accmine.errors import InputError

__all__ = ["LIMIT", "NEVER", "Matrix", "Reduced", "identity", "overflow", "power", "product", "reduced"]

Matrix: TypeAlias = npt.NDArray[np.int64]

LIMIT = 1 << 62
"""Finite entries are below."""
NEVER = -LIMIT
"""Any negative entry means it; products write this one."""


def overflow(what: str = "the program") -> InputError:
    """The refusal of what takes too long for int64."""
    return InputError(f"{what} takes 2^62 cycles or more, beyond what int64 holds; allowed are fewer")


def identity(n: int) -> Matrix:
    """0 on the diagonal."""
    out = np.full((n, n), NEVER, np.int64)
    np.fill_diagonal(out, 0)
    return out


def product(a: Matrix, b: Matrix) -> Matrix:
    """``a ⊗ b``.

    Raises
    ------
    InputError
        An entry is 2^62 or more.
    """
    out = np.full((a.shape[0], b.shape[1]), NEVER, np.int64)
    if b.shape[1] == 1:
        if b.shape[0]:
            np.max(a + b[:, 0], axis=1, out=out[:, 0])
    else:
        sums = np.empty_like(out)
        for k in np.flatnonzero((a >= 0).any(axis=0) & (b >= 0).any(axis=1)):
            np.add(a[:, k, None], b[k], out=sums)
            np.maximum(out, sums, out=out)
    return _checked(out)


@dataclass(frozen=True)
class Reduced:
    """A matrix over as few states as say the same.

    Rows that are another row plus a constant, and columns likewise or without entries, say the same thing twice: then
    a = P ⊗ B over fewer states, and a^k = P ⊗ (B ⊗ P)^(k − 1) ⊗ B; and again with B ⊗ P.

    Attributes
    ----------
    steps
        (P, B), outermost first.
    core
        What remains.
    """

    steps: tuple[tuple[Matrix, Matrix], ...]
    core: Matrix


def reduced(a: Matrix) -> Reduced:
    """``a`` over fewer states."""
    steps: list[tuple[Matrix, Matrix]] = []
    while True:
        for turned in (False, True):
            p, b, core = _factors(a.T) if turned else _factors(a)
            # a factor that saves less than a tenth costs more to apply than it saves
            if len(core) < len(a) and 10 * len(core) <= 9 * len(a):
                steps.append((b.T, p.T) if turned else (p, b))
                a = np.ascontiguousarray(core.T) if turned else core
                break
        else:
            return Reduced(tuple(steps), a)


def power(a: Matrix | Reduced, k: int, right: Matrix) -> Matrix:
    """``a^k ⊗ right`` for k ≥ 0, by repeated squaring or one by one.

    Raises
    ------
    InputError
        An entry is 2^62 or more.
    """
    small = a if isinstance(a, Reduced) else reduced(a)
    lifts: list[Matrix] = []
    for p, b in small.steps:
        if k:
            right = product(b, right)
            lifts.append(p)
            k -= 1
    if k:
        right = _power(small.core, k, right)
    for p in reversed(lifts):
        right = product(p, right)
    return right


def _power(a: Matrix, k: int, right: Matrix) -> Matrix:
    n, m = right.shape
    if k * m <= n * (k.bit_length() - 1):
        for _ in range(k):
            right = product(a, right)
        return right
    while True:
        if k & 1:
            right = product(a, right)
        k >>= 1
        if not k:
            return right
        a = product(a, a)


def _factors(a: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """P and B with ``a`` = P ⊗ B, and B ⊗ P: B has one of the rows that differ by constants, none empty."""
    finite = a >= 0
    least = np.where(finite, a, LIMIT - 1).min(axis=1, initial=LIMIT - 1)
    shapes = np.ascontiguousarray(np.where(finite, a - least[:, None], NEVER))
    seen: dict[bytes, int] = {}
    some = np.flatnonzero(finite.any(axis=1))
    kind = np.array([seen.setdefault(shapes[row].tobytes(), len(seen)) for row in some], np.int64)
    first = some[np.unique(kind, return_index=True)[1]]
    b = shapes[first]
    p = np.full((len(a), len(first)), NEVER, np.int64)
    p[some, kind] = least[some]
    if not len(first):
        return p, b, np.zeros((0, 0), np.int64)
    order = np.argsort(kind, kind="stable")  # B ⊗ P without the product: P has one entry in a row
    sums = b[:, some[order]] + least[some[order]]
    core = np.maximum.reduceat(sums, np.searchsorted(kind[order], np.arange(len(first))), axis=1)
    return p, b, _checked(core)


def _checked(out: Matrix) -> Matrix:
    if out.size and out.max() >= LIMIT:
        raise overflow()
    out[out < 0] = NEVER
    return out
