"""Where a network can be cut."""

from __future__ import annotations

import pytest

from accmine.errors import InputError
from accmine.sparse.cuts import MOST_CUTS, places_to_cut


def test_every_edge_goes_forward() -> None:
    assert places_to_cut(4, [(0, 1), (1, 2), (2, 3)], 2) == [1, 2, 3]
    assert places_to_cut(4, [(2, 1), (1, 3)], 2) == [1, 3]
    assert places_to_cut(4, [(3, 0)], 1) == []


def test_too_many_devices_and_too_many_cuts() -> None:
    with pytest.raises(InputError, match="3 devices are too many for 1 places where 2 layers can be cut"):
        places_to_cut(2, [], 3)
    with pytest.raises(InputError, match=f"ways to cut, at most {MOST_CUTS}"):
        places_to_cut(200, [], 8)
