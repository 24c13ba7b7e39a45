"""A study of a sparse dataflow accelerator as problems, and what their solutions are worth."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import floor
from typing import Any

from accmine.problems.sparse_dataflow import MOST, Budget, Problem, Solution, explain, interval_of, loss_of, use_of
from accmine.questions.sparse.study.rows import (
    LevelSource,
    OtherDesign,
    ResourceRow,
    SearchMoment,
    SparseLayerRow,
    TpeRow,
)
from accmine.result import Result, Status
from accmine.sparse.device import Device
from accmine.sparse.folding import DENSE, Folding
from accmine.sparse.layer import POINT, Layer
from accmine.sparse.levels import ARRAYS_PROXY, SYNTHETIC, meaning, sources_of
from accmine.sparse.resources import RESOURCES
from accmine.study.sparse import Shares, SparseInputs, SparseStudy

__all__ = [
    "DENSE_ONLY",
    "assumptions_of",
    "binds_of",
    "budget_of",
    "dense_problem",
    "layer_rows",
    "level_sources",
    "loss_is",
    "network_problem",
    "no_tpe",
    "other_of",
    "problem_of",
    "resource_rows",
    "tpe_of",
]

DENSE_ONLY, TPE = "dense engines, nothing pruned", "TPE"
_EXACT = ("dsp", "bram18", "uram", "bandwidth")


def budget_of(shares: Shares, device: Device) -> Budget:
    """What a design may take of a device; any loss."""
    own = {key: Fraction(str(share)) for key, share in shares}
    blocks = {key: floor(own[key] * count) for key, count in device.blocks().items()}
    return Budget(**blocks, bits_per_cycle=own["bandwidth"] * device.bits_per_cycle)


def network_problem(study: SparseStudy, inputs: SparseInputs) -> Problem:
    """Level and folding of every layer of the network, within the loss of a study alone."""
    budget = Budget(loss=min(MOST, floor(Fraction(str(study.loss)) * POINT)))
    own: dict[str, Any] = {"engines": study.engines, "memories": study.memories, "slacks": study.slack}
    return Problem(inputs.layers, inputs.edges, budget, inputs.model, **own, name=study.name)


def problem_of(study: SparseStudy, inputs: SparseInputs) -> Problem:
    """The same within the study's share of its device as well."""
    problem = network_problem(study, inputs)
    return replace(problem, budget=replace(budget_of(study.limits, inputs.device), loss=problem.budget.loss))


def dense_problem(problem: Problem, inputs: SparseInputs) -> Problem:
    """The same with dense engines alone, where no product is skipped and nothing is lost."""
    own = replace(problem, layers=inputs.unpruned, engines=(DENSE,), name=f"{problem.name}, dense")
    return replace(own, budget=replace(problem.budget, loss=0))


def resource_rows(
    shares: Shares, device: Device, problem: Problem, found: Solution, images_per_s: float
) -> list[ResourceRow]:
    """What a design takes of a device, at a rate."""
    used = dict(zip(RESOURCES, use_of(problem, found), strict=True))
    band, has = problem.model.band, {**device.blocks(), "bandwidth": device.bandwidth_bits_per_s}
    rows = []
    for key, share in shares:
        value = used["bits"] * images_per_s if key == "bandwidth" else float(used[key])
        low, high = (1.0, 1.0) if key in _EXACT else band
        limit = share * has[key] if key == "bandwidth" else floor(Fraction(str(share)) * int(has[key]))
        rows.append(ResourceRow(key, value, float(limit), float(has[key]), low * value, high * value))
    return rows


def layer_rows(problem: Problem, found: Solution) -> list[SparseLayerRow]:
    """Each layer as it was laid out."""
    rows = []
    for layer, choice, own in zip(problem.layers, found.choices, explain(problem, found), strict=True):
        folding = own.folding
        rows.append(
            SparseLayerRow(
                own.name,
                own.level,
                float(layer.levels[choice.level].density),
                own.loss / POINT,
                folding.engine,
                folding.coarse_in,
                folding.coarse_out,
                folding.coarse_group,
                folding.fine,
                folding.memory,
                folding.slack,
                own.cycles,
                own.streams,
                own.binds,
                *own.use,
            )
        )
    return rows


