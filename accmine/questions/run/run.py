"""A run: a study in, an outcome and its run folder out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from accmine.cost import ready
from accmine.errors import DEFECT, AccmineError, InfeasibleError, InputError, NothingFoundError
from accmine.files import placed
from accmine.hardware import Design
from accmine.interrupts import held
from accmine.plan import PlacementPlan, Plan, given_study, make_placement
from accmine.ports import Incumbent
from accmine.problems.conflict import located
from accmine.questions.run.beside import Beside
from accmine.questions.run.flow import solve_study
from accmine.questions.run.folder import RunFolder, RunState, open_run
from accmine.questions.run.placement.files import placement_files
from accmine.questions.run.placement.flow import solve_placement
from accmine.questions.run.placement.record import AnyOutcome, PlacementOutcome
from accmine.questions.run.reading import design_in, outcome_of, page
from accmine.questions.run.record import Outcome
from accmine.questions.run.row import FORMAT
from accmine.questions.run.several.front import solve_front
from accmine.questions.run.several.front_record import FrontOutcome
from accmine.questions.run.several.front_report import front_csv
from accmine.questions.run.several.regret import solve_regret
from accmine.report import Watch
from accmine.result import Status
from accmine.study import Inputs, LoadedStudy, Study, read_inputs

__all__ = ["ending", "front", "none_found", "place", "run", "run_study"]


def run(loaded: LoadedStudy, **how: Any) -> Outcome:
    """As ``run_study``, of a study whose placement is given.

    Raises
    ------
    InputError
        If it is to be decided.
    """
    given_study(loaded.one_run if loaded.study.robust else loaded)
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


def front(loaded: LoadedStudy, **how: Any) -> FrontOutcome:
    """As ``run_study``, of a study with two objectives.

    Raises
    ------
    InputError
        If it has one.
    """
    if loaded.study.front is None:
        raise InputError("this study has one objective; a front needs {pareto: [throughput, tdp]}", field="objective")
    outcome = run_study(loaded, **how)
    assert isinstance(outcome, FrontOutcome)
    return outcome


def run_study(
    loaded: LoadedStudy,
    *,
    runs_dir: Path = Path("runs"),
    again: bool = False,
    on_progress: Incumbent | None = None,
    watch: Watch | None = None,
    beside: Beside | None = None,
) -> AnyOutcome:
    """Run a study; a finished run of as large a budget is read from its folder unless ``again``.

    What an earlier try left there is where this one begins: finished parts, and the best answer (not if deterministic).
    The budget counts from here, once the search for tiles is compiled. ``watch`` is told each step, ``beside`` is what
    other runs have for this one.

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
    watch, beside = watch or Watch(), beside or Beside()
    ready(watch.say)
    began, inputs = watch.begin(), read_inputs(loaded)
    folder = replace(open_run(runs_dir, loaded.study, beside.content(loaded.study, inputs)), say=watch.say)
    if not (again or beside.reopen) and folder.state is not None and folder.answers(loaded.study):
        return _read(folder, loaded, watch)
    if folder.elsewhere:
        watch.say(f"{folder.path} is being computed by another process as well")
    known = None if again else _known(folder)
    plan = _planned(loaded, inputs, beside)
    if again:
        folder.clear()  # nothing of an earlier run is reused
    folder.start(loaded.study)
    with ending(folder, _head(loaded), keep=known is not None):
        try:
            if isinstance(plan, InfeasibleError):
                raise plan
            first = [*_designs(known, loaded), *beside.designs]
            more: dict[str, Any] = {"first": first, "began": began, "watch": watch}
            outcome, lanes = _solved(loaded.study, plan, folder, on_progress or (lambda *_: None), beside, **more)
        except InfeasibleError as error:
            raise located(error, loaded.document) from None
    return _saved(folder, replace(outcome, folder=str(folder.path)), lanes, known, loaded.study.budget.deterministic)


@contextmanager
def ending(folder: RunFolder, head: Mapping[str, Any], *, keep: bool = False) -> Iterator[None]:
    """Record how a run ended when what is done inside raises; the error goes on.

    That there is no answer, or that none was found, is a result as well: JSON values ``head``, of what it is, and why.
    ``keep``: the folder holds an answer, which finding none does not replace.
    """
    try:
        yield
    except InfeasibleError as error:
        folder.write_json("result.json", {**head, **error.to_json()})
        folder.end(RunState.FINISHED, error.exit_code, str(error))
        raise
    except NothingFoundError as error:
        if not keep:
            why = {"status": "unknown", "message": str(error), "bound": error.bound}
            folder.write_json("result.json", {**head, **why})
        folder.end(RunState.FAILED, error.exit_code, str(error))
        raise
    except KeyboardInterrupt:
        folder.end(RunState.INTERRUPTED, 130, "interrupted before anything was verified")
        raise
    except Exception as error:
        folder.end(RunState.FAILED, error.exit_code if isinstance(error, AccmineError) else DEFECT, str(error))
        raise


def _planned(loaded: LoadedStudy, inputs: Inputs, beside: Beside) -> Plan | PlacementPlan | InfeasibleError:
    """What is to be solved, or why it needs no search to say that there is no answer."""
    try:
        with placed(loaded.document):
            if loaded.study.placed:
                return make_placement(loaded.study, inputs)
            return beside.plan(loaded.study.one_run, inputs)
    except InfeasibleError as error:
        return error


def _solved(
    study: Study,
    plan: Plan | PlacementPlan,
    folder: RunFolder,
    on_progress: Incumbent,
    beside: Beside,
    **more: Any,
) -> tuple[AnyOutcome, list[Any]]:
    """The answer of any kind of study."""
    if isinstance(plan, PlacementPlan):
        return solve_placement(plan, on_progress, **more)
    if study.front is not None:
        return solve_front(plan, study.front, folder, on_progress, **more)
    if study.robust:
        return solve_regret(plan, study.mix_rows, folder, on_progress, **more)
    return solve_study(plan, beside.store(folder), on_progress, **beside.shared(plan), **more)


def _read(folder: RunFolder, loaded: LoadedStudy, watch: Watch) -> AnyOutcome:
    """The outcome of a finished run, or the error that it ended with; which is said."""
    known = folder.read_json("result.json") or {}
    watch.say(f"the answer of an earlier run, which ended {folder.when} UTC; --again computes it anew: {folder.path}")
    with folder.using("result.json"):
        if known.get("status") != Status.INFEASIBLE.value:
            return replace(outcome_of(known), earlier_run=folder.when)
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
            folder.say("the answer is that of an earlier try of this run: this one found nothing better")
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
    return [design_in(design.yaml) for design in chosen]


def none_found(loaded: LoadedStudy, why: dict[str, Any]) -> dict[str, Any]:
    """JSON values of a run without an answer: what it is of, and why."""
    return {**_head(loaded), **why}


def _head(loaded: LoadedStudy) -> dict[str, Any]:
    """What a run is of."""
    return {"format": FORMAT, "study": loaded.study.name}


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
    if isinstance(outcome, FrontOutcome):
        folder.write_text("front.csv", front_csv(outcome))
    for name, text in placement_files(outcome).items() if isinstance(outcome, PlacementOutcome) else ():
        folder.write_text(name, text)
    folder.write_json("result.json", outcome.to_json())
    for path in (folder.path / "design.yaml", *folder.path.glob("design-*.yaml")):
        if path.name not in names:  # of an answer with more designs, or fewer
            path.unlink(missing_ok=True)
