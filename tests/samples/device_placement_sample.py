"""Small random device placements."""

from __future__ import annotations

import random
from typing import Any

from accmine.problems.device_placement import Edge, Layer, Option, Pipelining, Problem
from accmine.system import Cluster, Level
from accmine.workload.shard import Collective

__all__ = ["random_placement"]


def _option(draw: random.Random, tensor: int, recompute: str) -> Option:
    exchanged = (Collective("all-reduce", draw.randint(1, 40)),) if tensor > 1 and draw.random() < 0.5 else ()
    backward = draw.randint(1, 40)
    return Option(
        tensor,
        recompute,
        forward_s=draw.randint(1, 30) / tensor,
        backward_s=float(backward),
        update_s=float(draw.choice([0, draw.randint(0, 60)])),
        weight_s=float(draw.randint(0, backward)),
        forward_collectives=exchanged,
        backward_collectives=exchanged,
        weight_bytes=draw.randint(0, 20),
        gradient_bytes=draw.randint(0, 20),
        optimizer_bytes=draw.randint(0, 40),
        stash_bytes=draw.randint(0, 20) if recompute == "none" else 1,
        working_bytes=draw.randint(0, 10),
    )


def random_placement(seed: int, *, chain: bool = True, layers: int = 5, **changes: Any) -> Problem:
    """A problem whose placements can all be looked at."""
    draw = random.Random(seed)
    count = draw.randint(1, layers)
    degrees = [1, 2] if draw.random() < 0.6 else [1]
    kinds = [(t, r) for t in degrees for r in (["none", "full"] if draw.random() < 0.4 else ["none"])]
    rows = tuple(Layer(f"l{i}", tuple(_option(draw, t, r) for t, r in kinds)) for i in range(count))
    edges = {(i, i + 1): draw.randint(0, 30) for i in range(count - 1)} if chain else {}
    for target in range(1, count):
        sources = [s for s in range(target) if draw.random() < (0.2 if chain else 0.5)]
        for source in sources or ([] if chain else [draw.randrange(target)]):
            edges[source, target] = draw.randint(0, 30)
    nodes = Level("node", 2, 8.0, 1.0), Level("all", None, 3.0, 2.0)
    values: dict[str, Any] = {
        "layers": rows,
        "edges": tuple(Edge(s, t, size) for (s, t), size in edges.items()),
        "devices": draw.choice([1, 2, 4, 6]) * max(degrees),
        "microbatches": draw.randint(1, 6),
        "memory_bytes": draw.randint(60, 400),
        "cluster": Cluster("two levels", nodes) if draw.random() < 0.7 else Cluster("one level", nodes[1:]),
        "pipelinings": (Pipelining(draw.choice(["gpipe", "1f1b", "zb-h1", "zb-h2"])),),
        "orders": draw.choice(
            [(("tensor", "data", "pipeline"),), (("tensor", "data", "pipeline"), ("tensor", "pipeline", "data"))]
        ),
        "zero": draw.choice([(0,), (1,), (0, 1), (0, 3)]),
        "uniform": draw.random() < 0.6,
        "gradient_overlap": draw.choice([0.0, 0.0, 0.5]),
    }
    return Problem(**(values | changes))
