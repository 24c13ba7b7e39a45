"""Embeddings, a layer and the head of a run on one device of a tensor group: kernels, collectives and memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from accmine.questions.accuracy.training.kernels import Kernel, calls, kernels, library_kernels
from accmine.questions.accuracy.training.runs import Run
from accmine.workload import DtypePolicy, ModelDescription, OperatorGraph, TransformerConfig
from accmine.workload.layer_classes import layer_classes
from accmine.workload.shard import Collective, LayerMemory, Shard

__all__ = ["Pass", "RunLayer", "Shape", "run_layers", "shape_of"]


@dataclass(frozen=True, slots=True)
class Pass:
    """A phase of a layer: its kernels, the calls of the framework that start them, and its collectives."""

    kernels: tuple[Kernel, ...]
    calls: int
    collectives: tuple[Collective, ...] = ()


@dataclass(frozen=True, slots=True)
class RunLayer:
    """A layer of a run.

    Attributes
    ----------
    forward, backward, update
        Its phases, for one microbatch.
    memory
        Bytes of one such layer.
    parameters
        Trained elements on this device.
    sends_bytes
        Activations that leave it, for one microbatch on one device.
    """

    forward: Pass
    backward: Pass
    update: Pass
    memory: LayerMemory
    parameters: int
    sends_bytes: int


@dataclass(frozen=True, slots=True)
class Shape:
    """What the layers of a run depend on."""

    width: int
    heads: int
    sequence: int
    vocabulary: int
    microbatch: int
    tensor: int
    recompute: str
    sequence_parallel: bool
    gradients: str


def shape_of(run: Run) -> Shape:
    """The shape of a run's layers."""
    return Shape(*(getattr(run, name) for name in Shape.__dataclass_fields__))


@lru_cache(maxsize=4096)
def run_layers(shape: Shape, apart: bool = True) -> dict[str, RunLayer]:
    """``embeddings``, ``layer`` and ``head`` of a shape; ``apart`` as for ``kernels``."""
    config = TransformerConfig(
        family="gpt2",
        layers=1,
        width=shape.width,
        heads=shape.heads,
        vocabulary=shape.vocabulary,
        positions=shape.sequence,
    )
    model = ModelDescription("gpt", "gpt2", config, sequence=shape.sequence, image=None)
    found = {}
    for layer in layer_classes(
        model,
        microbatch=shape.microbatch,
        shard=Shard(shape.tensor),
        recompute="full" if shape.recompute == "full" else "none",
        policy=DtypePolicy(compute="fp16", gradient=shape.gradients, master="fp32", state="fp32"),
        fusion="none",
        split="none",
    ):
        parameters = sum(t.elements for t in layer.training.tensors if t.role == "parameter")
        forward = _pass(layer.forward, layer.forward_collectives, apart)
        backward = _pass(layer.backward, layer.backward_collectives, apart)
        update = replace(_pass(layer.update, (), apart), calls=1)  # the optimiser takes all parameters at once
        found[layer.name] = RunLayer(forward, backward, update, layer.memory, parameters, layer.sends_bytes)
    if shape.recompute == "selective":
        found["layer"] = _selective(found["layer"])
    if shape.sequence_parallel:
        found = {name: _shared(layer, shape.tensor) for name, layer in found.items()}
    return found


def _selective(layer: RunLayer) -> RunLayer:
    core = tuple(kernel for kernel in layer.forward.kernels if kernel.part == "core")
    own = replace(layer.backward, kernels=(*core, *layer.backward.kernels), calls=layer.backward.calls + len(core))
    return replace(layer, backward=own)


def _shared(layer: RunLayer, tensor: int) -> RunLayer:
    """Norms, dropout and residuals on 1/tensor of the tokens."""
    phases = {}
    for name in ("forward", "backward"):
        own = getattr(layer, name)
        collectives = []
        for c in own.collectives:
            gathers = 2 if name == "backward" else 1
            collectives += [replace(c, kind="all-gather")] * gathers + [replace(c, kind="reduce-scatter")]
        shared = tuple(_divided(kernel, tensor) for kernel in own.kernels)
        phases[name] = replace(own, kernels=shared, collectives=tuple(collectives))
    return replace(layer, **phases, sends_bytes=layer.sends_bytes // tensor)


def _divided(kernel: Kernel, tensor: int) -> Kernel:
    work = kernel.work
    kinds = {part.kind.removesuffix("-backward") for part in work.vector}
    if kernel.part != "vector" or not kinds <= {"layer-norm", "dropout", "add", "accumulate"}:
        return kernel
    vector = tuple(replace(part, elements=max(1, part.elements // tensor)) for part in work.vector)
    shared = replace(work, vector=vector, bytes_in=work.bytes_in // tensor, bytes_out=work.bytes_out // tensor)
    return replace(kernel, work=shared)


def _pass(graph: OperatorGraph, collectives: tuple[Collective, ...], apart: bool) -> Pass:
    return Pass(kernels(library_kernels(graph), apart=apart), calls(graph) + len(collectives), collectives)
