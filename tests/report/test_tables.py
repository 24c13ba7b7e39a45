"""Tables of sections in Markdown and LaTeX."""

from __future__ import annotations

from accmine.report import BULLET, Section, figures, texts
from accmine.report.tables import latex, markdown

SECTION = Section(
    "gaps",
    "Gap & co",
    (*texts("study"), *figures("gap")),
    (("a|b_1", "12 %"), ("c\\d", "<0.01 %")),
    ("First.", f"{BULLET}one", f"{BULLET}two"),
)


def test_markdown() -> None:
    assert markdown([SECTION]) == (
        "### Gap & co\n\n"
        "| study | gap |\n"
        "| --- | ---: |\n"
        "| a\\|b_1 | 12 % |\n"
        "| c\\\\d | <0.01 % |\n\n"
        "First.\n\n"
        "- one\n"
        "- two\n"
    )


def test_latex_escapes_everything_and_leaves_out_sections_without_a_table() -> None:
    assert latex([SECTION, Section("notes", "Notes", notes=("only words",))]) == (
        "\\begin{table}\n"
        "\\caption{Gap \\& co. First. one two}\n"
        "\\label{tab:gaps}\n"
        "\\begin{tabular}{lr}\n"
        "\\hline\n"
        "study & gap \\\\\n"
        "\\hline\n"
        "a|b\\_1 & 12 \\% \\\\\n"
        "c\\textbackslash{}d & \\ensuremath{<}0.01 \\% \\\\\n"
        "\\hline\n"
        "\\end{tabular}\n"
        "\\end{table}\n"
    )


def test_several_sections_stand_apart() -> None:
    assert markdown([SECTION, SECTION]).count("### Gap & co\n") == 2
    assert "\\end{table}\n\n\\begin{table}" in latex([SECTION, SECTION])
