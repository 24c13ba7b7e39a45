"""Stage-selection benchmarks: K1, seconds of the declared models over ours; K2, gap after a time limit.

K1: objective ``bottleneck``, aggregate ``worst``, all answers proven. Best MIP: the faster of HiGHS and CP-SAT on the
declared models, one worker, ``--limit`` seconds each without building the model; a run without a proof counts as the
limit, so its ratio is a lower limit (``>=``), and is not repeated. K2: objective ``throughput``, aggregate ``mean``,
``--seconds`` of wall-clock time; where CPU time is much less, the machine was busy with other work. The data are
converted to integers anew in every run and for every solver; the time of that counts.

Instances: W pipelines of S stages, k random designs per stage, m = 4·S microbatches, 1F1B; area 60 to 700 mm², TDP
0.35 to 0.75 W/mm², speed rising with area^0.5·TDP^0.35, 20 % noise; limits at 5 % (tight) or 35 % (loose) of the way
from the cheapest to the dearest choice. Run ``python benchmarks/selection.py`` (about seven minutes on two cores), or
``--only k1`` or ``k2``; ``--quick`` leaves out the large ones.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from dataclasses import dataclass
from statistics import median

from accmine.ports import Stop
from accmine.problems.stage_selection import Candidate, Limits, Pipeline, Problem, Stage
from accmine.problems.stage_selection.integers import integers
from accmine.result import Result, Status
from accmine.solving import solve

__all__ = ["K1", "K2", "Instance", "problem"]


@dataclass(frozen=True)
class Instance:
    """Pipelines, stages of each, designs per stage, and where the limits lie between cheapest and dearest."""

    pipelines: int
    stages: int
    designs: int
    tightness: float = 0.05
    schedule: str = "1f1b"

    @property
    def binaries(self) -> int:
        """Designs of all stages together."""
        return self.pipelines * self.stages * self.designs

    def __str__(self) -> str:
        size = f"{self.pipelines} x {self.stages} x {self.designs}"
        return f"{size:<14} {self.schedule:<5} {'tight' if self.tightness < 0.1 else 'loose'}"


K1 = (
    Instance(1, 64, 16),
    Instance(4, 16, 50),
    Instance(4, 16, 50, 0.35),
    Instance(16, 16, 20),
    Instance(16, 16, 20, 0.35),
    Instance(1, 64, 200),
    Instance(16, 64, 25),
    Instance(16, 64, 50),
    Instance(16, 64, 50, 0.35),
)
K2 = (
    Instance(16, 16, 20),
    Instance(16, 16, 20, schedule="gpipe"),
    Instance(1, 64, 200),
    Instance(4, 64, 100),
    Instance(16, 64, 50),
    Instance(16, 64, 50, 0.35),
    Instance(16, 64, 200),
)


def problem(instance: Instance, objective: str, aggregate: str, seed: int = 1) -> Problem:
    """The random selection of an instance; the same for the same seed."""
    rng = random.Random(f"{instance.pipelines} {instance.stages} {instance.designs} {seed}")
    pipelines = []
    least, most = [0.0, 0.0], [0.0, 0.0]
    for w in range(instance.pipelines):
        stages = []
        for s in range(instance.stages):
            work = rng.uniform(0.5, 1.5)
            candidates = []
            for c in range(instance.designs):
                area = rng.uniform(60, 700)
                tdp = area * rng.uniform(0.35, 0.75)
                forward = work / (area**0.5 * tdp**0.35 * rng.uniform(0.8, 1.2))
                backward = forward * rng.uniform(1.8, 2.2)
                candidates.append(Candidate(f"d{w}.{s}.{c}", forward, backward, 0.3 * forward, area, tdp))
            stages.append(Stage(f"s{s}", tuple(candidates)))
            for i, costs in enumerate(([c.area_mm2 for c in candidates], [c.tdp_w for c in candidates])):
                least[i] += min(costs)
                most[i] += max(costs)
        links = ((2e-4, 2e-4),) * (instance.stages - 1)
        microbatches = 4 * instance.stages
        reference_s = rng.uniform(2, 4)
        pipelines.append(
            Pipeline(f"p{w}", tuple(stages), microbatches, instance.schedule, links, reference_s=reference_s)
        )
    area, tdp = (low + instance.tightness * (high - low) for low, high in zip(least, most, strict=True))
    return Problem(tuple(pipelines), Limits(area, tdp), objective=objective, aggregate=aggregate)


def timed(given: Problem, solver: str, seconds: float) -> tuple[float, Result[object]]:
    """(wall-clock seconds from the decimal data to the checked answer, the answer)."""
    integers.cache_clear()
    begin = time.perf_counter()
    result = solve(given, solver, stop=Stop(seconds=seconds))
    return time.perf_counter() - begin, result


def repeated(given: Problem, solver: str, seconds: float, repeats: int) -> tuple[float, Result[object], bool]:
    """(median seconds, last answer, whether every run proved it); a run without a proof is not repeated."""
    times = []
    for _ in range(repeats):
        spent, result = timed(given, solver, seconds)
        times.append(spent)
        if result.status is not Status.OPTIMAL:
            return max(seconds, spent), result, False
    return median(times), result, True


def k1(instances: list[Instance], repeats: int, limit: float) -> None:
    """Print the table of K1."""
    print(f"K1: bottleneck, worst; medians of {repeats}, MIP limit {limit:g} s")
    print(f"{'instance':<27}{'binaries':>9}{'ours s':>9}{'proven':>8}{'HiGHS s':>10}{'CP-SAT s':>10}{'ratio':>10}")
    ratios = []
    for instance in instances:
        given = problem(instance, "bottleneck", "worst")
        ours, answer, proven = repeated(given, "auto", limit, repeats)
        cells = []
        peers = []
        for name in ("highs", "cp-sat"):
            spent, other, closed = repeated(given, name, limit, repeats)
            if closed and proven and other.objective != answer.objective:
                raise SystemExit(f"{instance}: {name} proves {other.objective}, auto {answer.objective}")
            peers.append((spent if closed else limit, closed))
            cells.append(f"{spent:.2f}" if closed else f">={limit:g}")
        best, closed = min(peers, key=lambda p: (p[0], not p[1]))
        ratio = best / ours if proven else math.nan
        ratios.append(ratio)
        shown = f"{'' if closed else '>='}{ratio:.1f}"
        row = f"{instance!s:<27}{instance.binaries:>9}{ours:>9.3f}{'yes' if proven else 'no':>8}"
        print(f"{row}{cells[0]:>10}{cells[1]:>10}{shown:>10}", flush=True)
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    print(f"geometric mean of the ratios (time-outs count as the limit): {mean:.1f}; target 10\n")


def k2(instances: list[Instance], repeats: int, seconds: float) -> None:
    """Print the table of K2."""
    print(f"K2: throughput, mean; {seconds:g} s; medians of {repeats}")
    print(f"{'instance':<27}{'binaries':>9}{'value':>12}{'bound':>12}{'gap %':>8}{'wall s':>8}{'cpu s':>8}")
    for instance in instances:
        given = problem(instance, "throughput", "mean")
        runs = []
        for _ in range(repeats):
            before = time.process_time()
            wall, result = timed(given, "auto", seconds)
            runs.append((wall, time.process_time() - before, result))
        runs.sort(key=lambda run: run[2].gap or 0.0)
        spent, cpu, answer = runs[len(runs) // 2]
        gap = 100 * (1.0 if answer.gap is None else answer.gap)
        row = f"{instance!s:<27}{instance.binaries:>9}{answer.objective:>12.6g}{answer.bound:>12.6g}"
        print(f"{row}{gap:>8.3f}{spent:>8.1f}{cpu:>8.1f}", flush=True)
    print("target: gap at most 0.5 %")


def main(arguments: list[str] | None = None) -> None:
    """Run both benchmarks, or one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("k1", "k2"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=float, default=10.0, help="seconds of a MIP in K1")
    parser.add_argument("--seconds", type=float, default=10.0, help="seconds of K2")
    parser.add_argument("--quick", action="store_true", help="instances below 10,000 binaries only")
    chosen = parser.parse_args(arguments)

    def some(instances: tuple[Instance, ...]) -> list[Instance]:
        return [i for i in instances if not chosen.quick or i.binaries < 10_000]

    if chosen.only != "k2":
        k1(some(K1), chosen.repeats, chosen.limit)
    if chosen.only != "k1":
        k2(some(K2), chosen.repeats, chosen.seconds)


if __name__ == "__main__":
    main(sys.argv[1:])
