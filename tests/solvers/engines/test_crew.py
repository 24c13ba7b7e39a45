"""Threads of a CP-SAT call: Ctrl-C at the worst moment neither hangs nor hides what went wrong."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

Crew: Any = import_module("accmine.solvers.engines.crew").Crew
PATIENCE_S = 20.0


class Work:
    """A search for proofs of any length."""

    def __init__(self, *events: Any, error: Exception | None = None, lasting: bool = False) -> None:
        self.events, self.error, self.lasting = events, error, lasting
        self.stopped = threading.Event()
        self.found: Callable[[Any, Any], None] = lambda *_: None

    def run(self) -> None:
        for event in self.events:
            self.found(*event)
        if self.error is not None:
            raise self.error
        if self.lasting:
            assert self.stopped.wait(PATIENCE_S)

    def stop(self) -> None:
        self.stopped.set()


class Pressed(queue.SimpleQueue[Any]):
    """Events, where Ctrl-C comes right after the first of a kind was taken: it is lost."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        event = super().get(block, timeout)
        if event[0] == self.kind:
            self.kind = ""
            raise KeyboardInterrupt
        return event


def ended(crew: Any) -> list[BaseException]:
    """Run to the end, within the time of the watchdog; what was raised."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            crew.run()
        except BaseException as error:  # noqa: BLE001
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    assert not thread.is_alive(), "hangs"
    return raised


@pytest.mark.parametrize("kind", ["proof", "end"])
@pytest.mark.parametrize("lasting", [False, True])
def test_ctrl_c_right_after_an_event_was_taken(kind: str, lasting: bool) -> None:
    work = Work((3, None), lasting=lasting and kind != "end")
    crew = Crew(lambda *_: False, prover=work)
    crew.events = Pressed(kind)
    assert [type(error) for error in ended(crew)] == [KeyboardInterrupt]
    assert crew.ended == crew.threads


def test_an_error_survives_ctrl_c_at_the_end_of_its_thread() -> None:
    error = ValueError("wrong")
    crew = Crew(lambda *_: False, prover=Work(error=error))
    crew.events = Pressed("end")
    assert ended(crew) == [error]


def test_ctrl_c_before_a_thread_began(monkeypatch: pytest.MonkeyPatch) -> None:
    crew = Crew(lambda *_: False, prover=Work(lasting=True))
    start = threading.Thread.start

    def pressed(thread: threading.Thread) -> None:
        if thread in crew.threads:
            monkeypatch.undo()
            raise KeyboardInterrupt
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", pressed)
    assert [type(error) for error in ended(crew)] == [KeyboardInterrupt]
    assert crew.ended == []


def test_all_events_are_heard_in_order_and_the_last_ends_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module(Crew.__module__), "_PATIENCE", 1e6)  # nothing but the events wakes the loop
    heard: list[Any] = []
    crew = Crew(lambda *event: heard.append(event), prover=Work((1, None), (2, None), (None, "s")))
    assert ended(crew) == []
    assert heard == [("proof", (1, None)), ("proof", (2, None)), ("proof", (None, "s"))]


def test_a_listener_that_has_heard_enough_ends_everything() -> None:
    work = Work((1, None), lasting=True)
    crew = Crew(lambda *_: True, prover=work)
    assert ended(crew) == []
    assert work.stopped.is_set()


def test_an_error_of_the_listener_is_raised_and_ends_everything() -> None:
    error = RuntimeError("listener")

    def hear(*_: Any) -> bool:
        raise error

    work = Work((1, None), (2, None), lasting=True)
    assert ended(Crew(hear, prover=work)) == [error]
    assert work.stopped.is_set()