def binds_of(problem: Problem, found: Solution, rows: list[SparseLayerRow]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(layers that take as long as the interval, what binds it in sentences)."""
    interval = interval_of(problem, found)
    names, said = [], []
    for layer, choice, row in zip(problem.layers, found.choices, rows, strict=True):
        if row.cycles == interval:
            names.append(row.name)
            said.append(_streams(layer, choice.folding, row) if row.binds == "streams" else _windows(layer, row))
    rate, bits = problem.budget.bits_per_cycle, sum(row.bits for row in rows)
    if rate and -int(-bits / rate // 1) == interval:
        readers = [row for row in rows if row.bits]
        most = max(readers, key=lambda row: row.bits)
        said.append(
            f"Off-chip memory: {bits:,} bits of weights per image at {float(rate):,.6g} bits per cycle; most for "
            f"{most.name} ({100 * most.bits / bits:.3g} %) of {len(readers)} layers whose weights are read from there."
        )
    return tuple(names), tuple(said)


def _streams(layer: Layer, folding: Folding, row: SparseLayerRow) -> str:
    words_in, words_out = layer.words
    wide_in, wide_out = folding.streams_in(layer), folding.streams_out
    inward = -(-words_in // wide_in) >= -(-words_out // wide_out)
    side, wide, channels = ("in", wide_in, layer.channels_in) if inward else ("out", wide_out, layer.channels_out)
    end = "as many as it has channels: no folding is faster" if wide == channels else f"of {channels} channels"
    return f"{row.name} by its streams: {wide} words {side} per cycle, {end}."


def _windows(layer: Layer, row: SparseLayerRow) -> str:
    engines = row.coarse_in * row.coarse_out * row.coarse_group
    return (
        f"{row.name} by its windows: {layer.windows // engines:,} of {layer.window} products each on {engines} "
        f"{row.engine} engines of {row.fine} multipliers, {100 * row.density:.3g} % of the products not zero."
    )


def level_sources(problem: Problem) -> tuple[LevelSource, ...]:
    """Where the levels of a problem come from."""
    return tuple(
        LevelSource(word, meaning(word), word in (SYNTHETIC, ARRAYS_PROXY)) for word in sources_of(problem.layers)
    )


def loss_is(sources: tuple[LevelSource, ...]) -> str:
    """What a loss of these sources is worth."""
    if any(own.made_up for own in sources):
        return "made up: no claim about the accuracy of a network"
    return "of the user, added over layers: the network with all of it may lose more or less"


def assumptions_of(problem: Problem, clocks: str, *, added: bool) -> tuple[str, ...]:
    """Sentences on what objective and bound of an answer share.

    Parameters
    ----------
    clocks
        At what layers run, in words.
    added
        Whether losses are added, as none was measured.
    """
    low, high = problem.model.band
    return (
        f"All layers run at {clocks}, whatever the design: nothing was placed and routed.",
        "Norms, activations, pools and sums cost nothing; the interval is that of the slowest layer.",
        "Losses of layers add up." if added else "The loss is that of the images which it was measured on.",
        f"LUTs and FFs are estimates, × {low:g} to {high:g}: {problem.model.source}.",
    )


def other_of(
    what: str, problem: Problem, result: Result[Solution], frequency_hz: float, cycles: int, seconds: float
) -> OtherDesign:
    """A design under another rule, beside an answer with an interval of so many cycles.

    Parameters
    ----------
    seconds
        That it took.
    """
    found, status = result.solution, result.status
    bound = None if result.bound is None else int(result.bound)
    if found is None:
        why = "no design exists" if status is Status.INFEASIBLE else "nothing was found in time"
        return OtherDesign(what, status.value, None, None, None, None, bound, None, result.solver, seconds, why)
    own, dsp, loss = interval_of(problem, found), use_of(problem, found)[0], loss_of(problem, found) / POINT
    of_design = frequency_hz / own, own, dsp, loss, bound, own / cycles
    return OtherDesign(what, status.value, *of_design, result.solver, seconds)


def tpe_of(problem: Problem, result: Result[Solution], frequency_hz: float, cycles: int, seconds: float) -> TpeRow:
    """What TPE found, beside an answer with an interval of so many cycles."""
    trace: list[SearchMoment] = []
    for trial in result.pool:
        if trial.best is not None and (not trace or trial.best < trace[-1].cycles):
            trace.append(SearchMoment(trial.seconds, trial.number + 1, trial.best, cycles / trial.best))
    found = other_of(TPE, problem, result, frequency_hz, cycles, seconds)
    return TpeRow(len(result.pool), found, tuple(trace))


def no_tpe(why: str) -> TpeRow:
    """That it was not run."""
    return TpeRow(0, OtherDesign(TPE, "unknown", None, None, None, None, None, None, "tpe", 0.0, why), ())
