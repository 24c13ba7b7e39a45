"""Any JSON value at any place of a document."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from accmine.errors import InputError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**25), 10**25) | st.floats() | st.text(max_size=5),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=6,
)
"""Values that a JSON text can hold, and some that it cannot."""


def plain(value: Any) -> Any:
    """The value after a journey through text."""
    return json.loads(json.dumps(value))


def replaced(data: Any, where: int, value: Any) -> Any:
    """A copy of an object with ``value`` in the place that the number ``where`` leads to."""
    copy = plain(data)
    place, parent, last, step = copy, copy, next(iter(copy)), where
    while isinstance(place, dict | list) and place:
        keys: list[Any] = list(place) if isinstance(place, dict) else list(range(len(place)))
        parent, last = place, keys[step % len(keys)]
        place, step = place[last], step // 3
        if step % 5 == 0:
            break
    parent[last] = value
    return copy


def read(call: Any, *arguments: Any) -> Any:
    """What a reader gives; ``None`` where it refuses, which it has to do in words."""
    try:
        return call(*arguments)
    except InputError as error:
        if not all(complaint.message for complaint in error.complaints):
            raise
        return None
