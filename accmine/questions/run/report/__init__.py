"""The sections of a run's report, and these as text and as a page."""

from accmine.questions.run.report.whole import page, render, sections

__all__ = ["page", "render", "sections"]
