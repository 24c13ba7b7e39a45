"""Kernels of products: the loop nest of a mapping, with peeled edge tiles and the instructions of a description."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from accmine.cost.kernel.mapping import Product, ProductMapping, default_mapping, rule_of
from accmine.errors import InputError
from accmine.kernel.architecture import Architecture, Instruction, Kernel, Loop, Operand
from accmine.kernel.described.expression import evaluate
from accmine.kernel.described.product import OPERAND, Move, ProductRule

__all__ = ["product_kernel"]

Body = tuple[Instruction | Loop, ...]


def product_kernel(
    architecture: Architecture,
    m: int,
    n: int,
    k: int,
    *,
    batch: int = 1,
    element_bytes: int = 1,
    mapping: ProductMapping | None = None,
    name: str = "",
) -> Kernel:
    """The kernel of ``batch`` products C[m,n] = A[m,k] · B[k,n] on an architecture that says how it runs them.

    A dimension without a loop is covered by each instruction whole; products of a batch run one after the other. Edge
    tiles are peeled off where instructions differ from those of whole tiles.

    Parameters
    ----------
    mapping
        Default: that of the description (``default_mapping``).

    Raises
    ------
    InputError
        If the architecture has no section ``product``, or the mapping does not fit it.
    """
    product = Product(m, n, k, batch, element_bytes)
    rule, parameters = rule_of(architecture), architecture.parameters
    chosen = default_mapping(architecture, product) if mapping is None else mapping
    most = {d: evaluate(tile, parameters) for d, tile in _last(rule).items()}
    _check(chosen, rule, most, product)
    loops = [(depth, *loop) for depth, level in enumerate(chosen.levels) for loop in level.loops]
    if not any(dimension == "b" for _, dimension, _ in loops):
        loops.insert(0, (0, "b", 1))
    nest = _Nest(tuple(loops), _placed(rule, loops), {**parameters, "e": element_bytes})
    body = _inside(nest, 0, product.sizes, True)
    return Kernel(name or f"product {batch} x {m} x {n} x {k}", body)


def _last(rule: ProductRule) -> Mapping[str, int | str]:
    loops = list(rule.levels.values())[-1]
    assert not isinstance(loops, str)  # the rule was checked when it was made
    return {str(dimension): tile for dimension, tile in loops.items()}


def _check(mapping: ProductMapping, rule: ProductRule, most: Mapping[str, int], product: Product) -> None:
    names, known = tuple(level.name for level in mapping.levels), tuple(rule.levels)
    if names != known:
        raise InputError(f"levels of a mapping must be {', '.join(known)}, got {', '.join(names) or 'none'}")
    for dimension, limit in most.items():
        tiles = [tile for level in mapping.levels for name, tile in level.loops if name == dimension]
        covered = min([product.sizes[dimension], *tiles])
        if covered > limit:
            raise InputError(f"one instruction covers at most {limit} of {dimension}; the mapping gives it {covered}")


@dataclass(frozen=True)
class _Nest:
    """Loops (level, dimension, tile), the instructions before and after what each of them holds, and names.

    ``placed[j]`` stands inside j loops.
    """

    loops: tuple[tuple[int, str, int], ...]
    placed: tuple[tuple[tuple[str, Move], ...], ...]
    names: Mapping[str, int]


def _placed(rule: ProductRule, loops: list[tuple[int, str, int]]) -> tuple[tuple[tuple[str, Move], ...], ...]:
    """The instructions by the number of loops around them: down to the innermost one that changes what they handle."""
    levels = list(rule.levels)
    places: list[list[tuple[str, Move]]] = [[] for _ in range(len(loops) + 1)]
    for mnemonic, move in rule.moves:
        deepest = levels.index(move.level) if move.level else len(levels) - 1
        # Products of a batch share nothing.
        around = [j + 1 for j, (level, d, _) in enumerate(loops) if level <= deepest and d in ("b", *move.per)]
        places[max(around, default=0)].append((mnemonic, move))
    return tuple(map(tuple, places))


def _inside(nest: _Nest, depth: int, sizes: Mapping[str, int], first: bool) -> Body:
    """What stands inside ``depth`` loops; ``first``: in the first iteration of all those over k."""
    names = {**nest.names, **sizes}
    here = [(move.after, _instruction(mnemonic, move, names, first)) for mnemonic, move in nest.placed[depth]]
    before = tuple(item for after, item in here if not after)
    behind = tuple(item for after, item in here if after)
    within = _loop(nest, depth, sizes, first) if depth < len(nest.loops) else ()
    return before + within + behind


def _loop(nest: _Nest, depth: int, sizes: Mapping[str, int], first: bool) -> Body:
    """Loop ``depth``: whole tiles and the edge, the first one apart where sums begin in it; equal ones joined."""
    _, dimension, tile = nest.loops[depth]
    whole, rest = divmod(sizes[dimension], tile)
    begins = first and dimension == "k"
    pieces = [(1, tile, True), (whole - 1, tile, False)] if begins else [(whole, tile, first)]
    if rest:
        pieces.append((1, rest, (begins and whole == 0) or (first and not begins)))
    joined: list[tuple[int, Body]] = []
    for trips, size, fresh in pieces if whole else pieces[-1:]:
        if trips < 1:
            continue
        body = _inside(nest, depth + 1, {**sizes, dimension: size}, fresh)
        if joined and joined[-1][1] == body:
            joined[-1] = (joined[-1][0] + trips, body)
        else:
            joined.append((trips, body))
    out: Body = ()
    for trips, body in joined:
        if trips == 1:
            out += body
        elif body:
            out += (Loop(trips, body, dimension),)
    return out


def _instruction(mnemonic: str, move: Move, names: Mapping[str, int], first: bool) -> Instruction:
    def operands(texts: tuple[str, ...]) -> tuple[Operand, ...]:
        return tuple(_operand(text, names) for text in texts)

    sums = operands(move.sums)
    writes, updates = operands(move.writes), operands(move.updates)
    values = {key: evaluate(value, names) for key, value in move.values.items()}
    written, updated = (writes + sums, updates) if first else (writes, updates + sums)
    return Instruction(mnemonic, operands(move.reads), written, updated, values)


def _operand(text: str, names: Mapping[str, int]) -> Operand:
    found = OPERAND.fullmatch(text)
    if found is None:
        raise InputError(f"{text!r} is no operand; allowed: PLACE.PART or PLACE.PART:BYTES")
    size = found["size"]
    return Operand(found["place"], found["part"], 0 if size is None else evaluate(size, names))
