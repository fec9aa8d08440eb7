"""Multiplies codes with probes by ONNX Runtime's integer kernels, which are as fast as memory."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # keeps the cold start short
    from onnxruntime import InferenceSession

# The largest component of a probe. Some kernels add two products in 16 bits, which holds 2 * 127 * 127.
MAX_PROBE = 127

# An ONNX model of one operator, MatMulInteger(probes: uint8, codes: int8) -> products: int32, of any sizes. A test
# makes the same bytes with the onnx package.
_MODEL = bytes.fromhex(
    "080812003a93010a280a0670726f6265730a05636f646573120870726f6475637473220d4d61744d756c496e746567657212"
    "0870726f64756374735a1a0a0670726f62657312100a0e0802120a0a0312016d0a031201645a1e0a05636f64657312150a13"
    "0803120f0a031201740a031201640a0312016e62210a0870726f647563747312150a130806120f0a031201740a0312016d0a"
    "0312016e42040a00100a"
)


def products(probes: NDArray[np.uint8], codes: NDArray[np.int8]) -> NDArray[np.int32]:
    """Return probes (m x d, up to MAX_PROBE) times each tile of codes (tiles x d x n, contiguous); exact.

    The result is tiles x m x n. Narrow tiles are read in the order of memory: those of 64 faces take half the time of
    one wide matrix.
    """
    result: NDArray[np.int32] = _session().run(None, {"probes": probes, "codes": codes})[0]
    return result


@cache
def _session() -> InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(_MODEL, options, providers=["CPUExecutionProvider"])
