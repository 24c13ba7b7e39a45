"""What a file is that is not what it was given as: formats of other tools, and accmine's own of another kind.

A guess from names and first lines, for messages only; nothing is read because of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

__all__ = ["looks_like"]

_ENOUGH = 200_000  # characters of a file that are looked at


@dataclass(frozen=True)
class _Look:
    """The beginning of a text and its name."""

    text: str
    suffix: str

    @cached_property
    def lines(self) -> list[str]:
        return [line.strip() for line in self.text.splitlines() if line.strip()]

    @cached_property
    def keys(self) -> frozenset[str]:
        """Keys at the top of YAML; all keys of JSON, since the ends of its objects are not looked for."""
        pattern = r'"([\w.-]+)"\s*:' if self.text.lstrip()[:1] in ("{", "[") else r"(?m)^([\w.-]+)\s*:"
        return frozenset(re.findall(pattern, self.text))

    def has(self, *keys: str) -> bool:
        """Whether all of these are keys."""
        return self.keys.issuperset(keys)

    def some(self, least: int, *keys: str) -> bool:
        """Whether at least so many of these are keys."""
        return len(self.keys.intersection(keys)) >= least


def _numbers(line: str) -> bool:
    return re.fullmatch(r"[-+\d\s]+", line) is not None


def _is_patterson(look: _Look) -> bool:
    """Numbers of jobs and resources, then as many capacities as resources."""
    lines = look.lines
    if look.suffix == ".rcp":
        return True
    if len(lines) < 4 or not all(map(_numbers, lines[:50])):
        return False
    head = lines[0].split()
    return len(head) == 2 and len(lines[1].split()) == int(head[1]) < 100


def _is_time_lags(look: _Look) -> bool:
    lags = re.match(r"\s*\d+\s+\d+\s+\d+\s+\d+\s*\n", look.text) and re.search(r"\[-?\d+\]\s*$", look.text, re.M)
    return look.suffix == ".sch" or bool(lags)


def _is_layer_table(look: _Look) -> bool:
    head = look.lines[0].lower() if look.lines else ""
    return "," in head and ("ifmap" in head or re.match(r"layer( name)?\s*,\s*m\s*,\s*n\s*,\s*k", head) is not None)


def _is_minizinc(look: _Look) -> bool:
    if look.suffix in (".mzn", ".dzn", ".fzn"):
        return True
    words = r"(?m)^\s*(?:(?:var|array\s*\[[^\]]*\]\s*of|constraint)\b.*[;(]?|solve\s+(?:satisfy|minimize|maximize)\b.*)"
    return ";" in look.text and len(re.findall(words, look.text)) >= 2


_HUGGING_FACE = ("hidden_size", "num_attention_heads", "num_hidden_layers", "vocab_size", "n_embd", "n_head", "n_layer")

_TEXTS: tuple[tuple[str, Callable[[_Look], object]], ...] = (
    (
        "a project of PSPLIB (.sm, .mm), which accmine solve reads",
        lambda look: "PRECEDENCE RELATIONS" in look.text and "REQUESTS/DURATIONS" in look.text,
    ),
    ("a project with minimal and maximal time lags (RCPSP/max, .sch of ProGen/max)", _is_time_lags),
    ("a project in the format of Patterson (.rcp)", _is_patterson),
    ("a topology of SCALE-Sim (a table of layers)", _is_layer_table),
    ("a model of MiniZinc", _is_minizinc),
    (
        "a problem, an architecture or a mapping of Timeloop",
        lambda look: (
            look.some(1, "problem", "architecture", "arch", "mapspace", "mapper", "mapping")
            and not look.some(1, "workloads", "family", "kind")
        ),
    ),
    (
        "a model of Calculon",
        lambda look: look.some(4, "hidden", "feedforward", "seq_size", "attn_heads", "num_blocks"),
    ),
    ("Meta's params.json of a Llama", lambda look: look.has("dim", "n_layers", "n_heads")),
    (
        "a config.json of Hugging Face without model_type",
        lambda look: look.some(3, *_HUGGING_FACE) and not look.has("model_type"),
    ),
    ("a config.json of Hugging Face", lambda look: look.has("model_type") and look.some(2, *_HUGGING_FACE)),
    (
        "the result of accmine solve, which accmine check reads with its problem",
        lambda look: look.has("kind", "solution", "status"),
    ),
    ("the result of a run, which accmine show prints", lambda look: look.has("status", "stop", "certificate")),
    ("a stack of software, which accmine calibrate writes", lambda look: look.has("factor", "band")),
    (
        "a described architecture, which accmine kernel reads, and after it a kernel or a model",
        lambda look: look.some(2, "stages", "units", "registers", "memories") and not look.has("microbatches"),
    ),
    (
        "a kernel, which accmine kernel and accmine validate read after its architecture",
        lambda look: look.has("name", "body") and not look.has("kind"),
    ),
    (
        "a study of a sparse dataflow accelerator, which accmine run reads",
        lambda look: look.has("kind", "loss") and look.some(1, "device", "devices") and not look.has("layers"),
    ),
    ("a problem of accmine, which accmine solve reads", lambda look: look.has("kind")),
    ("a study over a suite, which accmine compare reads", lambda look: look.has("name", "compare")),
    ("a study, which accmine run reads", lambda look: look.has("workloads", "accelerator")),
    ("a description of a model, which a study names under workloads", lambda look: look.has("family")),
    (
        "an accelerator, which a study names under accelerator",
        lambda look: look.some(2, "tensor_cores", "tensor_dim", "vector_lanes", "hbm_bandwidth"),
    ),
    ("a technology, which a study names under technology", lambda look: look.has("area", "node_nm")),
    ("a cluster, which a study names under system", lambda look: look.some(1, "link", "levels") and look.has("name")),
)
"""Kind of a text and what tells it, in the order in which they are tried."""

_BINARY: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("text in UTF-16; save it as UTF-8", re.compile(rb"\xff\xfe|\xfe\xff")),
    ("weights in safetensors", re.compile(rb".{8}\{\s*\"", re.DOTALL)),
    ("weights in GGUF", re.compile(rb"GGUF")),
    ("an archive (ZIP, or a checkpoint of PyTorch)", re.compile(rb"PK\x03\x04")),
    ("a pickle of Python", re.compile(rb"\x80[\x02-\x05]")),
    ("an HDF5 file", re.compile(rb"\x89HDF")),
    ("a compressed file (gzip)", re.compile(rb"\x1f\x8b")),
    ("an array of NumPy", re.compile(rb"\x93NUMPY")),
    ("a model in ONNX (protobuf)", re.compile(rb"\x08[\x01-\x20][\x12\x3a\x42]", re.DOTALL)),
)
_BINARY_SUFFIXES = {
    ".onnx": "a model in ONNX (protobuf)",
    ".pb": "a graph in protobuf",
    ".safetensors": "weights in safetensors",
    ".gguf": "weights in GGUF",
    ".pt": "a checkpoint of PyTorch",
    ".pth": "a checkpoint of PyTorch",
}


def looks_like(content: str | bytes, path: Path | None = None) -> str | None:
    """What a file seems to be, in words, or ``None`` where nothing is known.

    Parameters
    ----------
    content
        Its text, or its bytes where they are no text.
    path
        Its name.
    """
    suffix = "" if path is None else path.suffix.lower()
    if suffix in _BINARY_SUFFIXES:
        return _BINARY_SUFFIXES[suffix]
    start = content[:64] if isinstance(content, bytes) else content[:64].encode("utf-8", "replace")
    known = next((says for says, pattern in _BINARY if pattern.match(start)), None)
    if known is not None or isinstance(content, bytes):
        return known
    look = _Look(content[:_ENOUGH], suffix)
    return next((says for says, test in _TEXTS if test(look)), None)
