"""What commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from accmine.errors import InputError
from accmine.questions import options


@pytest.mark.parametrize(
    ("status", "stop", "code"),
    [
        ("optimal", "proved", 0),
        ("feasible", "time", 0),
        ("feasible", "interrupted", 130),
        ("infeasible", "proved", 1),
        ("unknown", "time", 4),
        ("unknown", "interrupted", 130),
    ],
)
def test_exit_codes(status: str, stop: str, code: int) -> None:
    assert options.exit_code(status, stop) == code


def test_an_output_must_be_a_file_in_a_folder(tmp_path: Path) -> None:
    options.writable(None)
    options.writable(tmp_path / "new.json")
    for path in (tmp_path, tmp_path / "no" / "new.json"):
        with pytest.raises(InputError, match="--output: cannot write"):
            options.writable(path, "--output")


def test_no_output_replaces_an_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.yaml").write_text("a: 1\n")
    (tmp_path / "link.yaml").symlink_to("in.yaml")
    for name in ("in.yaml", "./in.yaml", str(tmp_path / "in.yaml"), "link.yaml"):
        with pytest.raises(InputError, match=r"--output: .* is read by this command, and would be overwritten"):
            options.writable(Path(name), "--output", ("bert-base", "a\0b", "in.yaml"))
    options.writable(Path("in.yaml"), "--output", ("other.yaml", ""))
    options.writable(Path("new"), "--output", ("new",))  # the name of a model, no file
