"""The JSON form of pipeline schedules and their solutions.

.. code-block:: json

    {"kind": "pipeline-schedule", "microbatches": 8, "split_backward": true,
     "stages": [{"name": "s0", "forward": 10, "backward": 12, "weight": 8, "update": 3,
                 "activation": 3, "weight_stash": 1, "memory": 12},
                {"name": "s1", "forward": 11, "backward": 12, "weight": 9, "memory": 2}],
     "transfers": [[1, 2]]}

Times are integer ticks. ``update`` and ``weight_stash`` are 0 where they are not given, ``activation`` 1,
``split_backward`` true, and a transfer of one number is as long in both directions. A solution is
``{"order": {"s0": ["F0", "F1", "B0", "W0", …], …}}``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from accmine.errors import Complaint, InputError
from accmine.problems.pipeline_schedule.problem import KIND, NAMES, Problem, Solution, Stage

__all__ = ["read_problem", "read_solution", "write_problem", "write_solution"]

_KEYS = ("kind", "microbatches", "split_backward", "stages", "transfers")
_NEEDED = ("forward", "backward", "weight", "memory")
_STAGE_KEYS = ("name", "forward", "backward", "weight", "update", "activation", "weight_stash", "memory")
_PASS = re.compile(r"([FBW])(0|[1-9][0-9]{0,9})\Z")
_KINDS = {name: kind for kind, name in NAMES.items()}


def _known(obj: Any, keys: tuple[str, ...], needed: tuple[str, ...], where: str, path: str) -> dict[str, Any]:
    """An object with these keys only."""
    if not isinstance(obj, Mapping):
        raise InputError(f"needs an object with {', '.join(keys)}, got {obj!r:.60}", where, path)
    at = f"{path}." if path else ""
    wrong = [
        Complaint(where, f"{at}{key}", f"unknown key; allowed: {', '.join(keys)}") for key in obj if key not in keys
    ]
    wrong += [Complaint(where, f"{at}{key}", "is missing") for key in needed if key not in obj]
    if wrong:
        raise InputError(wrong)
    return dict(obj)


def read_problem(obj: Any, where: str = "") -> Problem:
    """The problem of a JSON object; see the head of this module.

    Raises
    ------
    InputError
        If a key is missing or unknown, or a value is not allowed.
    """
    row = _known(obj, _KEYS, ("microbatches", "stages"), where, "")
    if row.get("kind", KIND) != KIND:
        raise InputError(f"{row['kind']!r:.60} is not allowed here; {KIND} is needed", where, "kind")
    split, stages = row.get("split_backward", True), row["stages"]
    if not isinstance(split, bool):
        raise InputError(f"needs true or false, got {split!r:.60}", where, "split_backward")
    if not isinstance(stages, list):
        raise InputError("needs a list of stages", where, "stages")
    found = []
    for s, item in enumerate(stages):
        own = {"name": f"s{s}"} | _known(item, _STAGE_KEYS, _NEEDED, where, f"stages[{s}]")
        if not isinstance(own["name"], str):
            raise InputError(f"needs a text, got {own['name']!r:.60}", where, f"stages[{s}].name")
        found.append(Stage(**own))
    pairs = []
    transfers = row.get("transfers", [0] * max(len(found) - 1, 0))
    if not isinstance(transfers, list):
        raise InputError("needs a list with a transfer per boundary", where, "transfers")
    for k, item in enumerate(transfers):
        pair = item if isinstance(item, list) else [item, item]
        if len(pair) != 2:
            raise InputError("needs a number or [forward, backward]", where, f"transfers[{k}]")
        pairs.append((pair[0], pair[1]))
    try:
        return Problem(tuple(found), tuple(pairs), row["microbatches"], split)
    except InputError as error:
        raise InputError([Complaint(where, c.field, c.message) for c in error.complaints]) from None


def write_problem(problem: Problem) -> dict[str, Any]:
    """The JSON object of a problem."""
    return {
        "kind": KIND,
        "microbatches": problem.microbatches,
        "split_backward": problem.split_backward,
        "stages": [{key: getattr(stage, key) for key in _STAGE_KEYS} for stage in problem.stages],
        "transfers": [list(pair) for pair in problem.transfers],
    }


def read_solution(problem: Problem, obj: Any, where: str = "") -> Solution:
    """The solution of a JSON object.

    Raises
    ------
    InputError
        If it is not of the form that ``write_solution`` writes.
    """
    row = _known(obj, ("order",), ("order",), where, "")
    names = tuple(stage.name for stage in problem.stages)
    by_name = _known(row["order"], names, names, where, "order")
    orders = []
    for name in names:
        order = []
        if not isinstance(by_name[name], list):
            raise InputError("needs a list of passes", where, f"order.{name}")
        for i, item in enumerate(by_name[name]):
            read = _PASS.match(item) if isinstance(item, str) else None
            if read is None:
                raise InputError(
                    f"needs F, B or W with a microbatch, such as F0, got {item!r:.60}", where, f"order.{name}[{i}]"
                )
            order.append((_KINDS[read[1]], int(read[2])))
        orders.append(tuple(order))
    return Solution(tuple(orders))


def write_solution(problem: Problem, solution: Solution) -> dict[str, Any]:
    """``{"order": {name of a stage: passes}}``."""
    rows = zip(problem.stages, solution.order, strict=True)
    return {"order": {stage.name: [f"{NAMES[kind]}{j}" for kind, j in order] for stage, order in rows}}
