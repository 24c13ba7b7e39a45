"""Architectures and kernels as text for the tests of this folder."""

from __future__ import annotations

from accmine.files import load_yaml
from accmine.kernel.architecture import Architecture, Kernel
from accmine.kernel.described.architecture_file import read_architecture
from accmine.kernel.described.kernel_file import read_kernel

TINY = """\
name: tiny
frequency: 1 GHz
parameters: {rows: 16, cols: 16}
stages:
  fetch: {kind: fetch, latency: 1, slots: 4, to: [load_queue, compute_queue]}
  load_queue: {slots: 2, latency: 0, to: [dma]}
  compute_queue: {kind: execute, slots: 2, to: [array]}
units:
  dma: {executes: [load], latency: 4, interval: 1, reads: [dram], writes: [spad]}
  array: {executes: [matmul], latency: rows + cols + m - 2, interval: m, reads: [spad, acc], writes: [acc]}
registers:
  acc: {C: 1, D: 2}
memories:
  dram:
    {bandwidth: 16, read_latency: 100, write_latency: 60, size: 4 KiB, read_ports: 1, write_ports: 1, buffers: {A: 1}}
  spad: {bandwidth: 64, ports: 2, size: 256 KiB, buffers: {A: 2, B: 2}}
"""

PRODUCT = """\
name: product
body:
  - loop: 64
    body:
      - {load: {reads: ["dram.A:256"], writes: [spad.A]}}
      - {matmul: {m: 16, reads: ["spad.A:256"], updates: [acc.C]}}
"""

ARRAY = """\
name: os-array
parameters: {rows: 16, cols: 16}
stages:
  fetch: {kind: fetch, repeat: {r: rows, c: cols}, latency: 0, interval: 0, to: ["queue_{r}_{c}"]}
  queue_{r}_{c}: {kind: execute, repeat: {r: rows, c: cols}, latency: 0, slots: rows + cols, to: ["pe_{r}_{c}"]}
units:
  pe_{r}_{c}:
    repeat: {r: rows, c: cols}
    executes: ["mac_{r}_{c}"]
    reads: ["pass_{r}_{c-1}?", "pass_{r-1}_{c}?", "pass_{r}_{c}"]
    writes: ["pass_{r}_{c}"]
registers:
  pass_{r}_{c}: {repeat: {r: rows, c: cols}, east: 2, south: 2, sum: 1}
"""

MACS = """\
name: macs
parameters: {macs: 8}
body:
  - loop: macs
    body:
      - repeat: {r: rows, c: cols}
        body:
          - mac_{r}_{c}:
              reads: ["pass_{r}_{c-1}.east?", "pass_{r-1}_{c}.south?"]
              writes: ["pass_{r}_{c}.east", "pass_{r}_{c}.south"]
              updates: ["pass_{r}_{c}.sum"]
"""


def architecture(text: str = TINY, **parameters: int) -> Architecture:
    """The architecture of a text, which messages call ``arch.yaml``."""
    return read_architecture(load_yaml(text=text, name="arch.yaml"), parameters)


def kernel(text: str, machine: Architecture, **parameters: int) -> Kernel:
    """The kernel of a text, which messages call ``kernel.yaml``."""
    return read_kernel(load_yaml(text=text, name="kernel.yaml"), machine, parameters)


def place_of(text: str, word: str) -> str:
    """``line:column`` of the first occurrence of a word."""
    before = text[: text.index(word)]
    return f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
