"""Fully sharded data parallelism (ZeRO-3) with fused attention: MPT models of llm-foundry on A100s.

A device holds 1/n of weights, gradients and states. It gathers the weights of a layer for each of its passes, and
scatters the sums of its gradients behind the backward one. The collectives of a layer run beside the kernels of its
neighbours, so a pass takes the longer of the two: overlap is complete, which is an assumption.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from accmine.cost import read_lines
from accmine.errors import Complaint, InputError
from accmine.questions.accuracy.training.kernels import calls, kernels
from accmine.questions.accuracy.training.layers import Pass, RunLayer
from accmine.questions.accuracy.training.machine import Machine
from accmine.system.collectives import collective_s
from accmine.workload import DtypePolicy, ModelDescription, OperatorGraph, TransformerConfig
from accmine.workload.layer_classes import layer_classes
from accmine.workload.shard import Collective

__all__ = ["FsdpRun", "fsdp_bytes", "fsdp_s", "read_fsdp"]

MODELS = {
    "125m": (768, 12, 12),
    "350m": (1024, 16, 24),
    "760m": (1536, 12, 24),
    "1b": (2048, 16, 24),
    "3b": (2560, 20, 32),
    "7b": (4096, 32, 32),
    "13b": (5120, 40, 40),
    "30b": (7168, 56, 48),
    "70b": (8192, 64, 80),
}
"""MPT models: width, heads, layers (llm-foundry, scripts/train/yamls/pretrain); parameters are checked."""

VOCABULARY = 50_368
CHIPS = {"a100_40gb": "a100-40gb", "a100_80gb": "a100-80gb"}

_GATHERED = {"PURE": 2, "DEFAULT": 4}
"""Bytes of a gathered parameter by the mixed precision of Composer in 2023; gradients are summed in 16 bit."""


@dataclass(frozen=True, slots=True)
class FsdpRun:
    """A measured step of a fully sharded model.

    Attributes
    ----------
    model, sequence
        A name of ``MODELS``; tokens of a sequence.
    chip
        An accelerator.
    devices, microbatch, microbatches
        Devices; sequences of a device's microbatch, and how many of them make a step.
    recompute
        ``none`` or ``full``.
    gathered
        Bytes of a gathered parameter.
    seconds
        Of a step.
    where
        ``file:line``.
    """

    model: str
    sequence: int
    chip: str
    devices: int
    microbatch: int
    microbatches: int
    recompute: str
    gathered: int
    seconds: float
    where: str

    @property
    def name(self) -> str:
        """In words."""
        return (
            f"MPT-{self.model}, {self.sequence} tokens, {self.devices} x {self.chip}, microbatch {self.microbatch}, "
            f"recompute {self.recompute}"
        )


def read_fsdp(path: Path) -> tuple[FsdpRun, ...]:
    """The runs of llm-foundry's table.

    Raises
    ------
    InputError
        With file and line of every row that is no run of a model of ``MODELS`` with as many parameters as it says.
    """
    found, wrong = [], []
    for line, cells in read_lines(path):
        where = f"{path.name}:{line}"
        try:
            found.append(_run(cells, where))
        except KeyError as error:
            wrong.append(Complaint(where, "", f"unknown or missing: {error.args[0]}"))
        except ValueError as error:
            wrong.append(Complaint(where, "", f"is no run: {error}"))
        except InputError as error:
            wrong += [Complaint(where, c.field, c.message) for c in error.complaints]
    if wrong:
        raise InputError(wrong)
    return tuple(found)


def _run(cells: Mapping[str, str], where: str) -> FsdpRun:
    sequence, devices = int(cells["SeqLen (T)"]), int(cells["# GPUs"])
    microbatch, batch = int(cells["MicroBatchSize"]), int(cells["GlobalBatchSize"])
    run = FsdpRun(
        model=cells["Model"],
        sequence=sequence,
        chip=CHIPS[cells["GPU"]],
        devices=devices,
        microbatch=microbatch,
        microbatches=batch // (devices * microbatch),
        recompute="full" if cells["Activation Checkpointing"] == "True" else "none",
        gathered=_GATHERED[cells["MP Mode"]],
        seconds=batch * sequence / float(cells["Throughput (T/s)"]),
        where=where,
    )
    counted = _parameters(run.model, sequence)
    if counted != int(cells["NumParams"]):
        raise InputError(f"{cells['NumParams']} parameters, the model has {counted}", field="NumParams")
    return run


@lru_cache(maxsize=1024)
def _layers(model: str, sequence: int, microbatch: int, recompute: str) -> Mapping[str, RunLayer]:
    width, heads, _ = MODELS[model]
    config = TransformerConfig(
        family="gpt2",
        layers=1,
        width=width,
        heads=heads,
        vocabulary=VOCABULARY,
        positions=sequence,
        dropout=0.0,
        attention_dropout=0.0,
        embedding_dropout=0.0,
    )
    description = ModelDescription("mpt", "gpt2", config, sequence=sequence, image=None)
    found = {}
    for layer in layer_classes(
        description,
        microbatch=microbatch,
        recompute=recompute,
        optimizer="adamw",
        policy=DtypePolicy(compute="bf16", gradient="bf16", master="fp32", state="fp32"),
        fusion="none",
        split="fused",
        accumulate=False,
    ):
        own = {tensor.name: tensor.elements for tensor in layer.training.tensors if tensor.role == "parameter"}
        if layer.name == "head":
            own = {name: count for name, count in own.items() if not name.startswith("embeddings")}  # tied
        found[layer.name] = RunLayer(
            _pass(layer.forward),
            _pass(layer.backward),
            _pass(layer.update),
            layer.memory,
            sum(own.values()),
            layer.sends_bytes,
        )
    return found


def _pass(graph: OperatorGraph) -> Pass:
    return Pass(kernels(graph, apart=False, loss=False), calls(graph))


def _parameters(model: str, sequence: int) -> int:
    """Trained elements of a model; there is a learned position for every token of a sequence."""
    width, _, count = MODELS[model]
    return (VOCABULARY + sequence) * width + count * (12 * width + 13) * width + 2 * width


def fsdp_s(run: FsdpRun, machine: Machine) -> float:
    """Seconds of a step.

    The root unit (embeddings, final norm and the tied head) is gathered before the first layer and its gradients are
    scattered behind the last pass: nothing hides that.
    """
    layers, count = _layers(run.model, run.sequence, run.microbatch, run.recompute), MODELS[run.model][2]
    root, layer = layers["embeddings"].parameters + layers["head"].parameters, layers["layer"].parameters
    exchanged = [_exchanges_s(run, machine, elements) for elements in (root, layer)]
    ends = sum(machine.seconds(p) for name in ("embeddings", "head") for p in _passes(layers[name]))
    forward, backward = (machine.seconds(phase) for phase in _passes(layers["layer"]))
    (gather, scatter), (root_gather, root_scatter) = exchanged[1], exchanged[0]
    each = max(forward, gather) + max(backward, gather + scatter)
    machine.cost(kernel.work for own in layers.values() for kernel in own.update.kernels)
    update = sum(
        times * sum(machine.known[kernel.work] for kernel in layers[name].update.kernels)
        for name, times in (("embeddings", 1), ("layer", count))
    )
    return run.microbatches * (root_gather + ends + count * each + root_scatter) + update / run.devices


def _passes(layer: RunLayer) -> tuple[Pass, Pass]:
    return layer.forward, layer.backward


def _exchanges_s(run: FsdpRun, machine: Machine, elements: int) -> tuple[float, float]:
    """Seconds to gather the weights of a unit, and to scatter the sums of its gradients."""
    gather = Collective("all-gather", run.gathered * elements, "data")
    scatter = Collective("reduce-scatter", 2 * elements, "data")
    return (
        collective_s(machine.cluster, gather, run.devices),
        collective_s(machine.cluster, scatter, run.devices),
    )


def fsdp_bytes(run: FsdpRun) -> int:
    """Bytes of a device: its share of 16 for each parameter, two gathered layers and the root, stash, working set."""
    layers, count = _layers(run.model, run.sequence, run.microbatch, run.recompute), MODELS[run.model][2]
    root, layer = layers["embeddings"].parameters + layers["head"].parameters, layers["layer"].parameters
    states = 16 * (root + count * layer) // run.devices
    gathered = (run.gathered + 2) * (root + 2 * layer)
    stash = sum(times * layers[name].memory.stash for name, times in (("embeddings", 1), ("layer", count), ("head", 1)))
    return states + gathered + stash + max(own.memory.working for own in layers.values())
