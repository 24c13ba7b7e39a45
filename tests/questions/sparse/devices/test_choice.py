"""The choice of a point for each device: exact whatever the ticks and the losses are."""

from __future__ import annotations

import random
from itertools import product

import pytest

from accmine.errors import InputError
from accmine.questions.sparse.devices.choice import chosen
from accmine.questions.sparse.devices.front import Point


@pytest.mark.parametrize("ticks", [1, 1 << 54, 10**20])
@pytest.mark.parametrize("loss", [0, 10**12])
def test_against_every_choice(ticks: int, loss: int) -> None:
    """Times that differ by one, of numbers that no float tells apart; losses far above what is shared out."""
    draw = random.Random(ticks)
    for _ in range(30):
        points = [
            [Point(ticks + draw.randrange(6), loss + draw.randrange(9)) for _ in range(draw.randint(1, 4))]
            for _ in range(draw.randint(1, 3))
        ]
        links = [ticks + draw.randrange(3) for _ in points[1:]]
        most = len(points) * loss + draw.randrange(18) if draw.random() < 0.8 else None
        every = [p for p in product(*points) if most is None or sum(own.loss for own in p) <= most]
        found = chosen([f"d{i}" for i in range(len(points))], points, links, most)
        if not every:
            assert found is None
            continue
        assert found is not None
        slowest, picks = found
        assert slowest == min(max([*links, *(own.ticks for own in p)]) for p in every)
        assert slowest == max([*links, *(own.ticks for own in picks)])
        assert most is None or sum(own.loss for own in picks) <= most


def test_a_limit_that_would_not_be_exact_is_refused_by_name() -> None:
    points = [[Point(5, 0), Point(1, 2 * 10**9 + 1)]] * 2
    with pytest.raises(
        InputError, match=r"^loss: of 4000\.000002 points .* 4000 is a limit that is not exact; at most 500"
    ):
        chosen(["a", "b"], points, [1], 4 * 10**9)
    found = chosen(["a", "b"], points, [1], 10**10)
    assert found is not None
    assert found[0] == 1
