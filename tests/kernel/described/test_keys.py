"""What the page says of the keys of an architecture is what is read."""

from __future__ import annotations

import re
from pathlib import Path

from accmine.kernel.described.keys import ArchitectureKeys

PAGE = Path(__file__).resolve().parents[3] / "docs/kernel-models.md"


def test_the_page_names_every_key_with_its_default() -> None:
    stage, unit, memory = (
        ArchitectureKeys.model_json_schema()["$defs"][name]["properties"]
        for name in ("StageKeys", "UnitKeys", "MemoryKeys")
    )
    defaults = {
        f"{section}.*.{key}": value.get("default", "required" if key in ("bandwidth", "to", "executes") else None)
        for section, keys in (("stages", stage), ("units", unit), ("memories", memory))
        for key, value in keys.items()
    }
    rows = re.findall(r"^\| (`\w+\.\*\..*?) \| (.*?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    said = {}
    for keys, default in rows:
        names = re.findall(r"`([^`]+)`", keys)
        section = names[0].partition(".")[0]
        for name in names:
            said[name if "." in name else f"{section}.*.{name}"] = default.strip("`")
    for name in ("stages.*.latency", "stages.*.interval", "stages.*.slots", "units.*.latency", "units.*.slots"):
        assert said[name] == str(defaults[name]) == "1"
    for name in ("memories.*.read_latency", "memories.*.write_latency"):
        assert said[name] == str(defaults[name]) == "1"
    assert said["stages.*.kind"] == defaults["stages.*.kind"] == "stage"
    assert said["memories.*.bandwidth"] == defaults["memories.*.bandwidth"] == "required"
    lists = {"repeat", "to", "executes", "reads", "writes", "read_ports", "write_ports"}
    assert {name for name in defaults if name.rpartition(".")[2] not in lists} == said.keys() - {"registers.*"}
