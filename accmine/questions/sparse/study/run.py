"""A run of a sparse dataflow accelerator: a study in, an outcome and its run folder out."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from accmine.errors import InfeasibleError, NothingFoundError
from accmine.files import entry_name
from accmine.interrupts import held as whole
from accmine.ports import Incumbent
from accmine.problems.conflict import located
from accmine.problems.sparse_dataflow import (
    Problem,
    Solution,
    interval_of,
    loss_of,
    problem_to_json,
    solution_to_json,
    use_of,
)
from accmine.questions.run.folder import RunFolder, RunState, open_run
from accmine.questions.run.reading import AnySparse, page, sparse_of
from accmine.questions.run.row import FORMAT
from accmine.questions.run.run import ending
from accmine.questions.sparse.study import measure
from accmine.questions.sparse.study.beside import Beside, fill, first_share
from accmine.questions.sparse.study.parts import MAIN, Parts
from accmine.questions.sparse.study.record import SparseCertificate, SparseOutcome
from accmine.questions.sparse.study.refusal import refused
from accmine.questions.sparse.study.several.run import run_several
from accmine.questions.sparse.study.truth import Held, with_digits
from accmine.questions.sparse.study.truth import held as truly_held
from accmine.report import Watch
from accmine.result import Result, Status, StopReason
from accmine.solving import versions
from accmine.sparse.layer import POINT
from accmine.study.sparse import LoadedSparse, SparseInputs, read_sparse

__all__ = ["run_sparse"]


def run_sparse(
    loaded: LoadedSparse,
    *,
    runs_dir: Path = Path("runs"),
    again: bool = False,
    on_progress: Incumbent | None = None,
    watch: Watch | None = None,
) -> AnySparse:
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
    head = {"format": FORMAT, "kind": loaded.study.kind, "study": loaded.study.name}
    with ending(folder, head):
        parts = Parts(folder, loaded.study.budget, began, watch, on_progress)
        outcome: AnySparse
        if loaded.study.devices is None:
            outcome = _solved(loaded, inputs, measure.problem_of(loaded.study, inputs), parts)
        else:
            outcome = run_several(loaded, inputs, parts)
    return _saved(folder, replace(outcome, folder=str(folder.path)))


def _read(folder: RunFolder, loaded: LoadedSparse, watch: Watch) -> AnySparse:
    """The outcome of a finished run, or the error that it ended with; which is said."""
    known = folder.read_json("result.json") or {}
    watch.say(f"the answer of an earlier run, which ended {folder.when} UTC; --again computes it anew: {folder.path}")
    with folder.using("result.json"):
        if known.get("status") != Status.INFEASIBLE.value:
            return replace(sparse_of(known), earlier_run=folder.when)
        error = InfeasibleError.from_json(known)
    raise located(error, loaded.document)


def _solved(loaded: LoadedSparse, inputs: SparseInputs, problem: Problem, parts: Parts) -> SparseOutcome:
    """The answer, and what it is compared with as far as time allows."""
    study, held = loaded.study, None
    if study.accuracy is None:
        result, took = _fastest(loaded, inputs, problem, parts)
    else:
        inputs, problem, held = _truly(loaded, inputs, problem, parts)
        result, took = held.result, parts.seconds.get("rounds", 0.0)
    assert result.solution is not None
    beside, stop = Beside(result.solution), result.stop
    try:
        if stop is not StopReason.INTERRUPTED:
            fill(beside, study, inputs, problem, result, parts)
    except KeyboardInterrupt:
        stop = StopReason.INTERRUPTED
    parts.folder.write_json("problem.json", problem_to_json(problem))
    parts.folder.write_json("solution.json", solution_to_json(problem, beside.found))
    return _outcome(loaded, inputs, problem, result, beside, parts, held, stop=stop.value, took=took)


def _fastest(
    loaded: LoadedSparse, inputs: SparseInputs, problem: Problem, parts: Parts
) -> tuple[Result[Solution], float]:
    """The fastest design by the losses of levels, and the seconds that it took."""
    parts.watch.step("level and folding of every layer")
    result, took = parts.solve(MAIN, problem, share=first_share(loaded.study))
    if result.status is Status.INFEASIBLE:
        raise refused(loaded, inputs, problem, result)
    if result.solution is None:
        if result.stop is StopReason.INTERRUPTED:
            raise KeyboardInterrupt
        raise NothingFoundError(f"{loaded.study.name}: no design was found in {took:.3g} s, and none was excluded")
    return result, took


def _truly(
    loaded: LoadedSparse, inputs: SparseInputs, problem: Problem, parts: Parts
) -> tuple[SparseInputs, Problem, Held]:
    """The fastest design by the true loss, and the problem of its levels."""
    accuracy, digits = loaded.study.accuracy, None
    if accuracy is not None and accuracy.use == "digits":
        parts.watch.step("training the network")
        inputs, problem, digits = with_digits(inputs, problem)
    parts.watch.step("round 1: a design for the real network")
    held = truly_held(loaded, problem, digits, parts, first_share(loaded.study))
    return inputs, held.problem, held


def _outcome(
    loaded: LoadedSparse,
    inputs: SparseInputs,
    problem: Problem,
    result: Result[Solution],
    beside: Beside,
    parts: Parts,
    held: Held | None,
    *,
    stop: str,
    took: float,
) -> SparseOutcome:
    study, found, device = loaded.study, beside.found, inputs.device
    cycles, sources = interval_of(problem, found), measure.level_sources(problem)
    rate = device.frequency_hz / cycles
    rows = measure.layer_rows(problem, found)
    resources = measure.resource_rows(study.limits, device, problem, found, rate)
    binding, binds = measure.binds_of(problem, found, rows)
    proxy = loss_of(problem, found) / POINT
    return SparseOutcome(
        study=study.name,
        status=result.status.value,
        stop=stop,
        value=cycles,
        images_per_s=rate,
        images_per_s_per_dsp=rate / max(1, use_of(problem, found)[0]),
        frequency_hz=device.frequency_hz,
        network="digits" if study.network is None else entry_name(study.network.use),
        macs=sum(layer.macs for layer in problem.layers),
        parameters=sum(layer.parameters for layer in problem.layers),
        device=device.name,
        device_source=device.source,
        engine_source=inputs.model.source,
        loss=proxy if held is None else held.true_loss,
        loss_limit=study.loss,
        proxy_loss=proxy,
        loss_is=measure.loss_is(sources) if held is None else "measured on the real network",
        accuracy=None if held is None else held.row,
        sources=sources,
        resources=tuple(resources),
        layers=tuple(rows),
        binding=binding,
        binds=binds,
        prefer=study.prefer,
        prefer_bound=beside.least,
        buys=beside.buys,
        dense=beside.dense,
        tpe=beside.tpe,
        certificate=_certificate(inputs, problem, result, cycles, took, added=held is None),
        warnings=_warnings(sources, resources),
        trace=result.trace,
        seconds=parts.seconds | {"all else": time.monotonic() - parts.began - sum(parts.seconds.values())},
        versions=dict(versions()),
    )


def _certificate(
    inputs: SparseInputs, problem: Problem, result: Result[Solution], cycles: int, took: float, *, added: bool
) -> SparseCertificate:
    """Of a design with an interval of so many cycles; ``added``: losses are, as none was measured."""
    clock, least = inputs.device.frequency_hz, max(1, int(result.bound or 1))
    return SparseCertificate(
        metric="throughput",
        unit="images/s",
        sense="maximize",
        objective=clock / cycles,
        bound=clock / least,
        gap=1 - least / cycles,
        cycles=cycles,
        bound_cycles=least,
        method=result.bound_method,
        solver=result.solver,
        solver_s=took,
        assumptions=measure.assumptions_of(problem, f"{clock / 1e6:g} MHz", added=added),
    )


def _warnings(sources: tuple[Any, ...], resources: list[Any]) -> tuple[str, ...]:
    """What a reader has to know first."""
    said = [f"Levels are {own.word}: {own.meaning}." for own in sources if own.made_up]
    beyond = [row for row in resources if row.used <= row.device < row.most]
    said += [f"{row.name.upper()}: at the upper end of the band the design does not fit the device." for row in beyond]
    return tuple(said)


def _saved(folder: RunFolder, outcome: AnySparse) -> AnySparse:
    """Write the files of a run; the state is the last."""
    interrupted = outcome.stop == "interrupted"
    with whole():
        for row in outcome.trace:
            folder.append_trace(dict(zip(("seconds", "objective", "bound"), row, strict=True)))
        folder.write_text("report.html", page(outcome, None, folder.text_of("study.yaml")))
        folder.write_json("result.json", outcome.to_json())
        folder.end(RunState.INTERRUPTED if interrupted else RunState.FINISHED, 130 if interrupted else 0)
    return outcome
