"""A run of a sparse dataflow accelerator: a study in, an outcome and its run folder out."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from accmine.errors import DEFECT, AccmineError, InfeasibleError, NothingFoundError
from accmine.interrupts import held
from accmine.ports import Incumbent
from accmine.problems.conflict import located
from accmine.problems.sparse_dataflow import (
    Least,
    Problem,
    Solution,
    loss_of,
    problem_to_json,
    score,
    solution_to_json,
    use_of,
)
from accmine.questions.run.folder import RunFolder, RunState, open_run
from accmine.questions.run.reading import page
from accmine.questions.run.row import FORMAT
from accmine.questions.sparse import measure
from accmine.questions.sparse.parts import MAIN, Parts
from accmine.questions.sparse.record import BuyRow, OtherDesign, SparseCertificate, SparseOutcome, TpeRow
from accmine.questions.sparse.refusal import refused
from accmine.report import Watch, from_json
from accmine.result import Result, Status, StopReason
from accmine.solving import versions
from accmine.sparse.layer import POINT
from accmine.study.sparse import LoadedSparse, SparseInputs, SparseStudy, read_sparse

__all__ = ["run_sparse"]

FRUGAL, BUYS, DENSE, TPE = "least", "buys", "dense", "tpe"
_FIRST, _SHARE = 0.6, 0.35
"""Of the seconds that are left: of the answer, and of each part behind it but the last."""


def run_sparse(
    loaded: LoadedSparse,
    *,
    runs_dir: Path = Path("runs"),
    again: bool = False,
    on_progress: Incumbent | None = None,
    watch: Watch | None = None,
) -> SparseOutcome:
    """Run a study; a finished run of as large a budget is read from its folder unless ``again``.

    What an earlier try left there is where this one begins: parts that are decided, and the best answer.

    Raises
    ------
    InputError
        If the study or a file it names is wrong; nothing is written. Or if what an earlier run left is damaged.
    InfeasibleError
        If it is proven that no design meets the limits; says which, and the least change that helps.
    NothingFoundError
        If nothing was found in time, and not proven that there is nothing.
    CheckError
        If a solution fails its check.
    """
    watch = watch or Watch()
    began = watch.begin()
    watch.step("reading the network")
    inputs = read_sparse(loaded)
    folder = replace(open_run(runs_dir, loaded.study, inputs.content), say=watch.say)
    if not again and folder.state is not None and folder.answers(loaded.study):
        return _read(folder, loaded, watch)
    if folder.elsewhere:
        watch.say(f"{folder.path} is being computed by another process as well")
    if again:
        folder.clear()
    folder.start(loaded.study)
    problem = measure.problem_of(loaded.study, inputs)
    try:
        parts = Parts(folder, loaded.study.budget, began, watch, on_progress)
        outcome = _solved(loaded, inputs, problem, parts)
    except InfeasibleError as error:
        folder.write_json("result.json", _none(loaded, error.to_json()))
        folder.end(RunState.FINISHED, error.exit_code, str(error))
        raise
    except NothingFoundError as error:
        folder.write_json("result.json", _none(loaded, {"status": "unknown", "message": str(error)}))
        folder.end(RunState.FAILED, error.exit_code, str(error))
        raise
    except KeyboardInterrupt:
        folder.end(RunState.INTERRUPTED, 130, "interrupted before anything was verified")
        raise
    except Exception as error:
        folder.end(RunState.FAILED, error.exit_code if isinstance(error, AccmineError) else DEFECT, str(error))
        raise
    return _saved(folder, replace(outcome, folder=str(folder.path)))


def _none(loaded: LoadedSparse, why: dict[str, Any]) -> dict[str, Any]:
    return {"format": FORMAT, "kind": loaded.study.kind, "study": loaded.study.name, **why}


def _read(folder: RunFolder, loaded: LoadedSparse, watch: Watch) -> SparseOutcome:
    """The outcome of a finished run, or the error that it ended with; which is said."""
    known = folder.read_json("result.json") or {}
    watch.say(f"the answer of an earlier run, which ended {folder.when} UTC; --again computes it anew: {folder.path}")
    with folder.using("result.json"):
        if known.get("status") != Status.INFEASIBLE.value:
            return replace(from_json(SparseOutcome, known), earlier_run=folder.when)
        error = InfeasibleError.from_json(known)
    raise located(error, loaded.document)


@dataclass(frozen=True)
class _Answer:
    """The design of a run, and what is known of it.

    Attributes
    ----------
    result
        Of the interval.
    found
        Of the designs as fast, the one that takes least of what is preferred.
    least
        What none as fast is below, in the unit of what is preferred; ``None``: not known.
    """

    result: Result[Solution]
    found: Solution
    least: float | None = None


def _solved(loaded: LoadedSparse, inputs: SparseInputs, problem: Problem, parts: Parts) -> SparseOutcome:
    """The answer, and what it is compared with as far as time allows."""
    study = loaded.study
    alone = study.prefer == "none" and not study.buys and not study.compare.dense and not study.compare.tpe
    parts.watch.step("level and folding of every layer")
    result = parts.solve(MAIN, problem, share=1.0 if alone else _FIRST)
    if result.status is Status.INFEASIBLE:
        raise refused(loaded, inputs, problem, result)
    if result.solution is None:
        if result.stop is StopReason.INTERRUPTED:
            raise KeyboardInterrupt
        raise NothingFoundError(f"{study.name}: no design was found in {result.seconds:.3g} s, and none was excluded")
    answer, more = _Answer(result, result.solution), _Beside()
    try:
        _stopped(result)
        answer = _frugal(study, problem, answer, parts)
        _compared(study, inputs, problem, answer, parts, more)
        stop = result.stop
    except KeyboardInterrupt:
        stop = StopReason.INTERRUPTED
    parts.folder.write_json("problem.json", problem_to_json(problem))
    parts.folder.write_json("solution.json", solution_to_json(problem, answer.found))
    return _outcome(loaded, inputs, problem, answer, stop.value, more, parts)


@dataclass
class _Beside:
    """What stands beside an answer, as far as it was reached."""

    buys: tuple[BuyRow, ...] = ()
    dense: OtherDesign | None = None
    tpe: TpeRow | None = None


def _stopped(result: Result[Solution]) -> None:
    """Go on with the interrupt that a solver answered with what it has."""
    if result.stop is StopReason.INTERRUPTED:
        raise KeyboardInterrupt


def _frugal(study: SparseStudy, problem: Problem, answer: _Answer, parts: Parts) -> _Answer:
    """Of the designs as fast, the one that takes least of what the study prefers."""
    if study.prefer == "none":
        return answer
    parts.watch.step(f"the least {study.prefer} of the fastest designs")
    interval = score(problem, answer.found)
    own = replace(problem, least=Least(study.prefer, interval))
    found = parts.solve(f"{FRUGAL}-{interval}", own, share=_SHARE, hint=answer.found)
    scale = POINT if study.prefer == "loss" else 1
    least = None if found.bound is None else found.bound / scale
    _stopped(found)
    return answer if found.solution is None else _Answer(answer.result, found.solution, least)


def _compared(
    study: SparseStudy, inputs: SparseInputs, problem: Problem, answer: _Answer, parts: Parts, more: _Beside
) -> None:
    """Fill in what stands beside an answer."""
    clock, cycles = inputs.device.frequency_hz, score(problem, answer.found)
    if study.compare.dense:
        parts.watch.step("the best dense design")
        own = measure.dense_problem(problem, inputs)
        found = parts.solve(DENSE, own, share=_SHARE)
        more.dense = measure.other_of("dense engines, nothing pruned", own, found, clock, clock / cycles)
        _stopped(found)
    if study.buys:
        parts.watch.step("what more of the limits buys")
        more.buys = parts.bought(f"{BUYS}-{cycles}", problem, answer.result, study.buys, clock, share=_SHARE)
    if study.compare.tpe:
        parts.watch.step("TPE on the same problem")
        found = parts.solve(TPE, problem, solver="tpe", work=study.compare.tpe)
        more.tpe = measure.tpe_of(problem, found, clock, cycles)
        _stopped(found)


def _outcome(
    loaded: LoadedSparse,
    inputs: SparseInputs,
    problem: Problem,
    answer: _Answer,
    stop: str,
    more: _Beside,
    parts: Parts,
) -> SparseOutcome:
    study, result, found, device = loaded.study, answer.result, answer.found, inputs.device
    cycles, sources = score(problem, found), measure.level_sources(problem)
    rows, resources = measure.layer_rows(problem, found), measure.resource_rows(study, inputs, problem, found)
    binding, binds = measure.binds_of(problem, found, rows)
    rate, least = device.frequency_hz / cycles, max(1, int(result.bound or 1))
    return SparseOutcome(
        study=study.name,
        status=result.status.value,
        stop=stop,
        value=cycles,
        images_per_s=rate,
        images_per_s_per_dsp=rate / max(1, use_of(problem, found)[0]),
        frequency_hz=device.frequency_hz,
        network=study.network.use,
        macs=sum(layer.macs for layer in problem.layers),
        parameters=sum(layer.parameters for layer in problem.layers),
        device=device.name,
        device_source=device.source,
        engine_source=inputs.model.source,
        loss=loss_of(problem, found) / POINT,
        loss_limit=study.loss,
        loss_is=measure.loss_is(sources),
        sources=sources,
        resources=tuple(resources),
        layers=tuple(rows),
        binding=binding,
        binds=binds,
        prefer=study.prefer,
        prefer_bound=answer.least,
        buys=more.buys,
        dense=more.dense,
        tpe=more.tpe,
        certificate=SparseCertificate(
            metric="throughput",
            unit="images/s",
            sense="maximize",
            objective=rate,
            bound=device.frequency_hz / least,
            gap=1 - least / cycles,
            cycles=cycles,
            bound_cycles=least,
            method=result.bound_method,
            solver=result.solver,
            solver_s=result.seconds,
            assumptions=measure.assumptions_of(problem, inputs),
        ),
        warnings=_warnings(sources, resources),
        trace=result.trace,
        seconds=parts.seconds | {"whole": time.monotonic() - parts.began},
        versions=dict(versions()),
    )


def _warnings(sources: tuple[Any, ...], resources: list[Any]) -> tuple[str, ...]:
    """What a reader has to know first."""
    said = [f"Levels are {own.word}: {own.meaning}." for own in sources if own.made_up]
    beyond = [row for row in resources if row.used <= row.device < row.most]
    said += [f"{row.name.upper()}: at the upper end of the band the design does not fit the device." for row in beyond]
    return tuple(said)


def _saved(folder: RunFolder, outcome: SparseOutcome) -> SparseOutcome:
    """Write the files of a run; the state is the last."""
    interrupted = outcome.stop == "interrupted"
    with held():
        for row in outcome.trace:
            folder.append_trace(dict(zip(("seconds", "objective", "bound"), row, strict=True)))
        folder.write_text("report.html", page(outcome, None, folder.text_of("study.yaml")))
        folder.write_json("result.json", outcome.to_json())
        folder.end(RunState.INTERRUPTED if interrupted else RunState.FINISHED, 130 if interrupted else 0)
    return outcome
