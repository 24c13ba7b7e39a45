"""The commands that measure, solve and write, as functions of the same names; the others are in ``api.py``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accmine.errors import InputError
from accmine.questions.ready import Overrides, StudyLike, loaded_study

if TYPE_CHECKING:
    from accmine.ports import Incumbent, Solver
    from accmine.questions.sensitivity.measure import Sensitivity
    from accmine.questions.stability.record import Stability
    from accmine.report.records import Records
    from accmine.result import Result

__all__ = [
    "calibrate",
    "check",
    "cost",
    "export",
    "gap",
    "kernel",
    "ledger",
    "report",
    "sensitivity",
    "solve",
    "stability",
]


def solve(
    problem: Any,
    solver: str | Solver | None = None,
    *,
    seconds: float | None = None,
    work: float | None = None,
    gap: float = 0.0,
    seed: int = 0,
    workers: int = 1,
    output: str | Path | None = None,
    format: str | None = None,
    semantics: str | None = None,
    on_progress: Incumbent | None = None,
) -> Result[Any]:
    """Solve a problem: a file, or one in memory. Without ``seconds`` and ``work``, the limit is 60 seconds.

    Parameters
    ----------
    solver
        A registered name, or an object: one of your own needs no registration.
    gap
        Relative gap, 0 to 1, that is good enough.
    output
        Write the result to this file, as JSON.
    format
        Of the file; default: recognised.
    semantics
        Of a device placement: ``accmine`` or ``phaze``.

    Raises
    ------
    InputError
        If the file, the solver or an option is wrong.
    CheckError
        If the solution fails its check.
    """
    import json

    from accmine.files import write_atomic
    from accmine.ports import Stop
    from accmine.solving import result_to_json
    from accmine.solving import solve as solved

    loaded = _problem(problem, format, semantics)
    limit = 60.0 if seconds is None and work is None else seconds
    stop = Stop(seconds=limit, work=work, gap=gap, workers=workers)
    result = solved(loaded, solver, stop=stop, seed=seed, on_progress=on_progress)
    if output is not None:
        write_atomic(Path(output), json.dumps(result_to_json(loaded, result), indent=1, ensure_ascii=False) + "\n")
    return result


def _problem(problem: Any, file_format: str | None, semantics: str | None) -> Any:
    from accmine.problems import device_placement
    from accmine.solving import load_problem

    loaded = load_problem(Path(problem), file_format) if isinstance(problem, str | Path) else problem
    if semantics is None:
        return loaded
    if not isinstance(loaded, device_placement.Problem):
        raise InputError(f"belongs to {device_placement.KIND}; this is {loaded.kind}", field="semantics")
    return replace(loaded, semantics=semantics)


def check(
    problem: Any, solution: str | Path, *, format: str | None = None, semantics: str | None = None
) -> dict[str, Any]:
    """Check a solution or result file: objective, bound, gap, and everything that it violates.

    Raises
    ------
    InputError
        If a file is no problem or no solution. One that violates something raises nothing: ``valid`` says it.
    """
    from accmine.solving import rate

    return rate(_problem(problem, format, semantics), Path(solution))


def cost(workload: str | Path, design: str | Path, *, technology: str | None = None, **options: Any) -> Records:
    """What every operator of a training step of a model costs on a design: a row each, as ``accmine cost --csv``.

    Parameters
    ----------
    **options
        Those of ``accmine cost``: ``batch=64, sequence=512, recompute="full"``.

    Raises
    ------
    InputError
        For a model, a design or an option that is wrong.
    """
    from accmine.questions.cost.measure import cost_step
    from accmine.questions.cost.report import row_values
    from accmine.report.records import records

    step = cost_step(str(workload), str(design), technology, options)
    return records([row_values(row, step) for row in step.table.rows])


def sensitivity(
    study: StudyLike, overrides: Overrides = (), *, percent: float = 1.0, seconds: float | None = None, **keys: Any
) -> Sensitivity:
    """What ``percent`` more area, TDP, HBM bandwidth or SRAM buys, and what is proven about it.

    Raises
    ------
    InputError
        If the study or an option is wrong.
    InfeasibleError
        If no design meets the limits.
    """
    from accmine.errors import InfeasibleError
    from accmine.plan import plan_of
    from accmine.problems.conflict import located
    from accmine.questions.sensitivity.measure import sensitivity as measure

    if not 0 < percent <= 100:
        raise InputError(f"must be above 0 and at most 100, got {percent:g}", field="percent")
    loaded = loaded_study(study, overrides, **keys)
    if seconds is not None and loaded.study.budget.deterministic:
        raise InputError("has no effect with budget.deterministic", field="seconds")
    try:
        return measure(plan_of(loaded), percent, seconds, lambda _: None)
    except InfeasibleError as error:
        raise located(error, loaded.document) from None


def stability(
    study: StudyLike,
    overrides: Overrides = (),
    *,
    draws: int = 200,
    seed: int = 0,
    tolerance: float = 0.02,
    seconds: float | None = None,
    runs: str | Path = "runs",
    **keys: Any,
) -> Stability:
    """How often the answer of a study stays near the best when constants move in their bands.

    The study is run first, or its finished run is read from its folder; ``stability.json`` is written there.

    Raises
    ------
    InputError, InfeasibleError, NothingFoundError, CheckError, KeyboardInterrupt
        As of ``ReadyStudy.run``; the first also for an option that is wrong.
    """
    from accmine.plan import plan_of
    from accmine.questions.run.folder import RunFolder
    from accmine.questions.run.run import run
    from accmine.questions.stability.draws import constants_of
    from accmine.questions.stability.measure import require
    from accmine.questions.stability.measure import stability as measure

    require(draws, seed, tolerance)
    given = {} if seconds is None else {"budget": {**keys.get("budget", {}), "seconds": seconds}}
    loaded = loaded_study(study, overrides, **{**keys, **given})
    plan = plan_of(loaded)
    constants_of(plan.technology, plan.template.calibration)
    outcome = run(loaded, runs_dir=Path(runs))
    if outcome.stop == "interrupted":
        raise KeyboardInterrupt
    folder = RunFolder(Path(outcome.folder))
    found = measure(plan, outcome, folder, draws=draws, seed=seed, tolerance=tolerance, on_step=lambda _: None)
    found = replace(found, folder=outcome.folder)
    folder.write_json("stability.json", found.to_json())
    return found


def gap(*targets: str | Path, **options: Any) -> Records:
    """How far a heuristic, a design or a solution is from the best: the rows of ``accmine gap``.

    Parameters
    ----------
    targets
        Studies, or one problem file.
    **options
        Those of the command, with values: ``gap("quickstart", seeds=[0, 1, 2], option={"hysteresis": [0, 2]})``.

    Raises
    ------
    InputError
        For an option that there is not, or that has no effect on what is asked for.
    """
    from accmine.questions.asked import ask
    from accmine.report.records import records

    return records(ask("gap", "gap", targets, options)["rows"])


def kernel(architecture: str | Path, kernel: str | Path, **options: Any) -> dict[str, Any]:
    """The exact cycles of a kernel or a model on a described architecture: ``accmine kernel --json``.

    Parameters
    ----------
    architecture
        A name of the catalogue or a file.
    kernel
        A file; or a model, as a name or a file.
    **options
        Those of the command: ``kernel("systolic-ws", "product.yaml", set={"rows": 32})``.
        With ``target="10%"`` or cycles per iteration the cheapest counts that keep it:
        ``kernel("mine.yaml", "product.yaml", target="10%", free={"spad.A": "1..4"})``.

    Raises
    ------
    InputError
        With everything that is wrong in a file or an option.
    InfeasibleError
        If it is proven that no counts keep the target.
    NothingFoundError
        If none were found in time.
    """
    from accmine.questions.asked import ask

    found: dict[str, Any] = ask("kernel", "kernel", [architecture, kernel], options)
    return found


def ledger(**options: Any) -> Records:
    """The models beside published and measured values: the rows of a suite, or a summary of all.

    Parameters
    ----------
    **options
        Those of ``accmine ledger``: ``ledger(suite="anchors")``.

    Raises
    ------
    InputError
        For an unknown suite, or one that needs files which ``data`` does not hold.
    """
    from accmine.questions.asked import ask
    from accmine.report.records import records

    return records(ask("accuracy", "ledger", (), options))


def calibrate(*tables: str | Path, **options: Any) -> dict[str, Any]:
    """Constants of the time model fitted to measured operators: ``accmine calibrate --json``.

    Parameters
    ----------
    **options
        Those of the command: ``calibrate("a100.csv", accelerator="a100-80gb", output="mine.yaml")``.

    Raises
    ------
    InputError
        For a table or an option that is wrong.
    """
    from accmine.questions.asked import ask

    found: dict[str, Any] = ask("accuracy", "calibrate", tables, options)
    return found


def export(run: str | Path, **options: Any) -> dict[str, Any]:
    """A run in the formats of another tool, and what that says: ``accmine export --json``.

    Parameters
    ----------
    **options
        Those of the command: ``export("runs/quickstart-0de9", to="scalesim", output="for-scalesim")``.

    Raises
    ------
    InputError
        For a run or an option that is wrong.
    """
    from accmine.questions.asked import ask

    found: dict[str, Any] = ask("export", "export", [run], options)
    return found


def report(*names: str | Path, **options: Any) -> str:
    """Write the page of a run, or one that compares several: what ``accmine report`` says that it wrote.

    Parameters
    ----------
    **options
        Those of the command: ``report("runs/a", "runs/b", output="both.html")``.

    Raises
    ------
    InputError
        For a run or an option that is wrong.
    """
    from accmine.questions.asked import ask

    said: str = ask("report", "report", names, options)
    return said
