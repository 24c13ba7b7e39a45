"""What a technology covers: the values of a template that it has costs for, and why not those it has none for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Any

from accmine.errors import InputError
from accmine.files import format_quantity, names
from accmine.hardware.design import Design, TensorCore, VectorCore
from accmine.hardware.technology import Technology, area_mm2, load_technology, tdp_w
from accmine.hardware.technology.area import Chip, PartsArea
from accmine.hardware.template import Template
from accmine.hardware.tunables import FIELDS

__all__ = ["DEFAULT_TECHNOLOGY", "Beyond", "chosen", "costed", "covered", "covering", "needs", "some_of"]

DEFAULT_TECHNOLOGY = "tpu-16nm"
"""Taken where none is named and it covers the chips."""


@dataclass(frozen=True, slots=True)
class Beyond:
    """Values of a tunable for which a technology has no costs, whatever the other tunables are.

    Attributes
    ----------
    key
        The tunable, as a file writes it.
    values
        As a file writes them.
    why
        What the technology says of the first of them.
    every
        Whether no value of the tunable is covered.
    """

    key: str
    values: tuple[str, ...]
    why: str
    every: bool


def covered(template: Template, technology: Technology) -> tuple[Template, tuple[Beyond, ...]]:
    """The template without the values that the technology has no costs for, and these.

    Where nothing is left of a tunable, its values stay: the caller has to refuse them.

    Raises
    ------
    InputError
        If values that are covered alone are not in all combinations: a template has all of them. If the technology
        does not know the types that the template states rates for.
    """
    technology.need_types(TensorCore(1, 1, 1, template.dataflow[0], template.tensor_rates))
    beyond: list[Beyond] = []
    for keys, cost in _parts(template, technology):
        fields = [FIELDS[key].attribute for key in keys]
        kept, own = [], []
        for i, (key, field) in enumerate(zip(keys, fields, strict=True)):
            values = getattr(template, field)
            rows = [getattr(template, other) for other in fields]
            why = {value: _why(cost, [*rows[:i], (value,), *rows[i + 1 :]]) for value in values}
            out = tuple(value for value in values if why[value])
            kept.append(tuple(value for value in values if not why[value]) or values)
            if out:
                shown = tuple(_text(key, value) for value in out)
                own.append(Beyond(key, shown, why[out[0]], len(out) == len(values)))
        # Where nothing of a part is covered, that is due to the tunables that the law names.
        beyond += [item for item in own if item.key in item.why] or own
        change: dict[str, Any] = dict(zip(fields, kept, strict=True))
        template = replace(template, **change)
        if not any(item.every for item in beyond):
            hole = next(_refused(cost, kept), "")
            if hole:
                raise InputError(f"{hole}; the values of {', '.join(keys)} have to fit in all combinations")
    return template, tuple(beyond)


def costed(name: str, design: Design, technology: Technology) -> None:
    """Refuse a design that the technology has no area, TDP and energies for.

    Raises
    ------
    InputError
        With its name, why not, and the shipped technologies that have them.
    """
    try:
        needs(design, technology)
    except InputError as error:
        others = covering(lambda other: needs(design, other))
        raise InputError(f"{name}: {error.complaints[0].message}; {others}") from None


def needs(design: Design, technology: Technology) -> None:
    """As ``costed``, without a name and without looking for other technologies."""
    technology.need_clock(design.frequency_hz)
    technology.need_types(design.tensor)
    area_mm2(design, technology)
    tdp_w(design, technology)


def some_of(template: Template, technology: Technology) -> None:
    """Refuse a template of which the technology covers no value of a tunable; raises as ``covered``."""
    for item in covered(template, technology)[1]:
        if item.every:
            raise InputError(item.why)


def covering(covers: Callable[[Technology], object]) -> str:
    """The shipped technologies that ``covers`` does not refuse, as the end of a message."""
    found = ", ".join(item.name for item in _shipped() if _accepted(covers, item))
    return f"technologies that cover it: {found}" if found else "no shipped technology covers it"


def chosen(named: Sequence[str], covers: Callable[[Technology], object]) -> tuple[Technology, str]:
    """The technology where none is given, and why it is not the default (empty: it is).

    The default where it covers what is asked; else the first of ``named``, those of the chips' own nodes, that does;
    else the oldest shipped node that does. Where none does the default, for a message about it.

    Parameters
    ----------
    named
        Shipped technologies that the files of the chips name, in order.
    covers
        Raises ``InputError`` for a technology that does not cover what is asked.
    """
    default = load_technology(DEFAULT_TECHNOLOGY)
    try:
        covers(default)
    except InputError as error:
        own = [load_technology(name) for name in named if name]
        for item in (*own, *_shipped()):
            if _accepted(covers, item):
                return item, error.complaints[0].message
    return default, ""


def _accepted(covers: Callable[[Technology], object], technology: Technology) -> bool:
    try:
        covers(technology)
    except InputError:
        return False
    return True


@cache
def _shipped() -> tuple[Technology, ...]:
    """Shipped technologies, the oldest node first."""
    return tuple(sorted(map(load_technology, names("technologies")), key=lambda item: (-item.node_nm, item.name)))


def _parts(template: Template, technology: Technology) -> Iterator[tuple[tuple[str, ...], Callable[..., Any]]]:
    """Tunables that a law looks at together, and the cost that it has or refuses."""
    law = technology.area
    least = Chip(template.hbm_bytes[0], template.hbm_bytes_per_s[0], template.frequency_hz[0])
    yield ("frequency",), technology.need_clock
    if isinstance(law, PartsArea):
        return  # has an area for every size
    yield ("shared_sram",), lambda size: law.fixed_mm2(replace(least, shared_sram_bytes=size))
    yield (
        ("tensor_rows", "tensor_cols", "tensor_sram"),
        lambda rows, cols, sram: law.tensor_mm2(
            TensorCore(rows, cols, sram, template.dataflow[0], template.tensor_rates), least
        ),
    )
    yield (
        ("vector_lanes", "vector_ops_per_lane", "vector_sram"),
        lambda lanes, ops, sram: law.vector_mm2(VectorCore(lanes, ops, sram, template.vector_rates), least),
    )


def _refused(cost: Callable[..., Any], values: list[tuple[int, ...]]) -> Iterator[str]:
    """What the law says of every combination that it refuses."""
    for row in product(*values):
        try:
            cost(*row)
        except InputError as error:
            yield error.complaints[0].message


def _why(cost: Callable[..., Any], values: list[tuple[int, ...]]) -> str:
    """Why no combination is covered; empty if one is."""
    why = ""
    for row in product(*values):
        try:
            cost(*row)
        except InputError as error:
            why = why or error.complaints[0].message
        else:
            return ""
    return why


def _text(key: str, value: int) -> str:
    dimension = FIELDS[key].dimension
    return str(value) if dimension is None else format_quantity(float(value), dimension)
