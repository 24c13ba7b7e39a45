"""Event graphs: what waits for what in the body of a loop, within an iteration and across iterations."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Dependence", "Event", "EventGraph"]


@dataclass(frozen=True)
class Event:
    """A moment of an instruction of the body.

    Attributes
    ----------
    instruction
        Its place in the body, from 0.
    label
        What people call the instruction.
    what
        ``enter``, ``start``, ``finish`` or ``leave``.
    at
        Station.
    """

    instruction: int
    label: str
    what: str
    at: str


@dataclass(frozen=True)
class Dependence:
    """``target`` of iteration k is at least ``weight`` cycles after ``source`` of iteration k − ``distance``.

    Attributes
    ----------
    source, target
        Indices into the events.
    weight
        Cycles, at least 0.
    distance
        Iterations, at least 0.
    rule
        ``latency``, ``hold`` (of a unit, where it is not the latency), ``slot``, ``interval``, ``order``, ``port``,
        ``RAW``, ``WAR`` or ``WAW``.
    on
        The station, port group or location that it comes from.
    """

    source: int
    target: int
    weight: int
    distance: int
    rule: str
    on: str


@dataclass(frozen=True)
class EventGraph:
    """Events in an order in which those of distance 0 point forward, and their dependences."""

    events: tuple[Event, ...]
    dependences: tuple[Dependence, ...]
