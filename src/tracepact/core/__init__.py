"""Measuring: arrays of any library become statistics.

The Python core defines what every statistic means; the native core computes the same in C. `select`
picks the core that serves.
"""

from tracepact.core.arrays import as_array, is_scalar
from tracepact.core.compare import ErrorStats, compare, compare_product
from tracepact.core.dispatch import measure, row_reduce
from tracepact.core.largest import largest, largest_share
from tracepact.core.python import CHUNK_ELEMENTS, broadcast_shape, chunks, row_sum_error
from tracepact.core.select import CoreChoice, native_core, selected_core, using_core
from tracepact.core.stats import Stat, TensorStats
from tracepact.core.tolerance import scaled_tolerance

__all__ = [
    "CHUNK_ELEMENTS",
    "CoreChoice",
    "ErrorStats",
    "Stat",
    "TensorStats",
    "as_array",
    "broadcast_shape",
    "chunks",
    "compare",
    "compare_product",
    "is_scalar",
    "largest",
    "largest_share",
    "measure",
    "native_core",
    "row_reduce",
    "row_sum_error",
    "scaled_tolerance",
    "selected_core",
    "using_core",
]
