"""Tiny operator schedules and windows as JSON, judged by their text alone: none of the product's code takes part."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

Raw = dict[str, Any]


def random_schedule(rng: random.Random, most: int = 5) -> Raw:
    """Up to ``most`` operations; many modes last no time, and some ask for more than there is."""
    capacity = {"t": rng.randint(0, 3), "v": rng.randint(1, 2), "hbm": rng.randint(2, 6)}
    names = rng.sample(list(capacity), rng.randint(1, 3))

    def mode() -> Raw:
        duration = rng.choice([0, 0, 1, 2, 3, 5])
        over = rng.random() < (0.5 if duration == 0 else 0.08)
        uses = {r: rng.randint(0, capacity[r]) for r in names if rng.random() < 0.8}
        if over:
            name = rng.choice(names)
            uses[name] = capacity[name] + rng.randint(1, 4)
        return {"duration": duration, "uses": uses}

    operations = []
    for i in range(rng.randint(1, most)):
        after = [f"o{j}" for j in rng.sample(range(i), min(i, rng.choice([0, 0, 1, 2])))]
        modes = [mode() for _ in range(rng.choice([1, 1, 2, 3]))]
        own = modes[0] if len(modes) == 1 and rng.random() < 0.5 else {"modes": modes}
        operations.append({"name": f"o{i}", **own, "after": after})
    return {"kind": "operator-schedule", "resources": {r: capacity[r] for r in names}, "operations": operations}


def modes_of(operation: Raw) -> list[Raw]:
    """The modes of an operation, one or many."""
    listed: list[Raw] = operation.get("modes") or [{key: operation[key] for key in ("duration", "uses")}]
    return listed


def possible(raw: Raw, mode: Raw) -> bool:
    """Whether a mode can run at all: what lasts no time holds nothing."""
    return mode["duration"] == 0 or all(a <= raw["resources"][r] for r, a in mode["uses"].items())


def is_valid(raw: Raw, start: dict[str, int], mode: dict[str, int]) -> bool:
    """Whether a complete schedule keeps every rule, from the definition: time unit by time unit."""
    end: dict[str, int] = {}
    held: dict[tuple[int, str], int] = {}
    for o in raw["operations"]:
        chosen = modes_of(o)[mode[o["name"]]]
        end[o["name"]] = start[o["name"]] + chosen["duration"]
        for at in range(start[o["name"]], end[o["name"]]):
            for r, amount in chosen["uses"].items():
                held[at, r] = held.get((at, r), 0) + amount
    ordered = all(start[o["name"]] >= end[before] for o in raw["operations"] for before in o.get("after", []))
    return ordered and min(start.values()) >= 0 and all(a <= raw["resources"][r] for (_, r), a in held.items())


def optimum(raw: Raw) -> tuple[int, dict[str, int], dict[str, int]] | None:
    """(least makespan, starts, modes) by all orders and all modes, each operation as early as it fits.

    ``None`` if some operation has no mode that can run: exactly then there is no schedule.
    """
    operations = raw["operations"]
    choices = [[k for k, m in enumerate(modes_of(o)) if possible(raw, m)] for o in operations]
    if not all(choices):
        return None
    best: tuple[int, dict[str, int], dict[str, int]] | None = None
    for picked in itertools.product(*choices):
        mode = {o["name"]: k for o, k in zip(operations, picked, strict=True)}
        for start, end in _serial(raw, [modes_of(o)[k] for o, k in zip(operations, picked, strict=True)]):
            if best is None or end < best[0]:
                best = end, start, mode
    return best


def _serial(raw: Raw, chosen: list[Raw]) -> Iterator[tuple[dict[str, int], int]]:
    operations = raw["operations"]
    for line in itertools.permutations(range(len(operations))):
        end: dict[str, int] = {}
        start: dict[str, int] = {}
        held: dict[tuple[int, str], int] = {}
        for v in line:
            name, before, mode = operations[v]["name"], operations[v].get("after", []), chosen[v]
            if any(u not in end for u in before):
                break
            at = max((end[u] for u in before), default=0)
            while any(
                held.get((t, r), 0) + amount > raw["resources"][r]
                for t in range(at, at + mode["duration"])
                for r, amount in mode["uses"].items()
            ):
                at += 1
            start[name], end[name] = at, at + mode["duration"]
            for t in range(at, end[name]):
                for r, amount in mode["uses"].items():
                    held[t, r] = held.get((t, r), 0) + amount
        else:
            yield start, max(end.values(), default=0)


def random_window(rng: random.Random) -> Raw:
    """A window around a valid schedule: some operations free, some fixed, some moving; gain 0 is always possible."""
    while True:
        raw = random_schedule(rng, 4)
        found = optimum(raw)
        if found is not None:
            break
    _, start, mode = found
    shift = rng.randint(0, 3)  # room before everything
    window: Raw = {"kind": "schedule-window", "most_gain": rng.randint(1, 6), "free": {}, "fixed": {}, "moving": {}}
    operations = []
    for o in raw["operations"]:
        at, own = start[o["name"]] + shift, modes_of(o)
        role = rng.choice(["free", "free", "fixed", "moving"])
        if role == "free":
            end = at + own[mode[o["name"]]]["duration"]
            window["free"][o["name"]] = {"earliest": rng.randint(0, at), "due": end + rng.randint(0, 2)}
        else:
            window[role][o["name"]] = at
            own = [own[mode[o["name"]]]]
        operations.append({"name": o["name"], "modes": own, "after": o.get("after", [])})
    window["schedule"] = {"resources": raw["resources"], "operations": operations}
    return window


def most_gain(window: Raw) -> int | None:
    """The largest gain of a window by all starts and modes of what is free; ``None``: not even a gain of 0."""
    operations = window["schedule"]["operations"]
    top = min([window["most_gain"], *window["moving"].values()])
    for gain in range(top, -1, -1):
        choices = []
        for o in operations:
            own = window["free"].get(o["name"])
            if own is None:
                at = window["fixed"].get(o["name"], window["moving"].get(o["name"], 0) - gain)
                choices.append([(at, 0)])
                continue
            choices.append(
                [
                    (at, k)
                    for k, m in enumerate(o["modes"])
                    for at in range(own["earliest"], own["due"] - gain - m["duration"] + 1)
                ]
            )
        for picked in itertools.product(*choices):
            rows = list(zip(operations, picked, strict=True))
            start, mode = ({o["name"]: p[i] for o, p in rows} for i in (0, 1))
            if is_valid(window["schedule"], start, mode):
                return gain
    return None
