"""Sections for papers and web pages: their tables in Markdown and LaTeX."""

from __future__ import annotations

import re
from collections.abc import Sequence

from accmine.report.section import BULLET, Section

__all__ = ["latex", "markdown"]

_SPECIAL = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"–": "--", "…": r"\dots{}", "µ": r"\ensuremath{\mu}", "•": r"\textbullet{}", "Σ": r"\ensuremath{\Sigma}"},
    **{"<": r"\ensuremath{<}", ">": r"\ensuremath{>}", "−": r"\ensuremath{-}", "×": r"\ensuremath{\times}"},
}


def markdown(sections: Sequence[Section], level: int = 3) -> str:
    """Headings of a level, tables as GitHub writes them, and the notes as lists and paragraphs."""
    blocks = []
    for section in sections:
        lines = [f"{'#' * level} {section.title}", ""]
        if section.rows:
            lines.append(_line([column.title for column in section.columns]))
            lines.append(_line(["---:" if column.numeric else "---" for column in section.columns]))
            lines += [_line(row) for row in section.rows]
            lines.append("")
        lines += [
            f"- {note.removeprefix(BULLET)}" if note.startswith(BULLET) else f"{note}\n" for note in section.notes
        ]
        blocks.append("\n".join(lines).rstrip() + "\n")
    return "\n".join(blocks)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("\\", "\\\\").replace("|", "\\|") for cell in cells) + " |"


def latex(sections: Sequence[Section]) -> str:
    """A ``table`` with a ``tabular`` per section that has rows, without packages; the notes are its caption."""
    blocks = []
    for section in sections:
        if not section.rows:
            continue
        caption = " ".join([f"{section.title}.", *(note.removeprefix(BULLET) for note in section.notes)])
        lines = [
            r"\begin{table}",
            rf"\caption{{{_escaped(caption)}}}",
            rf"\label{{tab:{re.sub(r'[^A-Za-z0-9-]+', '-', section.key)}}}",
            rf"\begin{{tabular}}{{{''.join('r' if column.numeric else 'l' for column in section.columns)}}}",
            r"\hline",
            _row([column.title for column in section.columns]),
            r"\hline",
            *(_row(row) for row in section.rows),
            r"\hline",
            r"\end{tabular}",
            r"\end{table}",
        ]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def _row(cells: Sequence[str]) -> str:
    return " & ".join(map(_escaped, cells)) + r" \\"


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(character, character) for character in text)
