"""Jobs on the workers of a Dask cluster, as an executor.

Dask moves the jobs and their answers; who does which is decided here. So a worker is asked what it holds before it
gets anything, also one that joins later; a job whose worker is lost is begun once more on another one, and a job that
ends two workers does not end a third.
"""

from __future__ import annotations

import logging
import queue
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from accmine.errors import AccmineError, InputError, WorkersGoneError
from accmine.questions.sweep.executors import differences, identity

__all__ = ["DaskExecutor"]

CONNECT_S = 10.0
"""A scheduler that answers no connection for so long is not there."""
LOOK_S = 0.5
"""Between two looks at which workers there are."""
GONE_S = 10.0
"""A scheduler that is away for longer is gone; one that is back sooner goes on with the jobs."""
CLOSE_S = 2.0
"""After that a connection that does not close is left alone."""
LONELY_S = 300.0
"""Without any worker that may take jobs for longer, nothing is waited for."""

_CLOSE = object()
_ABANDONED: list[Any] = []
"""Clients that do not close: collected as garbage they would be closed once more, by whatever thread that is."""
_LOG = logging.getLogger(__name__)


@dataclass(eq=False)
class _Job:
    """``lost``: how many workers ended with it; ``dask``: its future while a worker has it."""

    future: Future[Any]
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    lost: int = 0
    dask: Any = None


@dataclass(eq=False)
class _Worker:
    """A worker and the job that it has; it is given none before it is ``accepted``."""

    question: Any = None
    accepted: bool = False
    job: _Job | None = None


