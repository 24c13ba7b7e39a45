"""Interrupts: one that a solver keeps is raised at the end of the block, or when asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from accmine.interrupts import heard, held, terminable, whole_imports


def test_an_interrupt_that_a_solver_keeps_is_heard() -> None:
    def quiet() -> None:
        with suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)  # never so long: the signal ends it

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), heard():
        quiet()
    assert signal.getsignal(signal.SIGINT) is before
    with heard():
        pass


def test_it_is_raised_when_asked() -> None:
    reached = []

    def work() -> None:
        with heard() as stop_if_asked:
            stop_if_asked()
            reached.append("before")
            with suppress(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(5)  # never so long
            stop_if_asked()
            reached.append("after")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert reached == ["before"]


def test_other_threads_hear_nothing() -> None:
    said: list[str] = []

    def work() -> None:
        with heard():
            said.append("done")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert said == ["done"]


def test_a_held_interrupt_lets_the_block_end_and_a_second_one_ends_it() -> None:
    before = signal.getsignal(signal.SIGINT)
    reached = []
    with held() as pressed:
        assert not pressed()
        signal.raise_signal(signal.SIGINT)
        reached.append("end")
        assert pressed()
    assert reached == ["end"]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_interrupt_ends_a_held_block() -> None:
    before = signal.getsignal(signal.SIGINT)

    def twice() -> None:
        with held():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        twice()
    assert signal.getsignal(signal.SIGINT) is before


def test_sigterm_is_answered_as_ctrl_c_is() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with terminable():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        with held() as pressed:
            signal.raise_signal(signal.SIGTERM)
            assert pressed()
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("block", [held, heard])
def test_sigterm_is_heard_where_ctrl_c_is_ignored(block: Any) -> None:
    """What a shell starts in the background ignores Ctrl-C, and is ended by SIGTERM."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with terminable():
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGTERM)
            if block is held:
                with held() as pressed:
                    signal.raise_signal(signal.SIGTERM)
                    assert pressed()
            else:
                with pytest.raises(KeyboardInterrupt), heard(), suppress(KeyboardInterrupt):
                    signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)  # still ignored
    finally:
        signal.signal(signal.SIGINT, before)


def test_somebody_elses_sigterm_stays_theirs() -> None:
    heard_by: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard_by.append(number))
    try:
        with terminable():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard_by == [signal.SIGTERM]


def module(folder: Path, name: str, body: str) -> None:
    (folder / f"{name}.py").write_text(textwrap.dedent(body))


@pytest.fixture
def importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


INTERRUPTED = """
    import os, signal

    class Named:
        def __set_name__(self, owner, name):
            os.kill(os.getpid(), signal.SIGINT)  # raised here it would become a RuntimeError

    class Holder:
        named = Named()

    exec("for _ in range(10): os.kill(os.getpid(), signal.SIGINT)")
    DONE = True
"""


def test_an_import_is_finished_before_the_interrupt(importable: Path) -> None:
    module(importable, "whole_one", INTERRUPTED)
    module(importable, "around_it", "import whole_one\nDONE = whole_one.DONE\n")
    before = signal.getsignal(signal.SIGINT)
    reached = []

    def work() -> None:
        with whole_imports():
            import around_it  # type: ignore[import-not-found]

            reached.append(around_it.DONE)
            time.sleep(5)  # never so long: the reminder ends it
            reached.append("slept")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert reached == [True]
    assert signal.getsignal(signal.SIGINT) is before


def test_an_import_at_the_end_of_the_block_loses_nothing(importable: Path) -> None:
    module(importable, "whole_two", INTERRUPTED)
    reached = []

    def work() -> None:
        with whole_imports():
            import whole_two  # type: ignore[import-not-found]

            reached.append(whole_two.DONE)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert reached == [True]
    time.sleep(0.1)  # nobody reminds any more


def test_outside_of_imports_it_is_raised_at_once() -> None:
    def work() -> None:
        with whole_imports():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        work()
    assert time.monotonic() - began < 1


class Pressing:
    """What presses Ctrl-C as it goes away, where Python ignores what is raised."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(100):
            pass


def press(_: object) -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_where_python_would_lose_it_it_waits() -> None:
    kept = weakref.WeakKeyDictionary[Any, int]()
    for deaf in (Pressing, type("Key", (), {})):
        went = 0.0

        def work(deaf: type) -> None:
            nonlocal went
            with whole_imports():
                own = deaf()
                kept[own] = 1
                if deaf is not Pressing:  # the first line of the callback presses
                    sys.setprofile(lambda frame, *_: press(0) if frame.f_code.co_name == "remove" else None)
                del own
                sys.setprofile(None)
                went = time.monotonic()
                time.sleep(5)  # never so long

        with pytest.raises(KeyboardInterrupt):
            work(deaf)
        assert time.monotonic() - went < 4


def test_a_block_in_an_import_hears_it(importable: Path) -> None:
    """Whoever runs everything inside an import can still be stopped."""
    module(
        importable,
        "runs_all",
        """
        import os, signal, time
        from accmine.interrupts import whole_imports

        with whole_imports():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        """,
    )
    with pytest.raises(KeyboardInterrupt):
        import runs_all  # type: ignore[import-not-found]  # noqa: F401


def test_a_caught_interrupt_of_an_import_leaves_the_exit_code_alone(tmp_path: Path) -> None:
    """Python would end by SIGINT itself after an interrupt in ``exec``."""
    module(tmp_path, "made", 'import os, signal\nexec("os.kill(os.getpid(), signal.SIGINT); 1")\n')
    module(
        tmp_path,
        "script",
        """
        import sys, time
        from accmine.interrupts import whole_imports

        try:
            with whole_imports():
                import made
                time.sleep(5)
        except KeyboardInterrupt:
            sys.exit(7)
        """,
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, tmp_path / "script.py"], check=False, env=environment, timeout=60)
    assert done.returncode == 7
