"""The machine of the measured runs: a calibrated chip, its cluster, and the host that starts its kernels.

All constants come from single operators and collectives: products (aiconfigurator), vector operators (LLMCompass) and
the launch by the host (LLMCompass) as the shipped accelerators have them; the rate that products sustain
(stas00/ml-engineering); all-reduces within a node (vTrain) as the shipped cluster has them. No measured step is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

from accmine.hardware import Calibration, Design, Tiles, load_accelerator
from accmine.questions.accuracy.fit import Predictor
from accmine.questions.accuracy.samples import Sample
from accmine.questions.accuracy.training.kernels import Kernel
from accmine.questions.accuracy.training.layers import Pass
from accmine.system import Cluster, load_cluster
from accmine.workload.graph import Work

__all__ = ["ALL", "CHIP", "CLUSTER", "SUSTAINED", "Machine", "Terms", "machine_of"]

CHIP, CLUSTER, HOST = "a100-80gb", "dgx-a100", "a100-80gb-like"
"""Accelerator of operators, cluster, and accelerator whose launch is that of a host."""

SUSTAINED = 0.971
"""Share of the calibrated rate of products that steps of many products keep: the best product of an A100 SXM over 100
iterations with random data, 271.2 TFLOP/s (1,024 x 10,240 x 5,120; stas00/ml-engineering, b9e2972), against its time by
the calibration, which was fitted on single kernels."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a prediction counts: all of it but for an ablation.

    Attributes
    ----------
    vector, core, tensor, gradients, update, messages
        Element-wise kernels, the core of attention, collectives of tensor groups, sums of gradients, the optimiser,
        messages between stages.
    sustained, bandwidth, tiles
        The sustained rate of products, measured bandwidths of vector kernels, tiles and waves of products.
    pipeline, ends, uneven
        The simulation of the pipeline, embeddings and head, and that these make the end stages longer.
    apart
        A kernel of its own that accumulates gradients.
    host
        The least time that the host needs for its calls.
    """

    vector: bool = True
    core: bool = True
    tensor: bool = True
    gradients: bool = True
    sustained: bool = True
    pipeline: bool = True
    bandwidth: bool = True
    apart: bool = True
    tiles: bool = True
    ends: bool = True
    uneven: bool = True
    update: bool = True
    messages: bool = True
    host: bool = True


ALL = Terms()


@dataclass
class Machine:
    """A calibrated chip, its cluster and its host.

    Attributes
    ----------
    design
        With its calibration.
    cluster
        What connects the devices.
    host_s
        Seconds of a call by the host.
    terms
        What is counted.
    """

    design: Design
    cluster: Cluster
    host_s: float
    terms: Terms = ALL
    known: dict[Work, float] = field(default_factory=dict, repr=False)

    def cost(self, works: Iterable[Work]) -> None:
        """Cost all works that are not known yet at once."""
        new = list(dict.fromkeys(work for work in works if work not in self.known))
        if new:
            splits = _splits(max(self.design.tensor_cores, self.design.vector_cores))
            predictor = Predictor([Sample(work, 1.0, "") for work in new], self.design, splits)
            self.known |= dict(zip(new, predictor.seconds(self.design.calibration).tolist(), strict=True))

    def seconds(self, phase: Pass) -> float:
        """Seconds of the kernels of a phase one after another, at least those of the calls that start them."""
        self.cost(kernel.work for kernel in phase.kernels)
        busy = sum(self.known[kernel.work] for kernel in phase.kernels if self._counts(kernel))
        return max(busy, phase.calls * self.host_s) if self.terms.host else busy

    def _counts(self, kernel: Kernel) -> bool:
        return kernel.part in ("product", "accumulate") or bool(getattr(self.terms, kernel.part))


def _splits(cores: int) -> tuple[int, ...]:
    """Powers of two, and the simple shares of all cores: products on a whole chip take no other in their grids."""
    shares = {ceil(cores * a / b) for b in (1, 2, 3, 4) for a in range(1, b + 1)}
    return tuple(sorted(shares | {1 << e for e in range(cores.bit_length())}))


def machine_of(terms: Terms = ALL, chip: str = CHIP, cluster: str = CLUSTER) -> Machine:
    """The machine of measured runs.

    Parameters
    ----------
    terms
        What is counted.
    chip, cluster
        Names or files. The share of its rate that products sustain, and the launch by the host, are those of an A100.

    Raises
    ------
    InputError
        If one of the files is missing or wrong.
    """
    design = load_accelerator(chip, timed=True)
    calibration = design.calibration
    if terms.sustained:
        calibration = _scaled(calibration, {"product"}, "array_efficiency", SUSTAINED)
    if not terms.bandwidth:
        calibration = _scaled(calibration, {"softmax", "norm", "elementwise"}, "hbm_efficiency", 0.0)
    if not terms.tiles:
        calibration = replace(calibration, tiles=Tiles())
    host_s = load_accelerator(HOST).calibration.launch_s
    return Machine(replace(design, calibration=calibration), load_cluster(cluster), host_s, terms)


def _scaled(calibration: Calibration, kinds: set[str], name: str, factor: float) -> Calibration:
    """The constant of some kinds times a factor; 0: nothing corrected."""
    changed = []
    for kind, own in calibration.kinds:
        values: dict[str, Any] = {name: getattr(own, name) * factor or 1.0} if kind in kinds else {}
        changed.append((kind, replace(own, **values)))
    return replace(calibration, kinds=tuple(changed))