class DaskExecutor(Executor):
    """The workers of a Dask cluster, each with one job at a time.

    Parameters
    ----------
    address
        Of the scheduler, ``tcp://host:port``; empty: the one of Dask's own configuration, e.g. of the environment
        variable ``DASK_SCHEDULER_ADDRESS``.
    say
        Told of workers that are lost or refused.

    Raises
    ------
    InputError
        If Dask is not installed, or no scheduler answers.
    """

    def __init__(self, address: str = "", say: Callable[[str], None] = _LOG.warning) -> None:
        try:
            import dask
            import distributed
        except ImportError:
            raise InputError("Dask is not installed; pip install 'accmine[cluster]'", field="--cluster") from None
        address = address or dask.config.get("scheduler-address", None) or ""
        if not address:
            raise InputError("no address of a Dask scheduler is given; allowed: tcp://host:port", field="--cluster")
        try:
            with _silent():
                # A client that failed would be closed by the garbage collector, at times while it holds its own lock.
                host, port = distributed.comm.get_address_host_port(address)
                socket.create_connection((host, port), CONNECT_S).close()
                self._client = distributed.Client(address, timeout=CONNECT_S, set_as_default=False, name="accmine")
                self._count = len(self._client.nthreads())
        except (OSError, ValueError, TimeoutError) as error:
            message = f"no Dask scheduler answers at {address}: {error!s:.200}; start one: dask scheduler"
            raise InputError(message, field="--cluster") from None
        self._address, self._say = address, say
        self._ours = identity()
        self._waiting: deque[_Job] = deque()
        self._workers: dict[str, _Worker] = {}
        self._events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._refused: dict[str, str] = {}
        self._closed = False
        self._seen = self._served = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="accmine-dask", daemon=True)
        self._thread.start()

    @property
    def width(self) -> int:
        """The workers, and one job that is ready when one of them is."""
        return self._count + 1

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if kwargs:
            raise TypeError("jobs take positional arguments only")
        if self._closed:
            raise RuntimeError("the executor is shut down")
        job = _Job(Future(), fn, args)
        self._events.put(job)
        return job.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more jobs. What a worker has begun goes on there, Dask cannot stop it; its answer is not waited for
        if jobs are cancelled or ``wait`` is false.
        """
        self._closed = True
        if wait and not cancel_futures:
            self._events.put(None)
        else:
            self._events.put(_CLOSE)
        self._thread.join()

    def _run(self) -> None:
        """What the one thread does that knows the workers."""
        end: BaseException | None = None
        with _silent():
            try:
                self._serve()
            except Exception as error:  # noqa: BLE001 - told by every job that is left
                end = error if isinstance(error, AccmineError) else WorkersGoneError(f"{type(error).__name__}: {error}")
            self._closed = True
            jobs = [*self._waiting, *(worker.job for worker in self._workers.values() if worker.job is not None)]
            with suppress(queue.Empty):
                while True:
                    late = self._events.get_nowait()
                    jobs += [late] if isinstance(late, _Job) else []
            closing = threading.Thread(target=self._disconnect, daemon=True)
            closing.start()
            closing.join(CLOSE_S)
            if closing.is_alive():
                _ABANDONED.append(self._client)
            for job in jobs:
                if end is None and job.future.cancel():
                    job.future.set_running_or_notify_cancel()  # wakes up who waits for it
                elif not job.future.done():
                    job.future.set_exception(end or CancelledError())

    def _disconnect(self) -> None:
        """Close the connection, by which the scheduler forgets what was asked of it; without an answer for ever."""
        with suppress(Exception):
            self._client.close(timeout=CLOSE_S)

    def _serve(self) -> None:
        ending, next_look = False, 0.0
        while True:
            if time.monotonic() >= next_look:
                self._look()
                next_look = time.monotonic() + LOOK_S
            with suppress(queue.Empty):
                event = self._events.get(timeout=max(0.0, next_look - time.monotonic()))
                if event is _CLOSE:
                    return
                if event is None:
                    ending = True
                elif isinstance(event, _Job):
                    self._waiting.append(event)
                else:
                    self._ended(*event)
            self._hand_out()
            if ending and not self._waiting and all(worker.job is None for worker in self._workers.values()):
                return

    def _look(self) -> None:
        """Which workers are there; jobs of those that are not are begun again."""
        there: set[str] | None = None
        if self._client.status == "running":
            with suppress(OSError, TimeoutError):
                there = set(self._client.nthreads())
        now = time.monotonic()
        if there is None:
            if self._client.status in ("closing", "closed") or now - self._seen > GONE_S:
                raise WorkersGoneError(f"the Dask scheduler at {self._address} went away, with jobs left to do")
            return
        self._seen, self._count = now, len(there)
        for address in self._workers.keys() - there:
            self._lose(address)
        for address in self._refused.keys() - there:
            del self._refused[address]
        for address in there - self._workers.keys() - self._refused.keys():
            worker = self._workers[address] = _Worker()
            worker.question = self._ask(address, identity)
        if any(worker.accepted for worker in self._workers.values()) or not self._waiting:
            self._served = now
        if there and self._refused.keys() >= there:
            listed = "; ".join(self._refused[address] for address in sorted(there))
            raise WorkersGoneError(f"no worker at {self._address} may take jobs: {listed}; install the same there")
        if now - self._served > LONELY_S:
            raise WorkersGoneError(f"the cluster at {self._address} has had no worker for {LONELY_S:.0f} s")

    def _ask(self, address: str, function: Callable[..., Any], *arguments: Any) -> Any:
        future = self._client.submit(
            function, *arguments, workers=[address], allow_other_workers=False, pure=False, retries=0
        )
        future.add_done_callback(lambda done: self._events.put((address, done)))
        return future

    def _lose(self, address: str) -> None:
        job = self._workers.pop(address).job
        self._say(f"lost the worker {address}" + (" in the midst of a job" if job is not None else ""))
        if job is not None:
            self._client.cancel([job.dask], reason="worker lost")
            self._again(job, address)

    def _again(self, job: _Job, address: str) -> None:
        """Begin a job again whose worker was lost, the first time."""
        job.lost, job.dask = job.lost + 1, None
        if job.lost < 2:
            self._waiting.appendleft(job)
        else:
            job.future.set_exception(AccmineError(f"the worker {address} was lost, as the one before it was"))

    def _ended(self, address: str, dask: Any) -> None:
        """An answer of a worker, or what Dask says in its place."""
        worker = self._workers.get(address)
        if worker is None:
            return
        if dask is worker.question:
            worker.question = None
            self._answered(address, worker, dask)
            return
        job = worker.job
        if job is None or job.dask is not dask:  # of one that was begun again in the meantime
            return
        try:
            value, error = _answer(dask)
        except _NoAnswerError:
            self._lose(address)  # or it would be handed this job again, as nobody has looked since it was lost
            return
        worker.job = None
        if error is None:
            job.future.set_result(value)
        else:
            job.future.set_exception(error)

    def _answered(self, address: str, worker: _Worker, question: Any) -> None:
        """Take a worker that holds what this process holds, refuse another one by name."""
        try:
            value, error = _answer(question)
        except _NoAnswerError:
            del self._workers[address]  # looked for again
            return
        if error is None:
            found = differences(value, self._ours)
        else:
            found = f"no accmine of this kind ({type(error).__name__}: {error!s:.200})"
        if not found:
            worker.accepted = True
            return
        del self._workers[address]
        self._refused[address] = f"{address} has {found}"
        self._say(f"refused a worker: {self._refused[address]}")

    def _hand_out(self) -> None:
        for address, worker in self._workers.items():
            while worker.accepted and self._waiting and worker.job is None:
                job = self._waiting.popleft()
                if job.lost == 0 and not job.future.set_running_or_notify_cancel():
                    continue
                worker.job = job
                job.dask = self._ask(address, job.function, *job.arguments)


class _NoAnswerError(Exception):
    """A worker was lost with what it was asked, or with its answer."""


_LOST = ("KilledWorker", "CancelledError", "FutureCancelledError", "CommClosedError")
"""Errors by which Dask tells of a worker that it lost, not of what a job raised."""


def _answer(dask: Any) -> tuple[Any, BaseException | None]:
    """What a job came to, or what it raised.

    Raises
    ------
    _NoAnswerError
        If Dask has neither; also of a job that ended, when its worker was lost before the value arrived.
    """
    if dask.status == "finished":
        try:
            return dask.result(timeout=CONNECT_S), None
        except Exception as lost:
            raise _NoAnswerError from lost
    if dask.status == "error" and type(error := dask.exception(timeout=CONNECT_S)).__name__ not in _LOST:
        return None, error
    raise _NoAnswerError


@contextmanager
def _silent() -> Iterator[None]:
    """Without what Dask logs of connections: it is told in one sentence."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client", "distributed.core")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
