"""Trivial rules that a search has to beat: the largest design, TPUv2's shape scaled to the limits, 1,000 at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf, log

import numpy as np

from accmine.hardware import Design, load_accelerator
from accmine.hardware.technology import area_mm2, tdp_w
from accmine.problems.design_search import Problem, Solution, fits
from accmine.problems.design_search.space_bound import Block, batches, phase_bounds_of, relative_value
from accmine.record import Record
from accmine.result import StopReason

from .evaluator import Evaluator
from .space import Space

__all__ = ["BestOf1000", "Given", "Largest", "TpuScaled", "bounds_of", "largest", "random_designs", "tpu_shaped"]

RANDOM = 1000


def largest(blocks: list[Block]) -> Design:
    """The feasible design of largest area."""
    block = max(blocks, key=lambda b: float(b.area_mm2[b.fits].max()))
    return block.design(int(np.where(block.fits, block.area_mm2, -inf).argmax()))


def _near(values: tuple[int, ...], wanted: float) -> int:
    return min(values, key=lambda v: (abs(log(v / wanted)), v))


def tpu_shaped(problem: Problem, shape: Design) -> Design | None:
    """The core types of ``shape``, or the nearest in the template, and as many cores in its ratio as fit."""
    space, tensor, vector = problem.template, shape.tensor, shape.vector
    hbm = min((v for v in space.hbm_bytes if v >= problem.memory_bytes), default=space.hbm_bytes[-1])
    types = replace(
        shape,
        tensor=replace(
            tensor,
            rows=_near(space.tensor_rows, tensor.rows),
            cols=_near(space.tensor_cols, tensor.cols),
            sram_bytes=_near(space.tensor_sram_bytes, tensor.sram_bytes),
            dataflow=tensor.dataflow if tensor.dataflow in space.dataflow else space.dataflow[0],
            rates=space.tensor_rates,
        ),
        vector=replace(
            vector,
            lanes=_near(space.vector_lanes, vector.lanes),
            ops_per_lane=_near(space.vector_ops_per_lane, vector.ops_per_lane),
            sram_bytes=_near(space.vector_sram_bytes, vector.sram_bytes),
            rates=space.vector_rates,
        ),
        hbm_bytes=hbm,
        hbm_bytes_per_s=_near(tuple(rate for size, rate in space.memories if size == hbm), shape.hbm_bytes_per_s),
        frequency_hz=_near(space.frequency_hz, shape.frequency_hz),
        shared_sram_bytes=space.shared_memories[0][0],
        port_bytes_per_s=space.shared_memories[0][1],
        calibration=space.calibration,
    )
    ratio = shape.vector_cores / shape.tensor_cores
    designs = (types.with_cores(n, _near(space.vector_cores, max(1, n * ratio))) for n in space.tensor_cores)
    return next((d for d in reversed(list(designs)) if fits(problem, d)), None)


def bounds_of(problem: Problem, designs: Sequence[Design]) -> list[float]:
    """The bounds of the values of single designs, with longest paths."""
    value, several = relative_value(problem), [_alone(problem, design) for design in designs]
    rows = phase_bounds_of(problem, several, paths=True)
    return [float(value(seconds, block)[0, 0]) for seconds, block in zip(rows, several, strict=True)]


def _alone(problem: Problem, design: Design) -> Block:
    counts = [np.array([n], dtype=np.int64) for n in (design.tensor_cores, design.vector_cores)]
    costs = [np.array([[law(design, problem.technology)]]) for law in (area_mm2, tdp_w)]
    return Block(design, counts[0], counts[1], costs[0], costs[1], np.array([[True]]))


def random_designs(space: Space, seed: int, count: int = RANDOM) -> list[Design]:
    """``count`` feasible designs or all there are, each as likely as any other, none twice."""
    numbers = np.random.default_rng(seed).choice(space.size, size=min(count, space.size), replace=False)
    return [space.design(space.at(number)) for number in numbers.tolist()]


def _space(record: Record[Solution]) -> Space:
    space = Space(record.problem)
    if not space.size:
        record.no_solution("limits of area, TDP and memory of every design")
    return space


class Given:
    """Evaluates the designs of ``problem.first`` and no others; those that do not fit are in the pool alone."""

    name = "given"

    def search(self, record: Record[Solution]) -> StopReason:
        """Schedule each design once."""
        evaluate = Evaluator(record)
        for design in record.problem.first:
            if record.over() is not None:
                return StopReason.TIME
            evaluate(design)
        return StopReason.FINISHED


class Largest:
    """The feasible design of largest area."""

    name = "largest"

    def search(self, record: Record[Solution]) -> StopReason:
        """Evaluate one design."""
        space = _space(record)
        if space.size:
            Evaluator(record)(largest(space.blocks))
        return record.closed() or StopReason.FINISHED


class TpuScaled:
    """TPUv2's core types, or the nearest in the template, and as many cores in its ratio as fit."""

    name = "tpu-scaled"

    def search(self, record: Record[Solution]) -> StopReason:
        """Evaluate one design, where any of that shape fits."""
        if _space(record).size:
            design = tpu_shaped(record.problem, load_accelerator("tpuv2-like"))
            if design is not None:
                Evaluator(record)(design)
        return record.closed() or StopReason.FINISHED


class BestOf1000:
    """The best of 1,000 feasible designs drawn uniformly.

    Each has a bound; they are scheduled in the order of it until the next bound is no better than the best value: the
    others would not change the answer.
    """

    name = "best-of-1000"

    def search(self, record: Record[Solution]) -> StopReason:
        """Evaluate until the answer is known, or the limits pass."""
        space, evaluate = _space(record), Evaluator(record)
        if not space.size:
            return StopReason.PROVED
        drawn: list[tuple[float, int, Design]] = []
        for part in batches(random_designs(space, record.seed)):
            if (reason := record.over()) is not None:
                return reason
            drawn += zip(bounds_of(record.problem, part), range(len(drawn), len(drawn) + len(part)), part, strict=True)
        for bound, _, design in sorted(drawn, key=lambda row: row[:2]):
            if record.score is not None and bound >= record.score:
                break
            if (reason := record.over()) is not None:
                return reason
            evaluate(design)
        return StopReason.FINISHED
