"""Worker processes: fresh interpreters with one pipe each, which hold the large objects of a run.

A worker is started by its program, never forked: the parent may have threads of solvers, and a script needs no main
guard because its own file is not imported again. The far end of a pipe lives in its worker alone and the near end in
the parent alone. So the death of either is an end of file at the other, also in the middle of a message: a lost
worker is noticed at once, and no worker outlives its parent, however that ended.
"""

from __future__ import annotations

import gc
import io
import itertools
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from accmine.errors import InputError, WorkerLostError

__all__ = ["serve", "stop_workers", "workers"]

Reference = tuple[int, int]
"""Stands for an inherited object in a message: number of its pool, index."""

_START = "import sys; sys.path[:] = sys.argv[1:]; from accmine.workers import serve; serve()"

_HELD: dict[int, Sequence[Any]] = {}
"""In a worker: the inherited objects of pools by number."""


class _Pickler(pickle.Pickler):
    """Writes references in the place of inherited objects, wherever in a value they are."""

    def __init__(self, file: io.BytesIO, references: Mapping[int, Reference]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._references = references

    def persistent_id(self, obj: Any) -> Reference | None:
        return self._references.get(id(obj))


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, held: Mapping[int, Sequence[Any]]) -> None:
        super().__init__(io.BytesIO(data))
        self._held = held

    def persistent_load(self, pid: Reference) -> Any:
        return self._held[pid[0]][pid[1]]

    def find_class(self, module: str, name: str) -> Any:
        if module == "__main__":
            raise InputError(
                f"{name} is defined in the script that was started, where worker processes cannot import it; allowed: "
                "a module of its own that the script imports, or budget.workers: 1"
            )
        return super().find_class(module, name)


def _pickled(value: Any, number: int = 0, inherited: Sequence[Any] = ()) -> bytes:
    file = io.BytesIO()
    _Pickler(file, {id(item): (number, i) for i, item in enumerate(inherited)}).dump(value)
    return file.getvalue()


def _hold(number: int, inherited: Sequence[Any], others: frozenset[int]) -> None:
    """Keep the objects of a pool, and no longer those of pools that are closed."""
    for closed in _HELD.keys() - others:
        del _HELD[closed]
    _HELD[number] = inherited


