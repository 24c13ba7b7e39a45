"""Pipeline schedule: find the order of forward, backward and weight passes on every device that ends a step first.

Stage s lies on device s. A microbatch passes forward through all stages and back; where the backward pass is split,
its second part, the gradients of weights, waits for the first alone. Messages go over full-duplex links in the order
in which they are made, as in ``accmine.system``, whose named schedules are solutions where they fit. A device holds a
stash of every microbatch from the beginning of its forward pass: one part to the end of its backward pass, the rest to
the end of its weight pass. It updates behind its last pass, and the last update ends the step. All times are integers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from accmine.errors import Complaint, InputError
from accmine.system import BACKWARD, FORWARD, WEIGHT
from accmine.system.passes import Step

__all__ = [
    "KIND",
    "LARGEST",
    "NAMES",
    "Problem",
    "Solution",
    "Stage",
    "bound",
    "check",
    "ends_of",
    "impossible",
    "lengths",
    "score",
    "serial_ticks",
]

KIND = "pipeline-schedule"

LARGEST = 1 << 58
"""Sum of all times, at most, and of all stashes: what solvers add up stays within 64 bits."""

NAMES = {FORWARD: "F", BACKWARD: "B", WEIGHT: "W"}
"""Kinds of passes in files and messages."""

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage, on a device of its own.

    Attributes
    ----------
    forward, backward, weight
        Ticks of a microbatch: forward pass, gradients of inputs, gradients of weights; each at least 1.
    update
        Ticks behind the last pass.
    activation, weight_stash
        What a microbatch holds from the beginning of its forward pass to the end of its backward pass, and to the end
        of its weight pass, in any unit.
    memory
        The most that may be held, in that unit.
    """

    name: str
    forward: int
    backward: int
    weight: int
    update: int = 0
    activation: int = 1
    weight_stash: int = 0
    memory: int = 1


