"""Device placement again, from the documents alone: plain loops over floats, shared with neither rules nor solvers.

Only collectives of a group and messages between two ranks are taken from ``accmine.system``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from math import ceil, inf, prod

from accmine.problems.device_placement import Option, Problem, Solution, StagePlan
from accmine.system import Cluster
from accmine.system.collectives import collective_s
from accmine.workload.shard import Collective

__all__ = ["Oracle", "passes_of", "step_of"]

Pass = tuple[str, int, int]
"""F, B or W; stage; microbatch."""


def passes_of(name: str, devices: int, chunks: int, device: int, microbatches: int) -> list[Pass]:
    """What a device does, in turn."""
    m, s = microbatches, device
    if name == "gpipe":
        return [("F", s, k) for k in range(m)] + [("B", s, k) for k in range(m)]
    if name in ("zb-h1", "zb-h2"):
        times = 1 if name == "zb-h1" else 2
        warm, late = min(m, times * (devices - 1 - s)), times * s
        row: list[Pass] = [("F", s, k) for k in range(warm)]
        for k in range(m):
            row += [("F", s, warm + k)] if warm + k < m else []
            row += [("B", s, k)]
            row += [("W", s, k - late)] if k >= late else []
        return row + [("W", s, k) for k in range(max(0, m - late), m)]
    total = m * chunks
    warm = devices - 1 - s if chunks == 1 else 2 * (devices - 1 - s) + (chunks - 1) * devices
    warm = min(warm, total)

    def nth(kind: str, k: int) -> Pass:
        if chunks == 1:
            return kind, s, k
        group, inside = divmod(k, devices * chunks)
        chunk, place = divmod(inside, devices)
        chunk = chunk if kind == "F" else chunks - 1 - chunk
        return kind, chunk * devices + s, group * devices + place

    row = [nth("F", k) for k in range(warm)]
    for k in range(total):
        row += [nth("F", warm + k)] if warm + k < total else []
        row += [nth("B", k)]
    return row


def step_of(
    name: str,
    devices: int,
    chunks: int,
    microbatches: int,
    times: list[tuple[float, float, float]],
    sends: list[float],
    updates: list[float],
) -> float:
    """End of the last update: every event waits for its device, what it reads, and the link it is sent over.

    ``times`` are F, B, W of each stage (W only where it is a pass of its own), ``sends`` of each boundary,
    ``updates`` of each device.
    """
    stages = devices * chunks
    rows = [passes_of(name, devices, chunks, s, microbatches) for s in range(devices)]
    at, clock = [0] * devices, [0.0] * devices
    link = {(kind, s): 0.0 for kind in "FB" for s in range(devices)}
    end: dict[Pass, float] = {}
    come: dict[Pass, float] = {}  # when what a pass makes is there for the next stage
    moved = True
    while moved:
        moved = False
        for s in range(devices):
            while at[s] < len(rows[s]):
                kind, i, k = now = rows[s][at[s]]
                if kind == "F":
                    needs = [come.get(("F", i - 1, k))] if i else []
                elif kind == "B":
                    needs = [end.get(("F", i, k))] + ([come.get(("B", i + 1, k))] if i + 1 < stages else [])
                else:
                    needs = [end.get(("B", i, k))]
                if any(need is None for need in needs):
                    break
                length = times[i]["FBW".index(kind)]
                clock[s] = end[now] = max([clock[s], *(x for x in needs if x is not None)]) + length
                boundary = i if kind == "F" else i - 1
                if kind != "W" and 0 <= boundary < stages - 1:
                    begin = max(end[now], link[kind, s])
                    come[now] = link[kind, s] = begin + sends[boundary]
                at[s] += 1
                moved = True
    assert all(at[s] == len(rows[s]) for s in range(devices)), "the order of the schedule waits for itself"
    return max(clock[s] + updates[s] for s in range(devices))


class Oracle:
    """All placements of a problem, their steps and their memory."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._kept: dict[object, float] = {}

    def cluster(self, used: int) -> Cluster:
        """With ranks spaced as if every group were as wide as the widest, there may be more of them than devices."""
        cluster = self.problem.cluster
        wide = replace(cluster, levels=(*cluster.levels[:-1], replace(cluster.levels[-1], devices=None)))
        return cluster if used <= cluster.devices else wide

    def placements(self) -> Iterator[Solution]:
        """Every placement of allowed shape, whether or not it fits."""
        p, layers = self.problem, len(self.problem.layers)
        plans = sorted({(o.tensor, o.recompute) for layer in p.layers for o in layer.options})
        for pipe in p.pipelinings:
            for devices in p.pipeline or range(1, min(p.devices, layers) + 1):
                stages = devices * pipe.chunks
                if stages > layers:
                    continue
                for data in p.data or range(1, min(p.devices, p.microbatches) + 1):
                    own = ceil(p.microbatches / data)
                    if data % p.expert or (pipe.chunks > 1 and own % devices):
                        continue
                    for cut in self.cuts(stages):
                        for how in [(x,) * stages for x in plans] if p.uniform else product(plans, repeat=stages):
                            widths = [max(t for t, _ in how[d::devices]) for d in range(devices)]
                            if data * sum(widths) > p.devices:
                                continue
                            stagelist = tuple(StagePlan(c, *h) for c, h in zip(cut, how, strict=True))
                            if any(self.option(i, s) is None for s in stagelist for i in s.layers):
                                continue
                            for order, zero in product(p.orders, p.zero):
                                yield Solution(stagelist, data, order, pipe, zero)

    def cuts(self, stages: int) -> Iterator[tuple[tuple[int, ...], ...]]:
        """Stage numbers that never fall along an edge, none without a layer."""
        p = self.problem
        line = p.order_of_layers

        def below(done: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
            if len(done) == len(line):
                if len(set(done)) == stages:
                    yield done
                return
            place = dict(zip(line, done, strict=False))
            least = max((place[e.source] for e in p.edges if e.target == line[len(done)]), default=0)
            for k in range(least, stages):
                yield from below((*done, k))

        for done in below(()):
            yield tuple(tuple(sorted(x for x, k in zip(line, done, strict=True) if k == s)) for s in range(stages))

    def option(self, layer: int, stage: StagePlan) -> Option | None:
        """How a layer runs in a stage."""
        for o in self.problem.layers[layer].options:
            if (o.tensor, o.recompute) == (stage.tensor, stage.recompute):
                return o
        return None

    def options(self, stage: StagePlan) -> list[Option]:
        """How the layers of a stage run."""
        return [o for o in (self.option(i, stage) for i in stage.layers) if o is not None]

    def fits(self, s: Solution) -> bool:
        """Whether every device holds what it needs."""
        p, devices = self.problem, len(s.stages) // s.pipelining.chunks
        m = ceil(p.microbatches / s.data)
        shares = [s.data if s.zero >= first else 1 for first in (3, 2, 1)]
        expert_shares = [s.data // p.expert if s.zero >= first else 1 for first in (3, 2, 1)]
        for d in range(devices):
            mine = {i: self.options(s.stages[i]) for i in range(d, len(s.stages), devices)}
            states, working = 0, 0
            for o in [o for chunk in mine.values() for o in chunk]:
                whole = o.weight_bytes, o.gradient_bytes, o.optimizer_bytes
                experts = o.expert_weight_bytes, o.expert_gradient_bytes, o.expert_optimizer_bytes
                kept = [
                    ceil((w - e) / n) + ceil(e / x)
                    for w, e, n, x in zip(whole, experts, shares, expert_shares, strict=True)
                ]
                states += sum(kept)
                working = max(working, o.working_bytes + whole[0] - kept[0] + whole[1] - kept[1])
            stash = most = 0
            row = passes_of(s.pipelining.schedule, devices, s.pipelining.chunks, d, m)
            last = "W" if any(kind == "W" for kind, _, _ in row) else "B"
            for kind, i, _ in row:
                size = sum(o.stash_bytes for o in mine[i])
                stash += size if kind == "F" else -size if kind == last else 0
                most = max(most, stash)
            if states + working + most > p.memory_bytes:
                return False
        return True

    def step_s(self, s: Solution) -> float:
        """Seconds of the step, nothing rounded."""
        p, devices, chunks = self.problem, len(s.stages) // s.pipelining.chunks, s.pipelining.chunks
        wide = s.stages[0].tensor if p.uniform else max(o.tensor for la in p.layers for o in la.options)
        sizes = {"tensor": wide, "data": s.data, "pipeline": devices}
        stride = {g: prod(sizes[x] for x in s.order[: s.order.index(g)]) for g in sizes}
        used = prod(sizes.values())
        m = ceil(p.microbatches / s.data)
        split = s.pipelining.schedule.startswith("zb")
        times, updates = [], [0.0] * devices
        for i, stage in enumerate(s.stages):
            f = b = w = 0.0
            for o in self.options(stage):
                f += o.forward_s + self._exchanged(o, o.forward_collectives, stride, used)
                back = o.backward_s + self._exchanged(o, o.backward_collectives, stride, used)
                b, w = b + back - (o.weight_s if split else 0), w + (o.weight_s if split else 0)
                updates[i % devices] += self._update(o, s, stride, used, m)
            times.append((f, b, w))
        sends = [self._sent(s, i, sizes, stride, used) for i in range(len(s.stages) - 1)]
        return step_of(s.pipelining.schedule, devices, chunks, m, times, sends, updates)

    def _exchanged(self, o: Option, own: tuple[Collective, ...], stride: dict[str, int], used: int) -> float:
        total = 0.0
        for c in own:
            ranks, apart = (
                (o.tensor, stride["tensor"]) if c.group == "tensor" else (self.problem.expert, stride["data"])
            )
            total += self._collective(c.kind, c.message_bytes, ranks, apart, used)
        return total

    def _collective(self, kind: str, size: int, ranks: int, apart: int, used: int) -> float:
        if ranks == 1 or not size:
            return 0.0
        key = kind, size, ranks, apart, used
        if key not in self._kept:
            one = Collective(kind, size)  # type: ignore[arg-type]
            self._kept[key] = collective_s(self.cluster(used), one, ranks, apart, devices=used)
        return self._kept[key]

    def _update(self, o: Option, s: Solution, stride: dict[str, int], used: int, m: int) -> float:
        p, total, seen = self.problem, o.update_s, 1 - self.problem.gradient_overlap
        if s.zero and o.optimizer_bytes:
            dense, experts = o.optimizer_bytes - o.expert_optimizer_bytes, o.expert_optimizer_bytes
            total *= (ceil(dense / s.data) + ceil(experts / (s.data // p.expert))) / o.optimizer_bytes
        for ranks, apart, gradients, weights in (
            (
                s.data,
                stride["data"],
                o.gradient_bytes - o.expert_gradient_bytes,
                o.weight_bytes - o.expert_weight_bytes,
            ),
            (s.data // p.expert, stride["data"] * p.expert, o.expert_gradient_bytes, o.expert_weight_bytes),
        ):

            def takes(kind: str, size: int, ranks: int = ranks, apart: int = apart) -> float:
                return self._collective(kind, size, ranks, apart, used)

            if s.zero == 0:
                total += seen * takes("all-reduce", gradients)
            else:
                total += seen * (m if s.zero > 1 else 1) * takes("reduce-scatter", gradients)
                total += (2 * m if s.zero == 3 else 1) * takes("all-gather", weights)
        return total

    def _sent(self, s: Solution, boundary: int, sizes: dict[str, int], stride: dict[str, int], used: int) -> float:
        p = self.problem
        place = {layer: i for i, stage in enumerate(s.stages) for layer in stage.layers}
        most: dict[int, int] = {}
        for e in p.edges:
            if place[e.source] <= boundary < place[e.target]:
                most[e.source] = max(most.get(e.source, 0), e.bytes_at(s.stages[0].tensor))
        size, here = sum(most.values()), boundary % sizes["pipeline"]
        there = (boundary + 1) % sizes["pipeline"]
        key = size, tuple(sizes.values()), tuple(stride.values()), here, used
        if key not in self._kept:
            self._kept[key] = max(
                self.cluster(used).transfer_s(size, base + here * stride["pipeline"], base + there * stride["pipeline"])
                for t, d in product(range(sizes["tensor"]), range(sizes["data"]))
                for base in [t * stride["tensor"] + d * stride["data"]]
            )
        return self._kept[key]

    def best(self) -> tuple[float, Solution | None]:
        """The least step of what fits; infinity and nothing if nothing does."""
        found: tuple[float, Solution | None] = inf, None
        for s in self.placements():
            if self.fits(s):
                step = self.step_s(s)
                if step < found[0]:
                    found = step, s
        return found
