"""Layers over several devices as a part of a run: kept in its folder, and the beginning of the next try.

What is kept is a claim: designs are checked again before they are used.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import inf
from typing import Any

from accmine.errors import AccmineError, CheckError
from accmine.problems.sparse_dataflow import Problem, solution_from_json, solution_to_json
from accmine.questions.sparse.devices import Placed, Site, Spread, spread
from accmine.questions.sparse.devices.rules import Rate, placed_of, wrong_with
from accmine.questions.sparse.study.parts import MAIN, Parts

__all__ = ["Solved", "Task", "solved"]

Trace = tuple[tuple[float, float | None, float | None], ...]


@dataclass(frozen=True)
class Task:
    """What is asked: layers, devices in a row, and the links between them."""

    problem: Problem
    sites: tuple[Site, ...]
    links: tuple[Rate, ...]


@dataclass(frozen=True)
class Solved:
    """What was found.

    Attributes
    ----------
    seconds
        That all tries took.
    trace
        (seconds, seconds between two images, bound) of the last try.
    """

    found: Spread
    seconds: float
    trace: Trace


def solved(key: str, task: Task, parts: Parts, share: float = 1.0) -> Solved:
    """Decide a task in a share of what is left, from where an earlier try of this part ended.

    Raises
    ------
    CheckError
        If an answer fails its check.
    """
    known, had = _kept(key, task, parts)
    if known is not None and (known.found.proven or parts.budget.covered_by({"seconds": had})):
        parts.folder.note("read", key)
        return known
    parts.folder.note("begun", key)
    begin, trace = time.monotonic(), list[tuple[float, float | None, float | None]]()

    def told(seconds: float, bound_s: float) -> None:
        row = (None if seconds == inf else seconds, None if bound_s == inf else bound_s)
        if not trace or trace[-1][1:] != row:
            trace.append((time.monotonic() - begin, *row))
            if key == MAIN and parts.on_progress is not None:
                parts.on_progress(*trace[-1])

    before = () if known is None else known.found.placed
    how: dict[str, Any] = {"stop": parts.stop(share), "seed": parts.budget.seed, "hint": before, "told": told}
    found = spread(task.problem, task.sites, task.links, **how)
    if known is not None:
        found = _joined(found, known.found)
    told(found.seconds, found.bound_s)
    took = parts.took(key, begin) + (0.0 if known is None else known.seconds)
    _verify(task, found)
    result = Solved(found, took, tuple(trace))
    if found.placed or found.proven:
        parts.keep(key, _table(result, had if found.interrupted else parts.budget.seconds))
    return result


def _joined(found: Spread, known: Spread) -> Spread:
    """What was found with the bound of an earlier try where that is better."""
    low = known.exact_bound_s
    if low is None or found.exact_bound_s is None or found.exact_bound_s >= low:
        return found
    return replace(found, exact_bound_s=low)


def _verify(task: Task, found: Spread) -> None:
    if not found.placed or found.exact_s is None:
        return
    wrong = list(wrong_with(task.problem, task.sites, task.links, found.placed, found.exact_s))
    if found.exact_bound_s is None or found.exact_bound_s > found.exact_s:
        wrong.append(f"a bound of {found.bound_s:.9g} s is better than impossible: an answer has {found.seconds:.9g} s")
    if wrong:
        raise CheckError(f"layers over devices: {'; '.join(wrong)}")


def _table(result: Solved, had: float | None) -> dict[str, Any]:
    """JSON values of what was found in a budget of so many seconds."""
    own = result.found
    designs = [{"first": row.first, "design": solution_to_json(row.problem, row.solution)} for row in own.placed]
    exact = {key: None if value is None else str(value) for key, value in _exact(own)}
    rest = {"cuts": own.cuts, "looked": own.looked, "took": result.seconds, "trace": result.trace, "had": had}
    return {"placed": designs, **exact, **rest}


def _exact(own: Spread) -> Sequence[tuple[str, Fraction | None]]:
    return ("exact_s", own.exact_s), ("exact_bound_s", own.exact_bound_s)


def _kept(key: str, task: Task, parts: Parts) -> tuple[Solved | None, float | None]:
    """What an earlier try has of a part, verified, and the seconds of its budget."""
    table = parts.folder.get(key)
    if table is None:
        return None, 0.0
    try:
        exact, low = (None if table[name] is None else Fraction(table[name]) for name in ("exact_s", "exact_bound_s"))
        found = Spread(_placed(task, table["placed"]), exact, low, table["cuts"], table["looked"])
        _verify(task, found)
        trace = tuple((row[0], row[1], row[2]) for row in table["trace"])
        return Solved(found, table["took"], trace), table["had"]
    except (AccmineError, LookupError, TypeError, ValueError) as error:
        parts.watch.say(f"not used: {parts.folder.path}/tasks/{key}.json: {error!s:.80}")
        return None, 0.0


def _placed(task: Task, rows: Sequence[dict[str, Any]]) -> tuple[Placed, ...]:
    if not rows:
        return ()
    firsts = [row["first"] for row in rows]
    # a design is read against its part, which the devices before it do not change
    ends, designs = [*firsts[1:], len(task.problem.layers)], []
    for row, after in zip(rows, ends, strict=True):
        part = replace(task.problem, layers=task.problem.layers[row["first"] : after], edges=())
        designs.append(solution_from_json(part, row["design"]))
    return tuple(placed_of(task.problem, task.sites, firsts, designs))
