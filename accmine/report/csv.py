"""Records as a CSV table."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

__all__ = ["render"]


def render(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> str:
    """All rows below a header line.

    Numbers stand in full, ``None`` and what a row lacks are empty cells, truths are ``true`` and ``false``.

    Parameters
    ----------
    columns
        Their names, in order; what else a row holds is left out. Default: the keys of the rows.
    """
    names = columns or list(dict.fromkeys(name for row in rows for name in row))
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
    return out.getvalue()


def _cell(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
