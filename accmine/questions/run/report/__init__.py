"""The sections of a run's report, and these as text."""

from accmine.questions.run.report.whole import render, sections

__all__ = ["render", "sections"]
