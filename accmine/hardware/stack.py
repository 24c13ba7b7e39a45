"""Stacks: what software does to the modelled time of a training step, as a factor and a band.

A model of kernels and collectives leaves out what a framework does beside: launches that nothing hides, waiting for
messages, copies. Of one stack on one kind of machine that is much the same for all steps: a factor, and a band around
it that holds 9 of 10 of them. Both come from steps of one's own (``accmine calibrate --runs``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, log
from pathlib import Path
from statistics import median
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from accmine.errors import InputError
from accmine.files import dump, load_yaml, resolve, validate

__all__ = [
    "FOR_BAND",
    "FOR_FACTOR",
    "LEVEL",
    "UNCALIBRATED",
    "Predicted",
    "Stack",
    "dump_stack",
    "fitted_stack",
    "load_stack",
    "predicted",
]

FOR_FACTOR, FOR_BAND = 8, 12
"""Steps from which the factor comes, and others from which the band does; more of them may be given."""

LEVEL = 0.9
"""Share of steps that a band is to hold."""

UNCALIBRATED = (
    ("Megatron-LM, 18 steps", 0.96, 1.12),
    ("Megatron-DeepSpeed on one node, 1,440 steps", 0.93, 1.48),
    ("fully sharded MPT models, 139 steps", 1.22, 2.23),
)
"""Suite of the ledger, and what 9 of 10 of its measured steps took of their modelled time."""


@dataclass(frozen=True, slots=True)
class Stack:
    """What a stack makes of a modelled time.

    Attributes
    ----------
    name
        Of the stack.
    factor
        Measured ÷ modelled seconds of its median step.
    band
        9 of 10 steps take the modelled time × ``factor``, × or ÷ at most this.
    runs
        The steps it was calibrated on, of which no score says anything.
    source
        What ran where.
    """

    name: str
    factor: float
    band: float
    runs: tuple[str, ...] = ()
    source: str = ""

    def __post_init__(self) -> None:
        if not 0.0 < self.factor < inf:
            raise InputError(f"must be a positive number, got {self.factor!r}", field="factor")
        if not 1.0 <= self.band < inf:
            raise InputError(f"must be at least 1, got {self.band!r}", field="band")


@dataclass(frozen=True, slots=True)
class Predicted:
    """A time and what it is worth.

    Attributes
    ----------
    seconds
        With the factor of the stack, where one is known.
    interval
        Least and most seconds of 9 of 10 such steps; empty without a stack.
    text
        In words.
    """

    seconds: float
    interval: tuple[float, ...]
    text: str


def predicted(seconds: float, stack: Stack | None) -> Predicted:
    """A modelled time as the time of a step, with its interval; without a stack the spread of the ledger's suites."""
    if stack is None:
        spread = "; ".join(f"{suite} {low:g} to {high:g}" for suite, low, high in UNCALIBRATED)
        text = f"no stack is calibrated: 9 of 10 measured steps took these times the modelled time: {spread}"
        return Predicted(seconds, (), text)
    middle = seconds * stack.factor
    bounds = (middle / stack.band, middle * stack.band)
    return Predicted(middle, bounds, f"9 of 10 steps of {stack.name} take {bounds[0]:.4g} to {bounds[1]:.4g} s")


def fitted_stack(name: str, ratios: Sequence[float], runs: Sequence[str], source: str) -> Stack:
    """A stack from measured ÷ modelled seconds of steps: the first ``FOR_FACTOR`` give the factor, the others the band.

    The factor is their median; the band the ⌈0.9 (n + 1)⌉-th smallest of the n distances |ln(ratio / factor)| of the
    others, rounded up to three decimals (split conformal: it holds at least 9 of 10 steps drawn alike, on average over
    draws, whatever their distribution).

    Raises
    ------
    InputError
        For fewer steps than ``FOR_FACTOR + FOR_BAND``.
    """
    least = FOR_FACTOR + FOR_BAND
    if len(ratios) < least:
        raise InputError(f"{len(ratios)} steps; {least} are needed: {FOR_FACTOR} for a factor, {FOR_BAND} for its band")
    factor = median(ratios[:FOR_FACTOR])
    apart = sorted(abs(log(ratio / factor)) for ratio in ratios[FOR_FACTOR:])
    place = min(len(apart), -(-int(10 * LEVEL) * (len(apart) + 1) // 10))
    band = -(-1000 * exp(apart[place - 1]) // 1) / 1000
    return Stack(name, float(f"{factor:.4g}"), band, tuple(runs), source)


class _File(BaseModel):
    """A file of a stack."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: Annotated[str, Field(strict=True, min_length=1)]
    kind: Literal["stack"]
    factor: Annotated[float, Field(strict=True, gt=0)]
    band: Annotated[float, Field(strict=True, ge=1)]
    source: Annotated[str, Field(strict=True, min_length=1)]
    runs: tuple[Annotated[str, Field(strict=True)], ...] = ()


def load_stack(name_or_path: str | Path, relative_to: Path | None = None) -> Stack:
    """A shipped stack by name, or one from a YAML file.

    Raises
    ------
    InputError
        If there is no such stack, or the file is wrong; with the place of everything that is.
    """
    read = validate(load_yaml(resolve("stacks", name_or_path, relative_to)), _File)
    return Stack(read.name, read.factor, read.band, read.runs, read.source)


def dump_stack(stack: Stack) -> str:
    """YAML text that ``load_stack`` reads back as this stack."""
    values = {"name": stack.name, "kind": "stack", "factor": stack.factor, "band": stack.band, "source": stack.source}
    return dump(values | {"runs": list(stack.runs)}, width=110)
