"""The nearest allowed word is named, and nothing where none is near."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.files.suggest import did_you_mean

WORDS = st.lists(st.text("abcdef_", min_size=3, max_size=8), min_size=1, max_size=6, unique_by=str.lower)


@given(WORDS, st.integers(0, 5))
def test_an_allowed_word_is_nearest_to_itself_in_any_case(words: list[str], which: int) -> None:
    word = words[which % len(words)]
    assert did_you_mean(word, words) == f"did you mean {word!r}? "
    assert did_you_mean(word.upper(), words) == f"did you mean {word!r}? "


@given(WORDS, st.text(max_size=12))
def test_what_is_named_is_allowed_whatever_the_order(words: list[str], word: str) -> None:
    found = did_you_mean(word, words)
    assert found == did_you_mean(word, reversed(words))
    assert not found or found.split("'")[1] in words


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("throughputs", "did you mean 'throughput'? "),
        ("Bottle-neck", "did you mean 'bottleneck'? "),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_slips_of_the_pen(word: str, said: str) -> None:
    assert did_you_mean(word, ("throughput", "bottleneck", "throughput-per-tdp")) == said


def test_nothing_is_allowed() -> None:
    assert did_you_mean("x", ()) == ""
