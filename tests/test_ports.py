"""Clocks and limits."""

from __future__ import annotations

from math import inf

import pytest

from accmine.ports import NEVER, Clock, Stop


def test_never_is_never_and_so_is_every_part_of_it() -> None:
    assert (NEVER.left(), NEVER.over(), NEVER.seconds(), NEVER.stop(3)) == (inf, False, None, Stop(work=3))
    assert NEVER.part(0.5, most_s=1.0) is NEVER, "what has to repeat does not look at the clock"
    assert Clock.after(None) is NEVER
    assert Stop().clock() is NEVER


def test_a_clock_is_over_when_its_moment_has_come() -> None:
    late = Clock.after(-1.0)
    assert late.over()
    assert late.left() < 0
    assert late.seconds() == 0.0
    assert late.part().over()
    assert late.stop() == Stop(seconds=0.0)
    assert Stop(seconds=0).clock().over()


def test_parts() -> None:
    clock = Stop(seconds=100).clock()
    assert not clock.over()
    assert clock.left() == pytest.approx(100, abs=5)
    assert clock.part(0.5).left() == pytest.approx(50, abs=5)
    assert clock.part(0.5, most_s=10).left() == pytest.approx(10, abs=5)
    assert clock.part().at == pytest.approx(clock.at, abs=1e-6)
    assert clock.part(most_s=1e9).at == pytest.approx(clock.at, abs=1e-6)