@dataclass(frozen=True)
class Problem:
    """Stages in pipeline order, messages between them, microbatches of a step.

    Attributes
    ----------
    transfers
        (forward, backward) ticks of a message over each boundary; shape (stages - 1,).
    split_backward
        Whether the two parts of a backward pass may lie apart. If not, they are one pass, which frees everything.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    stages: tuple[Stage, ...]
    transfers: tuple[tuple[int, int], ...]
    microbatches: int
    split_backward: bool = True

    kind: ClassVar[str] = KIND

    def __post_init__(self) -> None:
        complaints = [Complaint("", name, message) for name, message in _complaints(self)]
        if complaints:
            raise InputError(complaints)

    @property
    def kinds(self) -> tuple[int, ...]:
        """Kinds of passes that there are."""
        return (FORWARD, BACKWARD, WEIGHT) if self.split_backward else (FORWARD, BACKWARD)


@dataclass(frozen=True)
class Solution:
    """(kind, microbatch) of every pass of every device, in its order."""

    order: tuple[tuple[tuple[int, int], ...], ...]


def _complaints(problem: Problem) -> Iterator[tuple[str, str]]:
    if not problem.stages:
        yield "stages", "at least one stage is needed"
        return
    if len(problem.transfers) != len(problem.stages) - 1:
        needed = f"one per boundary, {len(problem.stages) - 1}, is needed"
        yield "transfers", f"{len(problem.transfers)} transfers for {len(problem.stages)} stages; {needed}"
    if len({stage.name for stage in problem.stages}) < len(problem.stages):
        yield "stages", "names of stages must differ"
    amounts = [("microbatches", problem.microbatches, 1)]
    for s, stage in enumerate(problem.stages):
        for key in ("forward", "backward", "weight", "update", "activation", "weight_stash", "memory"):
            least = 1 if key in ("forward", "backward", "weight") else 0
            amounts.append((f"stages[{s}].{key}", getattr(stage, key), least))
    for k, pair in enumerate(problem.transfers):
        amounts += [(f"transfers[{k}]", t, 0) for t in pair]
    wrong = False
    for field, value, least in amounts:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= LARGEST:
            yield field, f"{value!r:.60} is not allowed; an integer in {least}..{LARGEST} is needed"
            wrong = True
    if not wrong and serial_ticks(problem) > LARGEST:
        yield "microbatches", f"all passes one after the other take more than {LARGEST} ticks; take larger ones"
    for s, stage in enumerate(problem.stages):
        if not wrong and problem.microbatches * (stage.activation + stage.weight_stash) > LARGEST:
            yield f"stages[{s}].activation", f"all stashes hold more than {LARGEST} units; take larger ones"


def serial_ticks(problem: Problem) -> int:
    """The step of one microbatch after the other, which is no shorter than any step without needless waiting."""
    once = sum(stage.forward + stage.backward + stage.weight for stage in problem.stages)
    once += sum(map(sum, problem.transfers))
    return problem.microbatches * once + max(stage.update for stage in problem.stages)


def lengths(problem: Problem) -> tuple[list[int], list[int], list[int]]:
    """Ticks of forward, backward and weight passes of the stages; without a split the backward pass is the whole."""
    forward = [stage.forward for stage in problem.stages]
    if problem.split_backward:
        return forward, [stage.backward for stage in problem.stages], [stage.weight for stage in problem.stages]
    return forward, [stage.backward + stage.weight for stage in problem.stages], [0] * len(forward)


def ends_of(problem: Problem, solution: Solution) -> tuple[dict[Step, int], list[str]]:
    """End of every pass, each as early as the order allows; passes that wait for ever, in words."""
    length, last = lengths(problem), len(problem.stages) - 1
    position, free = [0] * (last + 1), [0] * (last + 1)
    arrived: dict[Step, int] = {}
    link: dict[tuple[int, int], int] = {}  # end of the last message of a kind from a stage
    ends: dict[Step, int] = {}
    moved = True
    while moved:
        moved = False
        for s, order in enumerate(solution.order):
            while position[s] < len(order):
                step = Step(s, *order[position[s]])
                if any(other not in ends for other in _needs(step, last)):
                    break
                target = s + 1 if step.kind == FORWARD else s - 1
                free[s] = ends[step] = max(free[s], arrived.get(step, 0)) + length[step.kind][s]
                if step.kind != WEIGHT and 0 <= target <= last:
                    ticks = problem.transfers[min(s, target)][step.kind]
                    link[s, step.kind] = max(free[s], link.get((s, step.kind), 0)) + ticks
                    arrived[Step(target, step.kind, step.microbatch)] = link[s, step.kind]
                position[s] += 1
                moved = True
    stuck = [
        f"{problem.stages[s].name}: {_name(*order[position[s]])} waits for ever"
        for s, order in enumerate(solution.order)
        if position[s] < len(order)
    ]
    return ends, stuck


def _needs(step: Step, last: int) -> Iterator[Step]:
    stage, kind, j = step
    if kind == FORWARD and stage:
        yield Step(stage - 1, FORWARD, j)
    elif kind != FORWARD:
        yield Step(stage, kind - 1, j)
        if kind == BACKWARD and stage < last:
            yield Step(stage + 1, BACKWARD, j)


def _name(kind: int, microbatch: int) -> str:
    return f"{NAMES.get(kind, kind)}{microbatch}"


def score(problem: Problem, solution: Solution) -> int:
    """The step in ticks: every pass as early as the order allows. Passes that wait for ever are left out."""
    ends, _ = ends_of(problem, solution)
    finished = [0] * len(problem.stages)
    for step, end in ends.items():
        finished[step.stage] = max(finished[step.stage], end)
    return max(end + stage.update for end, stage in zip(finished, problem.stages, strict=True))


def check(problem: Problem, solution: Solution) -> tuple[str, ...]:
    """Everything wrong with an order; empty when it is valid: every pass once, none stuck, memory kept."""
    if len(solution.order) != len(problem.stages):
        return (f"orders of {len(solution.order)} devices; {len(problem.stages)} are needed",)
    every = {(kind, j) for kind in problem.kinds for j in range(problem.microbatches)}
    wrong: list[str] = []
    for stage, order in zip(problem.stages, solution.order, strict=True):
        given = set(order)
        wrong += [f"{stage.name}: there is no pass {_name(*own)}" for own in sorted(given - every)]
        wrong += [f"{stage.name}: {_name(*own)} is missing" for own in sorted(every - given)]
        if len(order) > len(given):
            wrong.append(f"{stage.name}: {len(order) - len(given)} passes are there twice")
    if not wrong:
        wrong += ends_of(problem, solution)[1]
        wrong += _memory_violations(problem, solution)
    more = len(wrong) - _SHOWN
    return tuple(wrong if more <= 0 else [*wrong[:_SHOWN], f"… and {more} more"])


def _memory_violations(problem: Problem, solution: Solution) -> Iterator[str]:
    for stage, order in zip(problem.stages, solution.order, strict=True):
        whole = stage.activation + stage.weight_stash
        change = {FORWARD: whole, BACKWARD: -stage.activation, WEIGHT: -stage.weight_stash}
        if not problem.split_backward:
            change[BACKWARD] = -whole
        held = 0
        for kind, j in order:
            held += change[kind]
            if held > stage.memory:
                yield f"{stage.name}: holds {held} from {_name(kind, j)}, at most {stage.memory} is allowed"
                break


def bound(problem: Problem) -> tuple[int, str]:
    """A lower bound of the step in ticks without search, and how it was obtained.

    Stage s cannot begin before the first microbatch has come through the stages before it (h_s). From then on it has

    - all its passes, and its update;
    - all forward and backward passes, behind the last of which its microbatch goes back to a stage i ≤ s, whose
      weight pass and update follow;
    - all forward passes, behind the last of which its microbatch goes to the last stage and back to stage i;
    - all messages of its link to the next stage likewise;
    - m stays of microbatches, from the beginning of the forward to the end of the backward pass, as many at a time as
      its memory has room for; their lengths are at least that of the way to the last stage and back.
    """
    forward, backward, weight = lengths(problem)
    there, back = [pair[0] for pair in problem.transfers], [pair[1] for pair in problem.transfers]
    count, m = len(problem.stages), problem.microbatches
    round_trip = [0] * count  # from the beginning of the forward to the end of the backward pass of a microbatch
    for s in reversed(range(count)):
        beyond = there[s] + round_trip[s + 1] + back[s] if s + 1 < count else 0
        round_trip[s] = forward[s] + beyond + backward[s]
    found: list[tuple[int, str]] = []
    head = tail = 0  # tail: from the end of a backward pass on stage s to the end of the step
    for s, stage in enumerate(problem.stages):
        end = weight[s] + stage.update
        tail = end if s == 0 else max(end, back[s - 1] + backward[s - 1] + tail)
        busy = forward[s] + backward[s]
        found.append((head + m * (busy + weight[s]) + stage.update, f"work of {stage.name}"))
        found.append((head + m * busy + tail, f"work of {stage.name} and the way back"))
        found.append((head + (m - 1) * forward[s] + round_trip[s] + tail, f"forward passes of {stage.name}"))
        if s + 1 < count:
            way = forward[s] + m * there[s] + round_trip[s + 1] + back[s] + backward[s]
            found.append((head + way + tail, f"messages from {stage.name}"))
        whole = stage.activation + stage.weight_stash
        at_once = min(m, stage.memory // whole) if whole else m
        if at_once:
            stays = -(-m // at_once) * round_trip[s]
            found.append((head + stays + tail, f"memory of {stage.name}"))
        head += forward[s] + (there[s] if s + 1 < count else 0)
    return max(found, key=lambda row: row[0])


def impossible(problem: Problem) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Memory that has no room for one microbatch; where it has, one after the other is a schedule."""
    short = [
        (f"stages[{s}].memory", f"stages[{s}].memory: {stage.activation + stage.weight_stash}")
        for s, stage in enumerate(problem.stages)
        if stage.memory < stage.activation + stage.weight_stash
    ]
    return tuple(limit for limit, _ in short), tuple(remedy for _, remedy in short)
