"""An architecture and a kernel read and played as docs/kernel-models.md says, cycle by cycle.

Written from that page alone: no code of ``accmine.kernel`` is used or was looked at. Random pairs for it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Names = Mapping[str, int]


def number(value: Any, names: Names) -> int:
    if isinstance(value, int):
        return value
    known = {**names, "min": min, "max": max, "ceildiv": lambda a, b: -(-a // b)}
    return int(eval(str(value), {"__builtins__": {}}, known))


@dataclass
class Played:
    """An instruction: what it takes, whom it waits for, and when it did what."""

    path: list[str]
    latency: int
    hold: int
    ports: dict[str, int]
    after: set[int] = field(default_factory=set)
    at: int = -1
    enter: dict[str, int] = field(default_factory=dict)
    leave: dict[str, int] = field(default_factory=dict)
    start: int = -1


class Page:
    """A machine of the page: numbers of stages, units, port groups, and slots of locations."""

    def __init__(self, machine: dict[str, Any]) -> None:
        self.names: Names = machine["parameters"]
        self.stages, self.units, self.memories = machine["stages"], machine["units"], machine.get("memories", {})
        self.slots = {f"{m}.{b}": self.of(n) for m, x in self.memories.items() for b, n in x["buffers"].items()}
        self.slots |= {f"r.{name}": self.of(n) for name, n in machine["registers"]["r"].items()}
        self.places = {name: self.of(one.get("slots", 1)) for name, one in {**self.stages, **self.units}.items()}
        self.counts: dict[str, int] = {}
        for name, memory in self.memories.items():
            apart = "read_ports" in memory
            for way in ("read", "write"):
                key = f"{name}.{way}" if apart else name
                self.counts[key] = self.of(memory[f"{way}_ports"] if apart else memory.get("ports", 1))
        self.paths: dict[str, list[str]] = {}
        self.walk(["fetch"])

    def of(self, value: Any) -> int:
        return number(value, self.names)

    def walk(self, path: list[str]) -> None:
        for below in self.stages[path[-1]]["to"]:
            if below in self.units:
                self.paths |= {name: [*path, below] for name in self.units[below]["executes"]}
            else:
                self.walk([*path, below])

    def unrolled(self, body: list[Any], names: Names) -> Iterator[tuple[str, dict[str, Any]]]:
        for item in body:
            if "loop" in item:
                for _ in range(number(item["loop"], names)):
                    yield from self.unrolled(item["body"], names)
            else:
                ((mnemonic, fields),) = item.items()
                yield mnemonic, {k: x if isinstance(x, list) else number(x, names) for k, x in fields.items()}

    def instructions(self, kernel: dict[str, Any]) -> list[Played]:
        latest, out = dict.fromkeys(self.slots, 0), []
        writer: dict[tuple[str, int], int] = {}
        readers: dict[tuple[str, int], set[int]] = {}
        for i, (mnemonic, fields) in enumerate(self.unrolled(kernel["body"], {**self.names, **kernel["parameters"]})):
            spent: dict[str, list[int]] = {}
            read, written = [], []
            for side in ("reads", "updates", "writes"):
                for text in fields.get(side, ()):
                    place, _, size = text.partition(":")
                    if size:
                        self.access(place.partition(".")[0], side, int(size), spent)
                    if side != "writes":
                        read.append((place, latest[place]))
                    if side != "reads":
                        latest[place] = (latest[place] + (side == "writes")) % self.slots[place]
                        written.append((place, latest[place]))
            unit = self.units[self.paths[mnemonic][-1]]
            own = {**self.names, **{k: x for k, x in fields.items() if not isinstance(x, list)}}
            latency = number(unit.get("latency", 1), own) + max((a + b for a, b in spent.values()), default=0)
            hold = number(unit["interval"], own) if "interval" in unit else latency
            one = Played(self.paths[mnemonic], latency, hold, {group: held for group, (held, _) in spent.items()})
            one.after = {writer[s] for s in (*read, *written) if s in writer}
            one.after = one.after.union(*(readers.get(s, set()) for s in written))
            for s in read:
                readers.setdefault(s, set()).add(i)
            for s in written:
                writer[s], readers[s] = i, set()
            out.append(one)
        return out

    def access(self, name: str, side: str, size: int, spent: dict[str, list[int]]) -> None:
        memory = self.memories[name]
        for way in ("read", "write") if side == "updates" else (side[:-1],):
            own = spent.setdefault(f"{name}.{way}" if "read_ports" in memory else name, [0, 0])
            own[0] += -(-size // self.of(memory["bandwidth"]))
            own[1] = max(own[1], self.of(memory.get(f"{way}_latency", 1)))

    def cycles(self, kernel: dict[str, Any]) -> int:
        """The greatest finish."""
        played = self.instructions(kernel)
        users: dict[str, list[Played]] = {}
        takers: dict[str, list[Played]] = {}
        turn: dict[tuple[int, str], int] = {}
        for one in played:
            for kind, names in ((users, one.path), (takers, list(one.ports))):
                for name in names:
                    turn[id(one), name] = len(kind.setdefault(name, []))
                    kind[name].append(one)
        left, now = list(played), 0
        while left:
            while any(self.step(one, now, played, users, takers, turn) for one in left[:64]):
                left = [one for one in left if one.start < 0]
            now += 1
        return max(one.start + one.latency for one in played)

    def step(self, one: Played, now: int, played: list[Played], users: Any, takers: Any, turn: Any) -> bool:
        """Enter the next place, or start; whether it could."""
        if one.start >= 0:
            return False
        if one.at == len(one.path) - 1:
            waits = [played[i] for i in one.after]
            if any(other.start < 0 or other.start + other.latency > now for other in waits):
                return False
            for group in one.ports:
                if (before := turn[id(one), group] - self.counts[group]) >= 0:
                    other = takers[group][before]
                    if other.start < 0 or other.start + other.ports[group] > now:
                        return False
            one.start = now
            one.leave[one.path[-1]] = now + one.hold
            return True
        here, there = (one.path[one.at] if one.at >= 0 else ""), one.path[one.at + 1]
        if here and now < one.enter[here] + self.of(self.stages[here].get("latency", 1)):
            return False
        if here and (mine := turn[id(one), here]) and here not in users[here][mine - 1].leave:
            return False  # first in, first out
        if mine := turn[id(one), there]:
            last = users[there][mine - 1]
            interval = self.of(self.stages[there].get("interval", 1)) if there in self.stages else 0
            if there not in last.enter or now < last.enter[there] + interval:
                return False
        if mine >= self.places[there] and users[there][mine - self.places[there]].leave.get(there, now + 1) > now:
            return False
        one.enter[there] = now
        if here:
            one.leave[here] = now
        one.at += 1
        return True


def random_pair(seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """An architecture and a kernel that uses it, as what YAML holds."""
    r = random.Random(seed)

    def some(**keys: list[Any]) -> dict[str, Any]:
        return {key: r.choice(values) for key, values in keys.items() if r.random() < 0.6}

    machine: dict[str, Any] = {"name": f"machine-{seed}", "parameters": {"p": r.randint(1, 3), "q": r.randint(1, 4)}}
    machine["stages"] = {"fetch": {"kind": "fetch", **some(slots=[1, 2, "p"], interval=[0, 2], latency=[0, 2])}}
    stages = machine["stages"]
    stages["fetch"]["to"] = []
    memories = {}
    for name in ("m", "n")[: r.randint(0, 2)]:
        ports: dict[str, Any] = r.choice([{}, {"ports": "p"}, {"read_ports": 1, "write_ports": 2}])
        slow = some(read_latency=[2, 9], write_latency=[1, 5])
        memories[name] = {
            "bandwidth": r.choice([1, "4 * p", 16]),
            "buffers": {"A": r.choice([1, 2, "q"])},
            **ports,
            **slow,
        }
    machine |= {"memories": memories, "registers": {"r": {"x": 1, "y": r.choice([1, 2])}}, "units": {}}
    mnemonics = []
    for j in range(r.randint(1, 4)):
        above = r.choice([name for name in stages if stages[name].get("kind") != "execute"])
        stages[f"s{j}"] = {"to": [], **some(slots=[1, 2, 3], interval=[0, 1, 3], latency=[0, 1, "p"])}
        stages[above]["to"].append(f"s{j}")
    for j, name in enumerate([name for name in stages if not stages[name]["to"] or r.random() < 0.3]):
        stages[name]["to"].append(f"u{j}")
        own = [f"op{j}", f"op{j}b"][: r.randint(1, 2)]
        timing = {"latency": r.choice([2, 5, "p + q", "2 * v"]), **some(interval=[1, 2], slots=[1, 2])}
        machine["units"][f"u{j}"] = {"executes": own, **timing, "reads": [*memories, "r"], "writes": [*memories, "r"]}
        mnemonics += own
    places = [*(f"{name}.A" for name in memories), "r.x", "r.y"]

    def body(depth: int) -> list[Any]:
        out: list[Any] = []
        for _ in range(r.randint(1, 3)):
            if depth < 3 and r.random() < 0.4:
                out.append({"loop": r.choice([2, 5, "n", "n + p"]), "body": body(depth + 1)})
                continue
            fields: dict[str, Any] = {"v": r.choice([1, 3, "p", "n"])}
            for place in r.sample(places, r.randint(0, len(places))):
                size = "" if place.startswith("r.") else f":{r.choice([1, 8, 40])}"
                fields.setdefault(r.choice(["reads", "writes", "updates"]), []).append(place + size)
            out.append({r.choice(mnemonics): fields})
        return out

    return machine, {"name": f"kernel-{seed}", "parameters": {"n": r.randint(1, 5)}, "body": body(0)}
