"""Kernels of a library: what runs as one, what runs apart, and that no work is lost."""

from __future__ import annotations

from accmine.cost.corrections import family
from accmine.questions.accuracy.training.kernels import Kernel, calls, kernels, library_kernels
from accmine.questions.accuracy.training.layers import Shape, run_layers
from accmine.workload import DtypePolicy, ModelDescription, OperatorGraph, TransformerConfig
from accmine.workload.layer_classes import layer_classes
from accmine.workload.shard import LayerClass

TOKENS, WIDTH, HEADS, VOCABULARY = 2 * 128, 256, 4, 1024


def classes(recompute: str = "none") -> dict[str, LayerClass]:
    config = TransformerConfig(family="gpt2", layers=1, width=WIDTH, heads=HEADS, vocabulary=VOCABULARY, positions=128)
    model = ModelDescription("m", "gpt2", config, sequence=128, image=None)
    policy = DtypePolicy(compute="fp16", gradient="fp32", master="fp32", state="fp32")
    found = layer_classes(model, microbatch=2, recompute=recompute, policy=policy, fusion="none", split="none")
    return {layer.name: layer for layer in found}


def kinds(own: tuple[Kernel, ...]) -> list[tuple[str, ...]]:
    return [tuple(part.kind for part in kernel.work.vector) for kernel in own if kernel.work.gemm is None]


def test_scale_mask_and_softmax_are_one_kernel_and_so_are_dropout_and_residual() -> None:
    own = kernels(library_kernels(classes()["layer"].forward))
    assert ("scale", "mask", "softmax") in kinds(own)
    assert kinds(own).count(("dropout", "add")) == 2
    assert ("dropout",) in kinds(own)  # that of the probabilities


def test_a_fused_softmax_reads_and_writes_its_scores_once_and_has_the_constants_of_a_softmax() -> None:
    own = kernels(library_kernels(classes()["layer"].forward))
    (softmax,) = [kernel for kernel in own if ("softmax" in {part.kind for part in kernel.work.vector})]
    scores = 2 * HEADS * 128 * 128
    assert softmax.work.bytes_out == 2 * scores
    assert softmax.work.bytes_in == 2 * scores + 128 * 128  # and the causal mask
    assert family(softmax.work) == "softmax"


def test_recomputed_dropouts_join_their_residuals_though_their_masks_are_read_again() -> None:
    own = kernels(library_kernels(classes("full")["layer"].backward))
    assert kinds(own).count(("dropout", "add")) == 2


def macs(graph: OperatorGraph) -> int:
    return sum(operator.work.macs for operator in graph.operators)


def test_no_product_is_lost() -> None:
    for layer in classes("full").values():
        for graph in (layer.forward, layer.backward):
            assert sum(kernel.work.macs for kernel in kernels(library_kernels(graph))) == macs(graph)


def test_gradients_are_written_in_the_type_of_the_product_and_added_apart() -> None:
    graph = classes()["layer"].backward
    together, apart = kernels(graph, apart=False), kernels(graph, apart=True)
    added = [kernel for kernel in apart if kernel.part == "accumulate"]
    weights = 12 * WIDTH * WIDTH
    assert sum(kernel.work.vector[0].elements for kernel in added) == weights
    # Inside: the running sum read and written in fp32. Apart: fp16 written and read beside.
    assert len(apart) == len(together) + len(added)
    moved = [sum(k.work.bytes_in + k.work.bytes_out for k in own) for own in (together, apart)]
    assert moved[1] - moved[0] == (2 + 2) * weights


def test_the_loss_passes_over_all_logits_eight_times() -> None:
    head = classes()["head"]
    passes = [k for graph in (head.forward, head.backward) for k in kernels(graph) if kinds((k,)) == [("scale",)]]
    moved = sum(kernel.work.bytes_in + kernel.work.bytes_out for kernel in passes)
    assert (len(passes), moved) == (8, 52 * TOKENS * VOCABULARY)
    plain = kernels(head.forward, loss=False)
    assert ("cross-entropy",) in kinds(plain)


def test_every_operator_and_every_parameter_gradient_is_a_call() -> None:
    layer = classes()["layer"]
    assert calls(layer.forward) == len(layer.forward)
    assert calls(layer.backward) == len(layer.backward) + 12  # weight and bias of 4 products and 2 norms


def test_parts() -> None:
    layer = run_layers(Shape(WIDTH, HEADS, 128, VOCABULARY, 2, 1, "none", False, "fp32"))["layer"]
    parts = [kernel.part for kernel in layer.forward.kernels]
    assert parts.count("product") == 4
    assert parts.count("core") == 4  # scores, softmax, its dropout, values
    assert {kernel.part for kernel in layer.update.kernels} == {"update"}
