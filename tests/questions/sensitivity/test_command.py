"""``accmine sensitivity``: what its options refuse before anything is solved."""

from __future__ import annotations

from typing import Any

import pytest

from tests.samples.command_sample import caller


@pytest.fixture
def accmine(capsys: pytest.CaptureFixture[str]) -> Any:
    return caller(capsys)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--percent", "0"], "--percent must be above 0 and at most 100, got 0"),
        (
            ["--seconds", "5", "--set", "budget.deterministic=true", "--set", "budget.work=1"],
            "--seconds: has no effect",
        ),
        (["--quiet", "-v"], "exclude each other"),
    ],
)
def test_what_has_no_meaning_is_refused(accmine: Any, arguments: list[str], message: str) -> None:
    said = accmine("sensitivity", "quickstart", *arguments)
    assert (said.code, said.out) == (2, "")
    assert message in said.err
