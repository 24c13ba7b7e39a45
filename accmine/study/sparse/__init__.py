"""Studies of sparse dataflow accelerators: their keys, and the files that they name."""

from accmine.study.sparse.inputs import LoadedSparse, SparseInputs, read_sparse, sparse_in
from accmine.study.sparse.keys import SparseStudy, sparse_schema
from accmine.study.sparse.shares import Shares

__all__ = [
    "LoadedSparse",
    "Shares",
    "SparseInputs",
    "SparseStudy",
    "read_sparse",
    "sparse_in",
    "sparse_schema",
]
