"""Shards of a sweep: every point in one of them, whoever asks; what is no shard is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.questions.sweep.shards import Shard, shard_of


@given(st.integers(0, 200), st.integers(1, 220))
def test_every_point_is_in_one_shard_and_neighbours_stay_together(points: int, count: int) -> None:
    shards = [Shard(number, count).of(range(points)) for number in range(1, count + 1)]
    assert [point for shard in shards for point in shard] == list(range(points))
    sizes = {len(shard) for shard in shards}
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(("text", "shard"), [("1/1", Shard(1, 1)), ("8/8", Shard(8, 8)), (" 2 / 16 ", Shard(2, 16))])
def test_a_shard_is_its_number_and_their_number(text: str, shard: Shard) -> None:
    assert shard_of(text) == shard
    assert shard_of(str(shard)) == shard


@pytest.mark.parametrize(
    "text", ["0/4", "5/4", "0/0", "-1/4", "1", "1/", "/4", "a/b", "1.0/4", "1/4/2", "", "1/1e9", "²/4"]
)
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"^--shard: needs i/n, a number from 1 to n .*, got '"):
        shard_of(text)


def test_parts_that_may_hold_the_same_point_clash() -> None:
    one = Shard(1, 4)
    assert one.clashes(None), "all of it"
    assert one.clashes(Shard(1, 4))
    assert one.clashes(Shard(2, 3)), "of another division"
    assert not one.clashes(Shard(2, 4))
