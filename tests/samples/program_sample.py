"""Small random pipelines for the programs of the Lagrangian, with the value of every choice."""

from __future__ import annotations

from itertools import product

import numpy as np

from accmine.solvers.stage_selection.one_forward_one_backward import OneForwardOneBackwardProgram
from accmine.solvers.stage_selection.pipeline_programs import (
    BottleneckProgram,
    GPipeProgram,
    Prices,
    Program,
    SlotProgram,
    StageOptions,
)
from accmine.system import step_time

KINDS = ("gpipe", "1f1b", "bottleneck", "slot")


class Case:
    """A random pipeline with its program and the value of every choice."""

    def __init__(self, kind: str, seed: int) -> None:
        random = np.random.default_rng([KINDS.index(kind), seed])
        self.kind = kind
        count = 1 if kind == "slot" else int(random.integers(1, 5))
        self.width, self.microbatches = int(random.integers(1, 5)), int(random.integers(1, 10))
        self.most = int(random.choice([20, 3000]))
        self.stages = [self._options(random) for _ in range(count)]
        links = random.integers(0, max(2, self.most // 5), (count - 1, 2)).tolist()
        self.links = [(there, back) for there, back in links]
        self.prices = Prices(float(random.uniform(0, 3)), float(random.uniform(0, 3)))
        self.choices = list(product(range(self.width), repeat=count))
        self.values = {choice: self.value(choice) for choice in self.choices}
        self.least = min(self.values.values())

    def _options(self, random: np.random.Generator) -> StageOptions:
        f, b, u, area, tdp = (random.integers(0, self.most, self.width) for _ in range(5))
        if self.kind == "slot":
            b, u = np.zeros_like(b), np.zeros_like(u)
        order = np.argsort(f + b, kind="stable")
        return StageOptions(np.arange(self.width), f + b, f, b, u, area, tdp, tdp).take(order)

    def program(self) -> Program:
        if self.kind == "slot":
            return SlotProgram(self.stages)
        if self.kind == "bottleneck":
            link = max((t for pair in self.links for t in pair), default=0)
            return BottleneckProgram(self.stages, self.microbatches, link)
        if self.kind == "gpipe":
            return GPipeProgram(self.stages, self.links, self.microbatches)
        return OneForwardOneBackwardProgram(self.stages, self.links, self.microbatches)

    def step(self, choice: tuple[int, ...]) -> int:
        """The exact step, by code that the programs do not share."""
        f, b, u, t = (
            [int(getattr(s, name)[o]) for s, o in zip(self.stages, choice, strict=True)]
            for name in ("forward", "backward", "update", "time")
        )
        if self.kind == "slot":
            return t[0]
        if self.kind == "bottleneck":
            slowest: int = max([*t, *(x for pair in self.links for x in pair)])
            return self.microbatches * slowest
        return int(step_time(self.kind, f, b, u, self.links, self.microbatches))

    def value(self, choice: tuple[int, ...]) -> float:
        costs = sum(float(s.cost(self.prices)[o]) for s, o in zip(self.stages, choice, strict=True))
        return self.step(choice) + costs
