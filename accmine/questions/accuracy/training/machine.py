"""The machine of the measured runs: a calibrated chip, its links, and the host that starts its kernels.

All constants come from single operators and collectives: products (aiconfigurator), vector operators (LLMCompass) and
the launch by the host (LLMCompass) as the shipped accelerators have them; the rate that products sustain; all-reduces
within a node. No measured step is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path

from accmine.cost import read_lines
from accmine.errors import InputError
from accmine.hardware import Calibration, Design, Tiles, load_accelerator
from accmine.questions.accuracy.fit import Predictor
from accmine.questions.accuracy.samples import Sample
from accmine.questions.accuracy.training.kernels import Kernel
from accmine.questions.accuracy.training.layers import Pass
from accmine.questions.accuracy.training.links import fitted_cluster
from accmine.system import Cluster
from accmine.workload.graph import Work

__all__ = ["ALL", "CHIP", "COLLECTIVES", "OUTSIDE", "RATES", "Machine", "Terms", "machine_of"]

COLLECTIVES, RATES = "nccl_allreduce_intranode.csv", "matmul_sustained.csv"
OUTSIDE = 25e9
"""Bytes per second of a device to other nodes: eight HDR links of 200 Gbit/s for eight devices."""

CHIP, HOST, DEVICE = "a100-80gb", "a100-80gb-like", "A100 SXM"


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


def machine_of(data: Path, terms: Terms = ALL, chip: str = CHIP) -> Machine:
    """The A100s of the measured runs.

    Parameters
    ----------
    data
        Folder with ``COLLECTIVES`` and ``RATES``.
    terms
        What is counted.
    chip
        An accelerator; the share of its rate that products sustain is that of ``CHIP``.

    Raises
    ------
    InputError
        If one of the files is missing or wrong.
    """
    design = load_accelerator(chip)
    calibration = design.calibration
    if terms.sustained:
        share = _sustained_share(data / RATES, load_accelerator(CHIP))
        calibration = _with(calibration, {"product"}, "array_efficiency", share)
    if not terms.bandwidth:
        calibration = _with(calibration, {"softmax", "norm", "elementwise"}, "hbm_efficiency", 0.0)
    if not terms.tiles:
        calibration = replace(calibration, tiles=Tiles())
    cluster, host_s = fitted_cluster(data / COLLECTIVES, "A100", OUTSIDE), load_accelerator(HOST).calibration.launch_s
    return Machine(replace(design, calibration=calibration), cluster, host_s, terms)


def _with(calibration: Calibration, kinds: set[str], name: str, factor: float) -> Calibration:
    """The constant of some kinds times a factor; 0: nothing corrected."""
    changed = tuple(
        (kind, replace(own, **{name: getattr(own, name) * factor or 1.0}) if kind in kinds else own)
        for kind, own in calibration.kinds
    )
    return replace(calibration, kinds=changed)


def _sustained_share(path: Path, design: Design) -> float:
    """Sustained over modelled rate of the best product of the chip."""
    for line, cells in read_lines(path):
        if cells.get("device") == DEVICE:
            try:
                m, n, k = (int(size) for size in cells["best_shape_MxNxK"].split("x"))
                rate = 1e12 * float(cells["sustained_tflops"])
            except (KeyError, ValueError) as error:
                raise InputError(f"is no row of sustained rates: {error}", where=f"{path}:{line}") from None
            sample = Sample.product(m, k, n, 1, "bf16", 2.0 * m * k * n / rate, "")
            splits = _splits(design.tensor_cores)
            return float(Predictor([sample], design, splits).seconds(design.calibration)[0]) / sample.seconds
    raise InputError(f"no sustained rate of {DEVICE}", where=str(path))
