"""Arrays of users: what is read, and archives that lie, bomb or hold code."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accmine.errors import InputError
from accmine.files.arrays import read_arrays


def archive(file: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as own:
        for name, content in members.items():
            own.writestr(f"{name}.npy", content)
    return file


def saved(array: object, version: tuple[int, int] = (1, 0)) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array), version, allow_pickle=True)
    return stream.getvalue()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_is_written_is_read(tmp_path: Path, save: Callable[..., None]) -> None:
    given: dict[str, Any] = {
        "conv.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "big-endian": np.array([1.5, 2.5], dtype=">f8"),
        "flags": np.array([True, False]),
        "one": np.int8(3),
        "nothing": np.zeros((0, 4)),
    }
    file = tmp_path / "a.npz"
    save(file, **given)
    found = read_arrays(file)
    assert list(found) == list(given)
    for key, array in given.items():
        assert found[key].shape == np.shape(array)
        assert found[key].dtype == array.dtype
        assert np.array_equal(found[key], array)


def test_a_later_format_is_read(tmp_path: Path) -> None:
    found = read_arrays(archive(tmp_path / "a.npz", x=saved([1, 2], (2, 0)), y=saved([3], (3, 0))))
    assert [found[key].tolist() for key in "xy"] == [[1, 2], [3]]


class Evil:
    """Would write a file when unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.file,)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    box = np.empty(1, dtype=object)
    box[0] = Evil(mark)
    for content in (saved(box), pickle.dumps(Evil(mark))):
        with pytest.raises(InputError, match=r"a\.npz: x: (holds object; numbers or flags are needed|is no array)"):
            read_arrays(archive(tmp_path / "a.npz", x=content))
    assert not mark.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (saved(["a"]), "x: holds <U1; numbers or flags are needed"),
        (saved([1j]), "x: holds complex128"),
        (saved([np.inf]), "x: holds infinities or NaN; finite numbers are needed"),
        (saved(np.zeros(8))[:-3], "x: says (8,) of float64, holds 61 bytes"),
        (saved(np.zeros(1)).replace(b"(1,), ", b"(10**9,)"), "x: is no array"),
        (saved(np.zeros(1)).replace(b"(1,), }        ", b"(99999999999,)}"), "x: says (99999999999,) of float64"),
        (saved(np.zeros(1)).replace(b"(1,), } ", b"(-1,), }"), "x: says (-1,) of float64"),
        (saved(np.zeros(1)).replace(b"(1,), }", b"(1,), ("), "x: is no array"),
        (saved(np.zeros(1)).replace(b"<f8", b"<,8"), "x: is no array"),
        (saved(np.zeros(1)).replace(b" 'shape'", b"b'shape'"), "x: is no array"),
        (b"", "x: is no array"),
        (b"\x93NUMPY\x09\x00", "x: is no array"),
    ],
)
def test_what_lies_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_arrays(archive(tmp_path / "a.npz", x=content))
    assert message in str(caught.value)


def test_archives_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"none\.npz: no such file"):
        read_arrays(tmp_path / "none.npz")
    with pytest.raises(InputError, match="cannot be read"):
        read_arrays(tmp_path)
    file = tmp_path / "a.npz"
    np.save(tmp_path / "b.npy", np.ones(3))
    for content in (b"", b"PK", b"layer,level\n", (tmp_path / "b.npy").read_bytes()):
        file.write_bytes(content)
        with pytest.raises(InputError, match=r"a\.npz: is no readable \.npz"):
            read_arrays(file)
    whole = archive(file, x=saved(np.arange(1000))).read_bytes()
    for place in range(30, len(whole) - 100, 97):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        with pytest.raises(InputError, match=r"a\.npz"):
            read_arrays(file)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_BZIP2) as own:
        own.writestr("x.npy", saved([1]))
    with pytest.raises(InputError, match="x: is compressed in another way than numpy does it"):
        read_arrays(file)
    with pytest.raises(InputError, match="null"):
        read_arrays(Path("a\0.npz"))
    with zipfile.ZipFile(file, "w") as own:
        own.writestr("readme.txt", "hello")
    with pytest.raises(InputError, match=r"readme\.txt: is no array; a \.npz as numpy\.savez writes it is needed"):
        read_arrays(file)
    with zipfile.ZipFile(file, "w") as own:
        own.writestr("x.npy", saved([1]))
        with pytest.warns(UserWarning, match="Duplicate name"):
            own.writestr("x.npy", saved([2]))
    with pytest.raises(InputError, match="x: is there twice"):
        read_arrays(file)
    monkeypatch.setattr("accmine.files.arrays.LARGEST_ARRAYS", 1000)
    with pytest.raises(InputError, match="bytes; allowed: 1,000"):
        read_arrays(archive(file, x=saved(np.zeros(10**6))))
