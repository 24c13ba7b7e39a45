"""Files that are no text, too large, or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from accmine.errors import InputError
from accmine.files import read_text, resolve


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: \xff", r"not UTF-8 text \(byte 3\)$"),
        (b"\xff\xfea\x00", "looks like text in UTF-16; save it as UTF-8"),
        (b'\x40\x00\x00\x00\x00\x00\x00\x00{"__metadata__": \xff', "looks like weights in safetensors"),
        (b"PK\x03\x04\xff\xff", "looks like an archive"),
        (b"\x08\x07\x12\x07pytorch\xff", "looks like a model in ONNX"),
        (b"\x80\x04\x95\xff", "looks like a pickle"),
    ],
)
def test_binary(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_text(file)


def test_what_never_ends_and_what_is_too_large(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is larger than 64 MiB"):
        read_text(Path("/dev/zero"))
    large = tmp_path / "large.json"
    with large.open("wb") as file:
        file.truncate(2**36)  # a file of holes
    with pytest.raises(InputError, match="is larger than 64 MiB"):
        read_text(large)


@pytest.mark.parametrize("name", ["no.yaml", "a\0b.yaml", "x" * 5000 + ".yaml", "~nobody-of-this-name/a.yaml", "."])
def test_names_of_no_file(name: str) -> None:
    with pytest.raises(InputError):
        read_text(Path(name))
    with pytest.raises(InputError):
        resolve("studies", name)


def test_name_in_messages(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^mine: no such file$"):
        read_text(tmp_path / "no", "mine")
