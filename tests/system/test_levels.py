"""Steps level by level equal the event simulation, one case at a time."""

from __future__ import annotations

import numpy as np
import pytest

from accmine.system.levels import level_steps
from accmine.system.timeline import step_time


@pytest.mark.parametrize("schedule", ["gpipe", "1f1b"])
def test_levels_give_the_simulated_steps(schedule: str) -> None:
    random = np.random.default_rng(3)
    for _ in range(150):
        stages, microbatches, cases = (int(random.integers(1, n)) for n in (7, 12, 4))
        f, b, u = (random.integers(0, 20, (stages, cases)) for _ in range(3))
        links = random.integers(0, 9, (stages - 1, 2, cases))
        found = level_steps(schedule, f, b, u, links, microbatches)
        for i in range(cases):
            pairs = [(int(there), int(back)) for there, back in links[:, :, i]]
            own = [d[:, i].tolist() for d in (f, b, u)]
            one = step_time(schedule, own[0], own[1], own[2], pairs, microbatches)
            assert found[i] == one
        same = level_steps(schedule, f, b, u, links[:, :, 0], microbatches)
        assert same[0] == found[0]
