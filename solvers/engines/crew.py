"""Threads of one CP-SAT call: the search and the prover work, the caller's thread listens.

Ctrl-C and the caller's callbacks belong to the caller's thread. So the engine runs in a thread of its own, beside
it a search for proofs where the model has one, and what they find comes back as events.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ortools.sat.python import cp_model

from .prover import Prover

__all__ = ["Crew"]

_PATIENCE = 0.2
"""Seconds between two looks at the threads when no event comes."""


class _Watcher(cp_model.CpSolverSolutionCallback):  # type: ignore[misc]  # ortools is untyped here
    """Hands the objective of every solution to the thread of the caller."""

    def __init__(self, events: queue.SimpleQueue[Any]) -> None:
        super().__init__()
        self.events = events

    def on_solution_callback(self) -> None:
        """Called by CP-SAT."""
        self.events.put(("solution", self.objective_value))


class Crew:
    """A search, a search for proofs, or both at once.

    Parameters
    ----------
    hear
        Called in the thread of ``run`` with ("solution", objective), ("bound", bound), both as the engine's
        floating-point numbers, or ("proof", (bound, None)) or ("proof", (None, solution)). True ends everything.
    prover
        A search for proofs, or ``None``.
    solver, built
        The engine with its parameters, and the model; or ``None``.

    Attributes
    ----------
    outcome
        Status of the engine; ``None`` if there was none, or it did not come to one.
    """

    def __init__(
        self,
        hear: Callable[[str, Any], bool],
        *,
        prover: Prover | None = None,
        solver: cp_model.CpSolver | None = None,
        built: cp_model.CpModel | None = None,
    ) -> None:
        self.hear, self.prover, self.solver, self.built = hear, prover, solver, built
        self.events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.threads: list[threading.Thread] = []
        self.ended: list[threading.Thread] = []
        self.failure: Exception | None = None
        self.outcome: Any = None
        self._halted = False

    def run(self) -> None:
        """Until all have ended; what went wrong in a thread or in ``hear`` is raised here, and Ctrl-C.

        Ctrl-C may come at any place, also between an event and its use. So nothing here depends on an event: who has
        ended is counted, events only wake the loop earlier. It goes through when the threads have ended, a second one
        at once.
        """
        try:
            self._begin()
            while self.failure is None and not self._is_over():
                with suppress(queue.Empty):
                    self._take(*self.events.get(timeout=_PATIENCE))
        finally:
            self.halt()
            for thread in filter(threading.Thread.is_alive, self.threads):
                thread.join()
            if self.failure is not None:
                raise self.failure

    def _is_over(self) -> bool:
        return len(self.ended) == len(self.threads) and self.events.empty()

    def _take(self, what: str, content: Any) -> None:
        if what == "end":
            if self.outcome not in (None, cp_model.FEASIBLE, cp_model.UNKNOWN):
                self.halt()  # a search in turns ends when no turn fits its time: the other goes on
        elif self.hear(what, content):
            self.halt()

    def _begin(self) -> None:
        if self.solver is not None:
            self.solver.best_bound_callback = lambda bound: self.events.put(("bound", bound))
            self._start(self._search)
        if self.prover is not None:
            self.prover.found = lambda bound, solution: self.events.put(("proof", (bound, solution)))
            self._start(self.prover.run)

    def _start(self, work: Callable[[], None]) -> None:
        def whole() -> None:
            try:
                if not self._halted:
                    work()
            except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
                self.failure = self.failure or error
            finally:
                self.ended.append(threading.current_thread())
                self.events.put(("end", None))

        self.threads.append(threading.Thread(target=whole, daemon=True))
        self.threads[-1].start()

    def _search(self) -> None:
        assert self.solver is not None
        self.outcome = self.solver.solve(self.built, _Watcher(self.events))

    def halt(self) -> None:
        """End what runs; asked again until it has, as a search that has not begun cannot be stopped."""
        self._halted = True

        def insist() -> None:
            while alive := [thread for thread in self.threads if thread.is_alive()]:
                if self.solver is not None:
                    self.solver.stop_search()
                if self.prover is not None:
                    self.prover.stop()
                for thread in alive:
                    thread.join(0.05)

        if any(thread.is_alive() for thread in self.threads):
            threading.Thread(target=insist, daemon=True).start()
