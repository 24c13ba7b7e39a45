"""Tables of pages from files: ``python docs/tables.py`` writes them again, between their marks.

``<!-- table: data/NAME.csv -->`` stands before a table of a CSV file, whose first row are its heads.
``<!-- ledger: data/ledger.json -->`` stands before what ``accmine ledger`` prints, from what it writes with
``--data DATA --json``. A blank line, or the end of the fence, ends either.
"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

DOCS = Path(__file__).resolve().parent

_TABLE = re.compile(r"(<!-- table: (\S+) -->\n)((?:\|.*\n)*)")
_LEDGER = re.compile(r"(<!-- ledger: (\S+) -->\n```\n\$ [^\n]*\n)(.*?)(\n```)", re.DOTALL)


def table(file: Path) -> str:
    """A CSV file as a table of Markdown."""
    with file.open(encoding="utf-8", newline="") as text:
        head, *rows = list(csv.reader(text))
    lines = [head, ["---"] * len(head), *rows]
    return "".join("|" + "|".join(f" {cell} " if cell != "---" else cell for cell in row) + "|\n" for row in lines)


def ledger(file: Path) -> str:
    """The summary of all suites as the command prints it."""
    from accmine.questions.accuracy.report import summary_text

    return summary_text(json.loads(file.read_text(encoding="utf-8")))


def filled(page: Path) -> str:
    """The text of a page with its tables as the files have them."""
    text = _TABLE.sub(lambda m: m[1] + table(DOCS / m[2]), page.read_text(encoding="utf-8"))
    return _LEDGER.sub(lambda m: m[1] + ledger(DOCS / m[2]) + m[4], text)


if __name__ == "__main__":
    for page in sorted(DOCS.glob("*.md")):
        page.write_text(filled(page), encoding="utf-8")
