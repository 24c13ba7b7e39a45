"""The kernels of embeddings, a layer and the head on one device of a tensor group."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from accmine.questions.accuracy.training.kernels import Kernel, kernels, library_kernels
from accmine.questions.accuracy.training.runs import Run
from accmine.workload import DtypePolicy, ModelDescription, TransformerConfig, forward_graph, training_graph

__all__ = ["PHASES", "Shape", "layer_kernels", "shape_of"]

PHASES = ("forward", "backward", "update")
LAYERS = ("embeddings", "layer0", "head")


@dataclass(frozen=True, slots=True)
class Shape:
    """What the kernels of a layer depend on."""

    width: int
    heads: int
    sequence: int
    vocabulary: int
    microbatch: int
    tensor: int
    recompute: str
    sequence_parallel: bool


def shape_of(run: Run) -> Shape:
    """The shape of a run's layers."""
    return Shape(*(getattr(run, name) for name in Shape.__dataclass_fields__))


@lru_cache(maxsize=4096)
def layer_kernels(shape: Shape, apart: bool = True) -> dict[tuple[str, str], tuple[Kernel, ...]]:
    """(layer, phase) -> its kernels, of a shard of 1/tensor of heads, MLP and vocabulary."""
    t = shape.tensor
    config = TransformerConfig(
        family="gpt2",
        layers=1,
        width=shape.width,
        heads=shape.heads // t,
        head_width=shape.width // shape.heads,
        mlp_width=4 * shape.width // t,
        vocabulary=-(-shape.vocabulary // t),
        positions=shape.sequence,
    )
    model = ModelDescription("gpt", "gpt2", config, sequence=shape.sequence, image=None)
    forward = forward_graph(model, batch=shape.microbatch, split="none", dtype="fp16")
    policy = DtypePolicy(compute="fp16", gradient="fp32", master="fp32", state="fp32")
    again = "full" if shape.recompute == "full" else "none"
    graph = library_kernels(training_graph(forward, recompute=again, policy=policy))
    found = {}
    for index, layer in enumerate(graph.layers):
        for phase in PHASES:
            keep = [i for i, o in enumerate(graph.operators) if (o.layer, o.phase) == (index, phase)]
            found[layer, phase] = kernels(graph.select(keep), apart=apart)
    if shape.recompute == "selective":
        core = tuple(kernel for kernel in found["layer0", "forward"] if kernel.part == "core")
        found["layer0", "backward"] = (*core, *found["layer0", "backward"])
    if shape.sequence_parallel:
        found = {key: tuple(_shared(kernel, t) for kernel in value) for key, value in found.items()}
    return found


def _shared(kernel: Kernel, tensor: int) -> Kernel:
    """A kernel of norms, dropout and residuals on 1/tensor of the tokens."""
    work = kernel.work
    kinds = {part.kind.removesuffix("-backward") for part in work.vector}
    if kernel.part != "vector" or not kinds <= {"layer-norm", "dropout", "add", "accumulate"}:
        return kernel
    vector = tuple(replace(part, elements=max(1, part.elements // tensor)) for part in work.vector)
    shared = replace(work, vector=vector, bytes_in=work.bytes_in // tensor, bytes_out=work.bytes_out // tensor)
    return replace(kernel, work=shared)
