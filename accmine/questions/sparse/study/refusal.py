"""Why no design exists, in the words of the study."""

from __future__ import annotations

import re

from accmine.errors import InfeasibleError
from accmine.problems.conflict import ConflictingLimit, infeasible, located
from accmine.problems.sparse_dataflow import Problem, Solution
from accmine.result import Result
from accmine.study.sparse import LoadedSparse, SparseInputs

__all__ = ["refused"]

_KEYS = {"bits_per_cycle": "bandwidth"}
"""Name of a budget of the problem -> of the limit, where it is another one."""

_KEY_OF = {"loss": "loss"} | {name: f"limits.{key}" for name, key in _KEYS.items()}
_FIELD = re.compile(r"budget\.(\w+)")


def refused(loaded: LoadedSparse, inputs: SparseInputs, problem: Problem, result: Result[Solution]) -> InfeasibleError:
    """The error that says which limits conflict, where they stand, and the least change of each that helps."""
    name = f"{loaded.study.name}: no design on {inputs.device.name} meets the limits"
    members = [
        _limit(loaded, inputs, problem, field, remedy)
        for field, remedy in zip(result.conflict, result.remedy, strict=False)
    ]
    return located(infeasible(name, members, result.remedy[len(members) :]), loaded.document)


def _limit(loaded: LoadedSparse, inputs: SparseInputs, problem: Problem, field: str, remedy: str) -> ConflictingLimit:
    """A budget of the problem as the key of the study that it is made of."""
    name = field.partition(":")[0].strip().removeprefix("budget.")
    change = _FIELD.sub(lambda own: _KEY_OF.get(own[1], f"limits.{own[1]}"), remedy.partition(": ")[2] or remedy)
    if name == "loss":
        return ConflictingLimit("loss", f"{loaded.study.loss:g} points", change, ("loss",))
    key = _KEYS.get(name, name)
    share = getattr(loaded.study.limits, key)
    if key == "bandwidth":
        value = f"{100 * share:g} % of {inputs.device.bandwidth_bits_per_s / 1e9:g} Gbit/s"
        unit = f" bits per cycle; {inputs.device.name} has {float(inputs.device.bits_per_cycle):g}"
    else:
        value = f"{getattr(problem.budget, name)} of {inputs.device.blocks()[key]}"
        unit = f"; {inputs.device.name} has {inputs.device.blocks()[key]}"
    return ConflictingLimit(f"limits.{key}", value, f"{change}{unit}", ("limits", key))
