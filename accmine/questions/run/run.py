"""A run: a study in, an outcome and its run folder out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from accmine.cost import ready
from accmine.errors import DEFECT, AccmineError, InfeasibleError, InputError, NothingFoundError
from accmine.files import load_yaml, placed
from accmine.hardware import Design, DesignSpace, template_of
from accmine.interrupts import held
from accmine.plan import PlacementPlan, Plan, given_study, make_placement, make_plan
from accmine.ports import Incumbent
from accmine.problems.conflict import located
from accmine.questions.run.flow import solve_study
from accmine.questions.run.folder import RunFolder, RunState, open_run
from accmine.questions.run.placement.files import placement_files
from accmine.questions.run.placement.flow import solve_placement
from accmine.questions.run.placement.record import AnyOutcome, PlacementOutcome
from accmine.questions.run.reading import outcome_of, page
from accmine.questions.run.record import Outcome
from accmine.report import Watch
from accmine.result import Status
from accmine.study import LoadedStudy, read_inputs

__all__ = ["place", "run", "run_study"]


def run(loaded: LoadedStudy, **how: Any) -> Outcome:
    """As ``run_study``, of a study whose placement is given.

    Raises
    ------
    InputError
        If it is to be decided.
    """
    given_study(loaded)
    outcome = run_study(loaded, **how)
    assert isinstance(outcome, Outcome)
    return outcome


def place(loaded: LoadedStudy, **how: Any) -> PlacementOutcome:
    """As ``run_study``, of a study whose placement is decided with the design.

    Raises
    ------
    InputError
        If it is given.
    """
    if not loaded.study.placed:
        raise InputError("the placement of this study is given: nothing of it is open", field="parallel")
    outcome = run_study(loaded, **how)
    assert isinstance(outcome, PlacementOutcome)
    return outcome


def run_study(
    loaded: LoadedStudy,
    *,
    runs_dir: Path = Path("runs"),
    again: bool = False,
    on_progress: Incumbent | None = None,
    watch: Watch | None = None,
) -> AnyOutcome:
    """Run a study; a finished run of as large a budget is read from its folder unless ``again``.

    What an earlier try left there is where this one begins: finished parts, and the best answer (not if deterministic).
    The budget counts from here, once the search for tiles is compiled; files and graphs count. ``watch`` is told each
    step, and when what cannot be cut off takes longer than the budget.

    Raises
    ------
    InputError
        If the study or a file it names is wrong; nothing is written. Or if what an earlier run left is damaged.
    NothingFoundError
        If nothing was found in time and not proven that there is nothing.
    InfeasibleError
        If no design meets the limits; says which, and the smallest value that works.
    CheckError
        If a solution fails its check.
    """
    watch = watch or Watch()
    ready(watch.say)
    began = watch.begin()
    inputs = read_inputs(loaded)
    folder = replace(open_run(runs_dir, loaded.study, inputs.content), say=watch.say)
    if not again and folder.state is not None and folder.answers(loaded.study):
        return _read(folder, loaded)
    if folder.elsewhere:
        watch.say(f"{folder.path} is being computed by another process as well")
    known = None if again else _known(folder)
    try:
        with placed(loaded.document):
            plan = (make_placement if loaded.study.placed else make_plan)(loaded.study, inputs)
    except InfeasibleError as error:
        _begin(folder, loaded, again)
        raise _refused(error, loaded, folder) from None
    _begin(folder, loaded, again)
    try:
        more: dict[str, Any] = {"first": _designs(known, loaded), "began": began, "watch": watch}
        outcome, lanes = _solved(plan, folder, on_progress or (lambda *_: None), **more)
    except InfeasibleError as error:
        raise _refused(error, loaded, folder) from None
    except NothingFoundError as error:
        if known is None:  # else an earlier try found something
            folder.write_json("result.json", {"status": "unknown", "message": str(error), "bound": error.bound})
        folder.end(RunState.FAILED, error.exit_code, str(error))
        raise
    except KeyboardInterrupt:
        folder.end(RunState.INTERRUPTED, 130, "interrupted before anything was verified")
        raise
    except Exception as error:
        folder.end(RunState.FAILED, error.exit_code if isinstance(error, AccmineError) else DEFECT, str(error))
        raise
    return _saved(folder, replace(outcome, folder=str(folder.path)), lanes, known, loaded.study.budget.deterministic)


def _solved(
    plan: Plan | PlacementPlan, folder: RunFolder, on_progress: Incumbent, **more: Any
) -> tuple[AnyOutcome, list[Any]]:
    """The answer of either kind of study."""
    if isinstance(plan, PlacementPlan):
        return solve_placement(plan, on_progress, **more)
    return solve_study(plan, folder, on_progress, **more)


def _begin(folder: RunFolder, loaded: LoadedStudy, again: bool) -> None:
    """Write the state of a run that starts; ``again``: nothing of an earlier one is reused."""
    if again:
        folder.clear()
    folder.start(loaded.study)


def _read(folder: RunFolder, loaded: LoadedStudy) -> AnyOutcome:
    """The outcome of a finished run, or the error that it ended with."""
    known = folder.read_json("result.json") or {}
    with folder.using("result.json"):
        if known.get("status") != Status.INFEASIBLE.value:
            return outcome_of(known)
        error = InfeasibleError.from_json(known)
    raise located(error, loaded.document)


def _saved(
    folder: RunFolder, outcome: AnyOutcome, lanes: list[Any], known: AnyOutcome | None, repeats: bool
) -> AnyOutcome:
    """Write the outcome, unless what an earlier try left is better; returns what is there.

    The end of a run that ``repeats`` is its own.
    """
    interrupted = outcome.stop == "interrupted"
    with held():
        if known is None or known.value >= outcome.value or (repeats and not interrupted):
            _write(folder, outcome, lanes)
        else:
            outcome = replace(known, stop=outcome.stop)
            if not interrupted:
                folder.write_json("result.json", outcome.to_json())
        folder.end(RunState.INTERRUPTED if interrupted else RunState.FINISHED, 130 if interrupted else 0)
    return outcome


def _known(folder: RunFolder) -> AnyOutcome | None:
    """What an earlier try of the same study left that was interrupted: verified, but not the end of the search."""
    table = folder.read_json("result.json")
    if table is None or table.get("status") not in (Status.OPTIMAL.value, Status.FEASIBLE.value):
        return None
    with folder.using("result.json"):
        return outcome_of(table)


def _designs(outcome: AnyOutcome | None, loaded: LoadedStudy) -> list[Design]:
    """The designs of an outcome that a run may begin with."""
    chosen = () if outcome is None or loaded.study.budget.deterministic else outcome.designs
    return [next(iter(DesignSpace(template_of(load_yaml(text=design.yaml))))) for design in chosen]


def _refused(unplaced: InfeasibleError, loaded: LoadedStudy, folder: RunFolder) -> InfeasibleError:
    """The error with the places of its limits, once it is written as the result of the run."""
    error = located(unplaced, loaded.document)
    folder.write_json("result.json", error.to_json())
    folder.end(RunState.FINISHED, error.exit_code, str(error))
    return error


def _write(folder: RunFolder, outcome: AnyOutcome, lanes: list[Any]) -> None:
    """The files of a run beside ``study.yaml``."""
    from accmine.report import perfetto

    # Without indents: it is large, and these take most of the time to write it.
    trace = perfetto(lanes)
    folder.write_text("schedule.json", json.dumps(trace, allow_nan=False))
    for row in outcome.trace:
        folder.append_trace(dict(zip(("seconds", "objective", "bound"), row, strict=True)))
    single = len(outcome.designs) == 1
    names = ["design.yaml"] if single else [f"design-{number}.yaml" for number in range(len(outcome.designs))]
    for name, design in zip(names, outcome.designs, strict=True):
        folder.write_text(name, design.yaml)
    folder.write_text("report.html", page(outcome, trace, folder.text_of("study.yaml")))
    for name, text in placement_files(outcome).items() if isinstance(outcome, PlacementOutcome) else ():
        folder.write_text(name, text)
    folder.write_json("result.json", outcome.to_json())
    for path in (folder.path / "design.yaml", *folder.path.glob("design-*.yaml")):
        if path.name not in names:  # of an answer with more designs, or fewer
            path.unlink(missing_ok=True)
