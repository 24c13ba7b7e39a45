"""Exports: files are written whole, and never over somebody else's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from accmine.errors import InputError
from accmine.questions.export.folder import MANIFEST, check_export, write_export
from tests.samples.export_sample import listing, manifest

FILES = {"README.txt": "read\n", "design-0/a.csv": "1,\n"}


def test_files_and_their_list_are_written(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "export"
    written = write_export(folder, FILES)
    assert written == (folder / "README.txt", folder / "design-0/a.csv", folder / MANIFEST)
    found = listing(folder)
    assert {name: found[name] for name in FILES} == FILES
    assert manifest(folder) == sorted(FILES)


def test_an_empty_folder_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert len(write_export(tmp_path / "empty", FILES)) == 3


@pytest.mark.parametrize("name", ["README.txt", "other.txt", "deep/er/other.txt"])
def test_a_folder_with_files_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match=r"is not empty .*--again"):
        write_export(tmp_path, FILES)
    assert listing(tmp_path) == {name: "mine"}


def test_again_replaces_an_earlier_export_only(tmp_path: Path) -> None:
    write_export(tmp_path, FILES | {"old.csv": "0,\n"})
    (tmp_path / "notes.txt").write_text("mine")
    write_export(tmp_path, {"README.txt": "new\n"}, again=True)
    assert sorted(listing(tmp_path)) == ["README.txt", MANIFEST, "notes.txt"]
    assert (tmp_path / "README.txt").read_text() == "new\n"
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_again_never_overwrites_what_no_export_wrote(tmp_path: Path) -> None:
    write_export(tmp_path, {"a.csv": "1,\n"})
    (tmp_path / "README.txt").write_text("mine")
    with pytest.raises(InputError, match=r"no export wrote: README\.txt"):
        write_export(tmp_path, FILES, again=True)
    assert (tmp_path / "README.txt").read_text() == "mine"
    assert (tmp_path / "a.csv").read_text() == "1,\n"


def test_a_list_that_points_elsewhere_removes_nothing_there(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("mine")
    folder = tmp_path / "export"
    write_export(folder, FILES)
    (folder / MANIFEST).write_text(json.dumps({"files": ["../outside.txt", "README.txt", 3]}))
    assert check_export(folder, ["README.txt"], again=True) == ("README.txt",)
    write_export(folder, {"README.txt": "new\n"}, again=True)
    assert outside.read_text() == "mine"


@pytest.mark.parametrize("text", ["", "[]", '{"list": []}', '{"files": 3}'])
def test_a_broken_list_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(InputError, match="is not the list of an export"):
        write_export(tmp_path, FILES, again=True)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(InputError, match="is a file; a folder is needed"):
        write_export(tmp_path / "x", FILES, again=True)
