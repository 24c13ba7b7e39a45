"""Design and placement together: certified gaps on a fixed design, or over a template, for some models and devices.

For each row: the step that was found and verified, the bound of everything in the scope (tensor degrees 1 to 8,
microbatches 1 to 4, recompute none and full, every number of stages and replicas, every cut), the gap and its parts,
For each row: the step that was found and verified, the bound of everything in the scope (tensor degrees 1 to 8,
much is proven in the time does.

    python benchmarks/joint_search.py [--models gpt-3-175b,bert-large] [--devices 64,1024] [--seconds 30] [--space]
"""

from __future__ import annotations

import argparse
import sys
from math import ceil

from accmine.cost import CostLibrary, splits_for
from accmine.hardware import Template, template_of
from accmine.hardware.accelerators import load_accelerator, read_accelerator
from accmine.hardware.technology import area_mm2, load_technology, tdp_w
from accmine.hardware.template import template_from_mapping
from accmine.ports import Stop
from accmine.problems.design_placement import Problem, Proof, Solution, Variant
from accmine.result import Result
from accmine.solving import solve
from accmine.system import load_cluster
from accmine.workload import load_model
from accmine.workload.layer_classes import layer_classes
from accmine.workload.shard import Shard

BASELINE = load_accelerator("tpuv4-like")
TECHNOLOGY = load_technology("accelerator-7nm")

MODELS = {"gpt-3-175b": 1536, "llama-2-7b": 1024, "bert-large": 4096, "llama-3-70b": 1024, "mixtral-8x7b": 1024}
"""Samples of a step."""

SPACE = {
    "use": "wham",
    "tensor_cores": [1, 2, 4, 8, 16],
    "vector_cores": [1, 2, 4, 8, 16],
    "tensor_dim": [64, 128, 256],
    "hbm_stacks": "2..6",
    "hbm_stack": "16 GiB",
    "hbm_stack_bandwidth": "408 GB/s",
    "frequency": "1050 MHz",
}


def variants(name: str) -> tuple[Variant, ...]:
    """Tensor degrees × microbatches × recompute kinds of a model."""
    model = load_model(name)
    return tuple(
        Variant(Shard(t), m, r, layer_classes(model, microbatch=m, shard=Shard(t), recompute=r))
        for t in (1, 2, 4, 8)
        for m in (1, 2, 4)
        for r in ("none", "full")
    )


def problem(name: str, devices: int, template: Template) -> Problem:
    """A model on so many devices within the limits of the baseline."""
    ways = variants(name)
    graphs = [graph for way in ways for c in way.classes for graph in (c.forward, c.backward, c.update)]
    counts = (*template.tensor_cores, *template.vector_cores)
    rule = "even" if template.size == 1 else "powers"
    return Problem(
        ways,
        MODELS[name],
        devices,
        load_cluster("fat-tree-1024"),
        template,
        TECHNOLOGY,
        CostLibrary(graphs, splits_for(counts, rule), "tpu-like", TECHNOLOGY),
        area_mm2=ceil(1000 * area_mm2(BASELINE, TECHNOLOGY)) / 1000,
        tdp_w=ceil(1000 * tdp_w(BASELINE, TECHNOLOGY)) / 1000,
        first=(BASELINE,),
    )


def row(name: str, devices: int, found: Result[Solution]) -> str:
    """One line of the table."""
    head = f"{name:14} {devices:5} {found.seconds:8.1f}"
    proof = next((p for p in found.pool if isinstance(p, Proof)), None)
    if proof is None or found.gap is None:
        return f"{head} {found.status.value}"
    rate = proof.pairs / proof.seconds_of_pairs if proof.seconds_of_pairs else 0.0
    parts = " ".join(f"{100 * part:7.2f}" for part in (proof.plan_part, proof.schedule_part, proof.design_part))
    return (
        f"{head} {proof.step_s:10.4f} {proof.bound_s:10.4f} {100 * found.gap:7.2f} {parts} "
        f"{proof.designs:8} {proof.plans:7} {proof.pairs:9} {rate:9.2g} {proof.chains:6} {proof.scheduled:5}"
    )


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--devices", default="64,256,1024")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--space", action="store_true", help="every design of a template instead of the baseline")
    options = parser.parse_args()
    template = template_of(BASELINE)
    if options.space:
        template = template_from_mapping(SPACE, where="accelerator", document=read_accelerator("wham"))
    print(
        "model          devs  seconds     step_s    bound_s   gap %  plan % sched. % design %  designs   plans", end=" "
    )
    print("    pairs   pairs/s chains sched.")
    for name in options.models.split(","):
        for devices in map(int, options.devices.split(",")):
            found = solve(problem(name, devices, template), stop=Stop(seconds=options.seconds))
            print(row(name, devices, found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
