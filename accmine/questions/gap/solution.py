"""A solution from anywhere beside the best that accmine finds and the bound that it proves."""

from __future__ import annotations

from pathlib import Path

from accmine.errors import CheckError
from accmine.ports import Incumbent, Stop
from accmine.questions.gap.record import GapRow
from accmine.result import Result, Sense, StopReason, gap
from accmine.solving import load_problem, rate, sense_of, solve

__all__ = ["INTERRUPTED", "rate_solution"]

INTERRUPTED = "interrupted"
"""Note of a row whose solver was ended by Ctrl-C; its best and its bound hold."""


def rate_solution(
    problem_file: Path,
    solution_file: Path,
    *,
    file_format: str | None = None,
    solver: str | None = None,
    stop: Stop,
    seed: int = 0,
    on_progress: Incumbent | None = None,
) -> GapRow:
    """Check a solution, and compare it with what ``solver`` finds and proves without having seen it.

    Returns
    -------
    GapRow
        ``heuristic`` is the objective of the solution, ``gap_before`` its gap (``None`` if it is not valid, and then
        ``violations`` says why); ``best`` is the better of both with its gap.

    Raises
    ------
    InputError
        If a file cannot be read, or the solver is unknown.
    CheckError
        If the bound that was proved excludes a solution that is valid.
    """
    problem = load_problem(problem_file, file_format)
    rating = rate(problem, solution_file)
    sense = sense_of(problem)
    # The solver does not see the solution: what it finds is what it finds alone.
    result = solve(problem, solver, stop=stop, seed=seed, on_progress=on_progress)
    bound, proof = result.bound, result.bound_method
    if rating["bound"] is not None and (bound is None or _better(bound, rating["bound"], sense)):
        bound, proof = rating["bound"], rating["bound_method"]
    theirs = rating["objective"]
    if rating["valid"] and bound is not None and _better(theirs, bound, sense) and theirs != bound:
        raise CheckError(f"{result.solver}: bound {bound} excludes a valid solution of {theirs}")
    best, found_by = _best(theirs if rating["valid"] else None, solution_file.name, result, sense)
    return GapRow(
        study=problem_file.name,
        metric="makespan" if rating["kind"] == "operator-schedule" else "objective",
        sense=sense.value,
        method=solution_file.name,
        seed=seed,
        limit_s=stop.seconds,
        work=stop.work,
        heuristic=theirs,
        best=best,
        bound=bound,
        gap_before=gap(theirs, bound, sense) if rating["valid"] else None,
        gap_after=gap(best, bound, sense),
        found_by=found_by,
        proof=f"{proof} ({result.solver})" if proof == result.bound_method else proof,
        seconds=result.seconds,
        trace=result.trace,
        violations=tuple(rating["violations"]),
        note=INTERRUPTED if result.stop is StopReason.INTERRUPTED else "",
    )


def _better(a: float, b: float, sense: Sense) -> bool:
    """Whether ``a`` is a better objective than ``b``; a bound that is worse than another in this sense is weaker."""
    return a < b if sense is Sense.MINIMIZE else a > b


def _best(theirs: float | None, name: str, result: Result[object], sense: Sense) -> tuple[float | None, str]:
    """The better objective and who found it; of equals ours."""
    ours = result.objective
    if theirs is not None and (ours is None or _better(theirs, ours, sense)):
        return theirs, name
    return ours, "" if ours is None else result.solver
