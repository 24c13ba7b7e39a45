"""Kernels of products and convolutions: loop nests of mappings, with peeled edge tiles and described instructions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from accmine.cost.kernel.mapping import Product, ProductMapping, convolution_product, default_mapping, rule_of
from accmine.errors import InputError
from accmine.files import Place
from accmine.kernel.architecture import Architecture, Instruction, Kernel, Loop, Operand
from accmine.kernel.described.expression import MOST, Complaints, evaluate
from accmine.kernel.described.product import OPERAND, PARTS, WINDOWS, Move, ProductRule, parts_of
from accmine.workload.forward.convolution import Convolution

__all__ = ["convolution_kernel", "mapped_kernel", "product_kernel"]

Body = tuple[Instruction | Loop, ...]

REDUCED = ("k", *PARTS["k"])
"""Loops over what is summed."""


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
    """The kernel of ``batch`` products C[m,n] = A[m,k] · B[k,n] on an architecture; as ``mapped_kernel``."""
    product = Product(m, n, k, batch, element_bytes)
    return mapped_kernel(architecture, product, mapping, name or f"product {batch} x {m} x {n} x {k}")


def convolution_kernel(
    architecture: Architecture,
    convolution: Convolution,
    *,
    element_bytes: int = 1,
    mapping: ProductMapping | None = None,
    name: str = "convolution",
) -> Kernel:
    """The kernel of a convolution on an architecture; as ``mapped_kernel``."""
    return mapped_kernel(architecture, convolution_product(convolution, element_bytes), mapping, name)


def mapped_kernel(
    architecture: Architecture, product: Product, mapping: ProductMapping | None = None, name: str = ""
) -> Kernel:
    """The kernel of a product or convolution on an architecture that says how it runs them.

    A dimension without a loop is covered by each instruction whole; products of a batch, and groups of a convolution,
    run one after the other. Edge tiles are peeled off where instructions differ from those of whole tiles.

    Parameters
    ----------
    mapping
        Default: that of the description (``default_mapping``).

    Raises
    ------
    InputError
        If the architecture has no section ``product``, the mapping does not fit it, or an expression has no value.
    """
    rule, found = rule_of(architecture), Complaints(architecture.document)
    chosen = default_mapping(architecture, product) if mapping is None else mapping
    _check(chosen, architecture, product)
    loops = [(depth, *loop) for depth, level in enumerate(chosen.levels) for loop in level.loops]
    looped = {dimension for _, dimension, _ in loops}
    if "b" not in looped:
        loops.insert(0, (0, "b", 1))
    sizes = {d: product.sizes[d] for d in ("b", "n")}
    for whole in PARTS:
        sizes |= {d: product.sizes[d] for d in ((whole,) if whole in looped else PARTS[whole])}
    nest = _Nest(
        tuple(rule.levels), tuple(loops), _placed(rule, loops), architecture.parameters, rule.names, product, found
    )
    body = _inside(nest, 0, sizes, True)
    found.raise_any()
    return Kernel(name, body, architecture.document)


def _check(mapping: ProductMapping, architecture: Architecture, product: Product) -> None:
    rule = rule_of(architecture)
    names, known = tuple(level.name for level in mapping.levels), tuple(rule.levels)
    if names != known:
        raise InputError(f"levels of a mapping must be {', '.join(known)}, got {', '.join(names) or 'none'}")
    covered = dict(product.sizes)
    for dimension, tile in (loop for level in mapping.levels for loop in level.loops):
        covered[dimension] = min(covered[dimension], tile)
    looped = {dimension for level in mapping.levels for dimension, _ in level.loops}
    for whole, parts in PARTS.items():
        if whole not in looped:
            covered[whole] = prod(covered[part] for part in parts)
        elif both := sorted(looped & set(parts)):
            raise InputError(f"a mapping loops over {whole} or over its parts, got {whole} and {', '.join(both)}")
        else:
            covered |= dict.fromkeys(parts, covered[whole])
    last = rule.levels[known[-1]]
    for dimension, most in () if last == "search" else last.items():
        limit = evaluate(most, architecture.parameters)
        if covered[dimension] > limit:
            message = (
                f"one instruction covers at most {limit} of {dimension}; the mapping gives it {covered[dimension]}"
            )
            raise InputError(message)


@dataclass(frozen=True)
class _Nest:
    """Loops (level, dimension, tile), the instructions before and after what each of them holds, and names.

    ``placed[j]`` stands inside j loops: index in the description, mnemonic, keys. ``sizes``: names of sizes that
    expressions may use beside parameters.
    """

    levels: tuple[str, ...]
    loops: tuple[tuple[int, str, int], ...]
    placed: tuple[tuple[tuple[int, str, Move], ...], ...]
    parameters: Mapping[str, int]
    sizes: tuple[str, ...]
    product: Product
    found: Complaints


def _placed(rule: ProductRule, loops: list[tuple[int, str, int]]) -> tuple[tuple[tuple[int, str, Move], ...], ...]:
    """The instructions by the number of loops around them: down to the innermost one that changes what they handle."""
    levels = list(rule.levels)
    places: list[list[tuple[int, str, Move]]] = [[] for _ in range(len(loops) + 1)]
    for index, (mnemonic, move) in enumerate(rule.moves):
        deepest = levels.index(move.level) if move.level else len(levels) - 1
        # Products of a batch share nothing.
        own = {part for dimension in ("b", *move.per) for part in parts_of(dimension)}
        around = [j + 1 for j, (level, d, _) in enumerate(loops) if level <= deepest and own & set(parts_of(d))]
        places[max(around, default=0)].append((index, mnemonic, move))
    return tuple(map(tuple, places))


def _inside(nest: _Nest, depth: int, sizes: Mapping[str, int], first: bool) -> Body:
    """What stands inside ``depth`` loops; ``first``: in the first iteration of all those over k and its parts."""
    names = {**nest.parameters, **_named(nest, sizes)}
    here = [(item[2].after, _instruction(nest, item, names, first)) for item in nest.placed[depth]]
    before = tuple(item for after, item in here if not after)
    behind = tuple(item for after, item in here if after)
    within = _loop(nest, depth, sizes, first) if depth < len(nest.loops) else ()
    return before + within + behind


def _named(nest: _Nest, sizes: Mapping[str, int]) -> dict[str, int]:
    """What expressions may name of a tile: its sizes, and what follows from them."""
    own, window = {**sizes, "e": nest.product.element_bytes}, nest.product.window
    for whole, parts in PARTS.items():
        own.setdefault(whole, prod(sizes.get(part, 1) for part in parts))
    for axis, (name, (output, tap)) in enumerate(WINDOWS.items()):
        if output in sizes and tap in sizes:
            own[name] = (sizes[output] - 1) * window.stride[axis] + (sizes[tap] - 1) * window.dilation[axis] + 1
    return {name: own[name] for name in nest.sizes if name in own}


def _loop(nest: _Nest, depth: int, sizes: Mapping[str, int], first: bool) -> Body:
    """Loop ``depth``: whole tiles and the edge, the first one apart where sums begin in it; equal ones joined."""
    level, dimension, tile = nest.loops[depth]
    place: Place = ("product", "levels", nest.levels[level], dimension)
    whole, rest = divmod(sizes[dimension], tile)
    begins = first and dimension in REDUCED
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
            out += (Loop(trips, body, dimension, place),)
    return out


def _instruction(nest: _Nest, item: tuple[int, str, Move], names: Mapping[str, int], first: bool) -> Instruction:
    index, mnemonic, move = item
    place: Place = ("product", "instructions", index, mnemonic)

    def operands(key: str) -> tuple[Operand, ...]:
        return tuple(_operand(nest, text, names, (*place, key, at)) for at, text in enumerate(getattr(move, key)))

    writes, updates, sums = operands("writes"), operands("updates"), operands("sums")
    values = {key: nest.found.number(value, names, (*place, key), -MOST) for key, value in move.values.items()}
    written, updated = (writes + sums, updates) if first else (writes, updates + sums)
    return Instruction(mnemonic, operands("reads"), written, updated, values, place=place)


def _operand(nest: _Nest, text: str, names: Mapping[str, int], place: Place) -> Operand:
    match = OPERAND.fullmatch(text)
    if match is None:
        nest.found.add(place, f"{text!r} is no operand; allowed: PLACE.PART or PLACE.PART:BYTES")
        return Operand("", "")
    size = match["size"]
    return Operand(match["place"], match["part"], 0 if size is None else nest.found.number(size, names, place))
