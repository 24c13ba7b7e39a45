"""What an accelerator file says beside its tunables: rates by type, whether it is calibrated, what it is good for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accmine.errors import Complaint, InputError
from accmine.files import Document, names
from accmine.hardware.precision import Rates, checked_rates

__all__ = ["FACTS", "Facts", "facts_of", "refuse_anchor"]

FACTS = ("tensor_rates", "vector_rates", "calibrated", "anchor", "instead", "technology")
"""Keys of a file that no study overrides."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file says beside its tunables.

    Attributes
    ----------
    tensor_rates, vector_rates
        Stated multiples of the bf16 rate of an array and of the fp32 rate of a lane.
    calibrated
        ``relative`` where the calibration is that of another chip with the same cores, else ``yes`` or ``no``.
    anchor
        ``peak``: the file reproduces a published peak and nothing else; empty for what may be compared with.
    instead
        Name of the accelerator to take in the place of an anchor.
    technology
        Name of the shipped technology of its node, chosen where a study names none; empty: any that covers it.
    """

    tensor_rates: Rates = ()
    vector_rates: Rates = ()
    calibrated: str = "no"
    anchor: str = ""
    instead: str = ""
    technology: str = ""


def facts_of(document: Document) -> Facts:
    """The facts of an accelerator file.

    Raises
    ------
    InputError
        Every complaint at once, with its place: unknown types, rates that are none, ``calibrated`` that is not what the
        file has, an anchor that names nothing to take instead, a technology that is not shipped.
    """
    data = document.data if isinstance(document.data, Mapping) else {}
    wrong: list[Complaint] = []
    rates: dict[str, Rates] = {}
    for key in FACTS[:2]:
        if key not in data:
            continue
        try:
            rates[key] = checked_rates(key, data[key])
        except InputError as error:
            for c in error.complaints:
                place = (key, c.field) if c.field else (key,)
                wrong.append(Complaint(document.locate(place), ".".join(place), c.message))
    wrong += [Complaint(document.locate((key,)), key, text) for key, text in _wrong(data)]
    if wrong:
        raise InputError(wrong)
    anchor, instead, technology = (str(data.get(key, "")) for key in ("anchor", "instead", "technology"))
    known = "relative" if data.get("calibrated") == "relative" else "yes" if "calibration" in data else "no"
    return Facts(rates.get("tensor_rates", ()), rates.get("vector_rates", ()), known, anchor, instead, technology)


def _wrong(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(key, complaint) of the words of a file."""
    found = []
    allowed: tuple[Any, ...] = (True, "relative") if "calibration" in data else (False,)
    if "calibrated" in data and data["calibrated"] not in allowed:
        has = "yes, or relative: the file has a" if "calibration" in data else "no: the file has no"
        found.append(("calibrated", f"must be {has} section calibration"))
    if "anchor" in data and data["anchor"] != "peak":
        found.append(("anchor", f"unknown anchor {data['anchor']!r}; allowed: peak"))
    if ("anchor" in data) != ("instead" in data):
        found.append(("anchor" if "anchor" in data else "instead", "anchor and instead come together"))
    for key, kind in (("instead", "accelerators"), ("technology", "technologies")):
        if key in data and data[key] not in names(kind):
            found.append((key, f"must be one of {', '.join(names(kind))}, got {data[key]!r}"))
    return found


def refuse_anchor(document: Document) -> None:
    """Refuse a file that reproduces a peak only, where times are asked for.

    Raises
    ------
    InputError
        Naming what to take instead.
    """
    facts = facts_of(document)
    if facts.anchor:
        name = document.data.get("name", document.name)
        raise InputError(
            f"{name} is an anchor of a published peak only (anchor: {facts.anchor}): its times are far from those of "
            f"the chip; take {facts.instead}"
        )
