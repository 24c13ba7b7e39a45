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
        shard=Shard(shape.tensor, shape.sequence_parallel),
        recompute=shape.recompute,
        policy=DtypePolicy(compute="fp16", gradient=shape.gradients, master="fp32", state="fp32"),
        fusion="none",
        split="none",
    ):
        parameters = sum(t.elements for t in layer.training.tensors if t.role == "parameter")
        forward = _pass(layer.forward, layer.forward_collectives, apart)
        backward = _pass(layer.backward, layer.backward_collectives, apart)
        update = replace(_pass(layer.update, (), apart), calls=1)  # the optimiser takes all parameters at once
        found[layer.name] = RunLayer(forward, backward, update, layer.memory, parameters, layer.sends_bytes)
    return found


def _pass(graph: OperatorGraph, collectives: tuple[Collective, ...], apart: bool) -> Pass:
    return Pass(kernels(library_kernels(graph), apart=apart), calls(graph) + len(collectives), collectives)