def serve() -> None:
    """Do the jobs that arrive through standard input until it ends; the main program of a worker."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the parent decides what they mean, and ends its workers
        signal.signal(number, signal.SIG_IGN)
    pipe = Connection(os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # a job that reads must not read from the pipe
    messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def listen() -> None:
        with suppress(EOFError, OSError):
            while True:
                messages.put(pipe.recv_bytes())
        os._exit(0)  # nobody is left to work for: also in the middle of a job

    threading.Thread(target=listen, daemon=True).start()
    while True:
        pipe.send_bytes(_answer(messages.get()))


def _answer(message: bytes) -> bytes:
    try:
        gc.disable()  # among objects that are only being made it finds nothing, in as much time again
        try:
            number, function, arguments = _Unpickler(message, _HELD).load()
        finally:
            gc.enable()
        return _pickled((function(*arguments), None), number, _HELD.get(number, ()))
    except BaseException as error:  # noqa: BLE001 - raised again by the future
        error.add_note(f"In a worker process:\n{traceback.format_exc()}")
        try:
            return _pickled((None, error))
        except Exception:  # noqa: BLE001 - any class may fail to be pickled
            return _pickled((None, RuntimeError("".join(traceback.format_exception(error)))))


class _Worker:
    """One process; ``holds`` are the numbers of the pools whose objects it has."""

    def __init__(self) -> None:
        self.holds: frozenset[int] = frozenset()
        self._pipe, far = Pipe()
        command = [sys.executable, "-c", _START, *map(str, sys.path)]
        with far:  # a group of its own: Ctrl-C in a terminal reaches the parent only
            self.process = subprocess.Popen(command, stdin=far.fileno(), process_group=0)

    def ask(self, message: bytes) -> bytes:
        self._pipe.send_bytes(message)
        return self._pipe.recv_bytes()

    def end(self) -> int:
        """End the process at once; returns its exit code, or minus the signal."""
        self.process.kill()
        self._pipe.close()
        return self.process.wait()


_LOCK = threading.Lock()
_IDLE: list[_Worker] = []
"""Workers between two jobs. A pool opened inside another one borrows them; with the last pool they end."""
_OPEN: set[int] = set()
_NUMBERS = itertools.count(1)


class _Pool(Executor):
    """Each of ``count`` threads takes a job, has a worker do it and puts the worker back."""

    def __init__(self, count: int, inherited: Sequence[Any]) -> None:
        self._number, self._inherited = next(_NUMBERS), list(inherited)
        with _LOCK:
            _OPEN.add(self._number)
            self._others = frozenset(_OPEN)
        self._gift = pickle.dumps((0, _hold, (self._number, self._inherited, self._others)), pickle.HIGHEST_PROTOCOL)
        self._jobs: queue.SimpleQueue[tuple[Future[Any], str, bytes] | None] = queue.SimpleQueue()
        self._busy: set[_Worker] = set()
        self._closed = self._stopped = False
        self._threads = [threading.Thread(target=self._work, args=(self._take(),), daemon=True) for _ in range(count)]
        self._left = count
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if kwargs:
            raise TypeError("jobs take positional arguments only")
        message = _pickled((self._number, fn, args), self._number, self._inherited)
        future: Future[Any] = Future()
        with _LOCK:
            if self._closed:
                raise RuntimeError("the pool is closed")
            self._jobs.put((future, f"{fn.__module__}.{fn.__qualname__}", message))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        with _LOCK:
            self._closed = True
            if cancel_futures:
                with suppress(queue.Empty):
                    while True:
                        job = self._jobs.get_nowait()
                        if job is not None:
                            job[0].cancel()
            for _ in self._threads:
                self._jobs.put(None)
        for thread in self._threads if wait else ():
            thread.join()

    def stop(self) -> None:
        """End what runs, without waiting for it; its futures are cancelled."""
        with _LOCK:
            self._stopped = True
            for worker in self._busy:
                worker.process.kill()
        self.shutdown(cancel_futures=True)

    def _work(self, first: _Worker) -> None:
        with suppress(Exception):  # what is wrong with it is told to the first job
            self._prepare(first)
        self._put_back(first)
        while (job := self._jobs.get()) is not None:
            future, name, message = job
            if future.set_running_or_notify_cancel():
                try:
                    result, error = self._do(name, message)
                except Exception as caught:  # noqa: BLE001 - raised again by the future
                    result, error = None, caught
                if error is None:
                    future.set_result(result)
                else:
                    future.set_exception(error)
            del job, future, message  # waiting for the next must not keep what this one held
        with _LOCK:
            self._left -= 1
            if self._left == 0:
                _OPEN.discard(self._number)
            ended, _IDLE[:] = ([], _IDLE[:]) if _OPEN else (_IDLE[:], [])
        for worker in ended:
            worker.end()

    def _do(self, name: str, message: bytes) -> tuple[Any, BaseException | None]:
        """Result or error of a job; one whose worker is lost is begun again, once, in a new process."""
        code = 0
        for again in (False, True):
            worker = self._take(new=again)
            try:
                self._prepare(worker)
                answer = worker.ask(message)
            except (EOFError, OSError):
                with _LOCK:
                    self._busy.discard(worker)
                code = worker.end()
                if self._stopped:
                    raise CancelledError from None
                continue
            self._put_back(worker)
            result, error = _Unpickler(answer, {self._number: self._inherited}).load()
            return result, error
        raise WorkerLostError(name, code)

    def _prepare(self, worker: _Worker) -> None:
        """Send what is inherited, unless the worker has it."""
        if self._number not in worker.holds:
            _, error = pickle.loads(worker.ask(self._gift))
            if error is not None:
                raise error
            worker.holds = worker.holds & self._others | {self._number}

    def _take(self, *, new: bool = False) -> _Worker:
        with _LOCK:
            _IDLE[:] = [worker for worker in _IDLE if worker.process.poll() is None]
            known = [worker for worker in _IDLE if self._number in worker.holds] or _IDLE[-1:]
            worker = known[-1] if known and not new else None
            if worker is not None:
                _IDLE.remove(worker)
        worker = worker or _Worker()
        with _LOCK:
            self._busy.add(worker)
            if self._stopped:
                worker.process.kill()
        return worker

    def _put_back(self, worker: _Worker) -> None:
        with _LOCK:
            self._busy.discard(worker)
            _IDLE.append(worker)


@contextmanager
def workers(count: int, inherited: Sequence[Any], *, apart: bool = False) -> Iterator[Executor | None]:
    """A pool of ``count`` processes; ``None`` for one, whose work is then done in this process.

    A pool opened while another one is idle works with the processes of that one.

    Parameters
    ----------
    inherited
        Objects that jobs may name in their arguments and results without being sent each time: tasks, cost tables.
    apart
        One process as well is a pool: what crashes it leaves this process alone.

    Raises
    ------
    InputError
        By the future of a job that names something defined in the script that was started.
    WorkerLostError
        By the future of a job whose worker ended twice without a result.
    """
    if count == 1 and not apart:
        yield None
        return
    pool = _Pool(count, inherited)
    try:
        yield pool
        pool.shutdown()
    except BaseException:
        pool.stop()
        raise


def stop_workers(pool: Executor) -> None:
    """End the workers of ``pool`` at once, and no other process; what they were doing is lost."""
    if isinstance(pool, _Pool):
        pool.stop()
    else:
        pool.shutdown(wait=True, cancel_futures=True)
