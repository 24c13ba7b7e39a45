"""Where the sections that only a page has stand among the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from accmine.report import Figure, Section

__all__ = ["in_place"]

_AFTER: tuple[tuple[str, str, str, str], ...] = (
    (
        "evaluated",
        "throughput",
        "Everything evaluated",
        "Of each design the best schedule that was found for it; only those near the answer were refined.",
    ),
    ("parts", "time", "Why: where area and power go", "Of one device, by the technology of the study."),
    ("gantt", "parts", "Schedule", "A row is a core; its share on the right is the time in which it computes."),
    (
        "timeline",
        "gantt",
        "Timeline of the step",
        "A row is a stage or a link; each picture has a time axis of its own.",
    ),
    ("roofline", "timeline", "Roofline", "Operators in the modes that their schedule gives them."),
)
"""Section, the one that it follows, its title and its note."""


def in_place(sections: Sequence[Section], figures: Mapping[str, Sequence[Figure]], study: str = "") -> list[Section]:
    """The sections with those of figures that there are, each behind the one it belongs to; the study is the last."""
    found = list(sections)
    for key, after, title, note in _AFTER:
        keys = [section.key for section in found]
        if key not in keys and any(figure.picture for figure in figures.get(key, ())):
            place = next((keys.index(name) for name in _upwards(after) if name in keys), len(keys) - 1)
            found.insert(place + 1, Section(key, title, notes=(note,)))
    if study:
        note = "Every key with its value, as it was run: save it as a file to run it again or to change it."
        found.append(Section("study", "The study", notes=(note,), files=(("study", study),)))
    return found


def _upwards(key: str) -> list[str]:
    """A key and those it would follow, if it is not there itself."""
    chain = [key]
    known = {name: after for name, after, _, _ in _AFTER}
    while chain[-1] in known:
        chain.append(known[chain[-1]])
    return [*chain, "parts", "limits", "throughput", "answer"]
