"""Predicted time of a training step: kernels of a chip one after another, collectives, pipeline, gradients, update."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from math import ceil

from accmine.hardware import Calibration, Design
from accmine.questions.accuracy.fit import Predictor
from accmine.questions.accuracy.samples import Sample
from accmine.questions.accuracy.training.kernels import Kernel
from accmine.questions.accuracy.training.layers import layer_kernels, shape_of
from accmine.questions.accuracy.training.links import Links
from accmine.questions.accuracy.training.runs import Run
from accmine.system import step_time
from accmine.workload.graph import Work

__all__ = ["Machine", "Terms", "predict"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a prediction counts; all of it but for an ablation."""

    vector: bool = True
    core: bool = True
    tensor: bool = True
    gradients: bool = True
    pipeline: bool = True
    apart: bool = True
    ends: bool = True
    uneven: bool = True
    update: bool = True
    messages: bool = True
    host: bool = True


ALL = Terms()


@dataclass
class Machine:
    """A calibrated chip, its links, and the host that starts its kernels.

    Attributes
    ----------
    design
        With its calibration.
    links
        Between devices.
    host_s
        Seconds that the host needs to start a kernel.
    """

    design: Design
    links: Links
    host_s: float
    known: dict[Work, float] = field(default_factory=dict, repr=False)

    def cost(self, works: Iterable[Work]) -> None:
        """Cost all works that are not known yet at once."""
        new = list(dict.fromkeys(work for work in works if work not in self.known))
        if not new:
            return
        design = self.design
        splits = _splits(max(design.tensor_cores, design.vector_cores))
        predictor = Predictor([Sample(work, 1.0, "") for work in new], design, splits)
        self.known |= dict(zip(new, predictor.seconds(design.calibration).tolist(), strict=True))

    def seconds(self, kernels: Sequence[Kernel], terms: Terms) -> float:
        """Seconds of kernels one after another, at least those of their starts."""
        self.cost(kernel.work for kernel in kernels)
        left = {name for name in ("vector", "core", "update") if not getattr(terms, name)}
        busy = sum(self.known[kernel.work] for kernel in kernels if kernel.part not in left)
        return max(busy, len(kernels) * self.host_s) if terms.host else busy


def _splits(cores: int) -> tuple[int, ...]:
    """Powers of two, and the simple shares of all cores: products on a whole chip take no other in their grids."""
    shares = {ceil(cores * a / b) for b in (1, 2, 3, 4) for a in range(1, b + 1)}
    return tuple(sorted(shares | {1 << e for e in range(cores.bit_length())}))


def predict(run: Run, machine: Machine, terms: Terms = ALL) -> float:
    """Seconds of a step."""
    links, found = machine.links, layer_kernels(shape_of(run), terms.apart)
    message = 2.0 * run.microbatch * run.sequence * run.width
    seconds = {key: machine.seconds(kernels, terms) for key, kernels in found.items()}
    if terms.tensor:
        for key, collectives in _collectives(run, message, links).items():
            seconds[key] += collectives
    if not terms.ends:
        seconds |= {key: 0.0 for key in seconds if key[0] != "layer0"}
    p, per_stage = run.pipeline, run.layers // run.pipeline
    ends = {0: ("embeddings",)} if p > 1 else {0: ("embeddings", "head")}
    if p > 1:
        ends[p - 1] = ("head",)
    own = {
        phase: [
            per_stage * seconds["layer0", phase] + sum(seconds[name, phase] for name in ends.get(stage, ()))
            for stage in range(p)
        ]
        for phase in ("forward", "backward", "update")
    }
    if not terms.uneven:
        own = {phase: [sum(values) / p] * p for phase, values in own.items()}
    if terms.gradients:
        for stage in range(p):
            layers = ["layer0"] * per_stage + list(ends.get(stage, ()))
            elements = sum(_parameters(found[name, "update"]) for name in layers)
            own["update"][stage] += links.reduce_s(4.0 * elements, run.data, run.tensor)
    distance = run.tensor * run.data
    transfer = links.message_s(message / run.tensor, distance) + links.gather_s(message, run.tensor)
    between = [transfer if terms.messages else 0.0] * (p - 1)
    m, v = run.microbatches, run.chunks
    if not terms.pipeline:
        return m * max(f + b for f, b in zip(own["forward"], own["backward"], strict=True)) + max(own["update"])
    whole = float(step_time("1f1b", own["forward"], own["backward"], own["update"], between, m))
    if v > 1:
        mean = (sum(own["forward"]) + sum(own["backward"])) / p
        whole -= (p - 1) * mean * (1.0 - 1.0 / v)
    return whole


def _collectives(run: Run, message: float, links: Links) -> dict[tuple[str, str], float]:
    t = run.tensor
    if t == 1:
        return {}
    reduce, gather = links.reduce_s(message, t), links.gather_s(message, t)
    if run.sequence_parallel:
        return {("layer0", "forward"): 4 * gather, ("layer0", "backward"): 6 * gather, ("head", "backward"): 3 * gather}
    again = 2 if run.recompute == "full" else 0
    return {
        ("layer0", "forward"): 2 * reduce,
        ("layer0", "backward"): (2 + again) * reduce,
        ("embeddings", "forward"): reduce,
        ("head", "backward"): reduce,
    }


def _parameters(kernels: Sequence[Kernel]) -> int:
    return sum(part.elements for kernel in kernels for part in kernel.work.vector)
