"""The ops that may be evaluated while a graph is converted, and how large their results can become.

Only what computes from its inputs alone is listed. TensorFlow's own mark says less: it calls ReadFile stateless,
and a file of this machine would become a constant of a graph that people publish.
"""

from __future__ import annotations

from typing import Callable, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

Shape = Tuple[int, ...]
# What is known of a result before it is computed: its shape, or else how many elements it has at most.
Extent = Tuple[Optional[Shape], int]
# Of shapes that TensorFlow itself handles.
_MOST_DIMENSIONS = 254

# One result of the broadcast shape of all inputs.
_BROADCASTING_NAMES = """
    Abs Acos Acosh Add AddV2 Angle Asin Asinh Atan Atan2 Atanh BitwiseAnd BitwiseOr BitwiseXor Cast Ceil ClipByValue
    Complex ComplexAbs Conj Cos Cosh Digamma Div DivNoNan Elu Equal Erf Erfc Erfinv Exp Expm1
    FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel Floor FloorDiv FloorMod
    Greater GreaterEqual Identity Imag Inv Invert IsFinite IsInf IsNan LeakyRelu LeftShift Less LessEqual Lgamma
    Log Log1p LogicalAnd LogicalNot LogicalOr Maximum Minimum Mod Mul MulNoNan Neg NotEqual OnesLike Pow
    PreventGradient Real RealDiv Reciprocal Relu Relu6 RightShift Rint Round Rsqrt Select SelectV2 Selu Sigmoid Sign
    Sin Sinh Snapshot Softplus Softsign Sqrt Square SquaredDifference StopGradient Sub Tan Tanh
    TruncateDiv TruncateMod Xdivy Xlogy ZerosLike BiasAdd
"""
BROADCASTING = frozenset(_BROADCASTING_NAMES.split())
# Not more elements than the first input has.
_KEEPING_NAMES = """
    All Any ArgMax ArgMin BatchToSpaceND Bitcast ConjugateTranspose Cumprod Cumsum DataFormatDimMap
    DataFormatVecPermute DepthToSpace Dequantize EnsureShape ExpandDims InvertPermutation
    L2Loss LogSoftmax Max Mean Min Prod Reshape Reverse ReverseV2 Roll Slice Softmax SpaceToDepth Squeeze
    MatrixBandPart StridedSlice Sum Transpose QuantizeAndDequantizeV2 QuantizeAndDequantizeV3
"""
_KEEPING = frozenset(_KEEPING_NAMES.split())
# A number for each dimension, or one.
_MEASURING = frozenset(["Shape", "Size", "Rank", "BroadcastArgs"])
# All the elements of their inputs.
_JOINING = frozenset(["AddN", "Concat", "ConcatV2", "Pack"])


def _fill(values: Sequence[np.ndarray]) -> int:
    return _product(values[0])


def _tile(values: Sequence[np.ndarray]) -> int:
    return values[0].size * _product(values[1])


def _range(values: Sequence[np.ndarray]) -> int:
    start, limit, delta = (float(value) for value in values)
    return int(abs((limit - start) / delta)) + 1


def _padded(values: Sequence[np.ndarray]) -> int:
    return _product(np.array(values[0].shape, np.int64) + values[1].reshape(-1, 2).sum(axis=1))


def _one_hot(values: Sequence[np.ndarray]) -> int:
    return values[0].size * int(values[1])


def _gather(values: Sequence[np.ndarray]) -> int:
    axis = int(values[2]) if len(values) > 2 else 0
    return values[0].size // max(values[0].shape[axis], 1) * values[1].size


def _matmul(values: Sequence[np.ndarray]) -> int:
    # rows and columns may be transposed: the larger sides bound them
    first, second = values[0].shape, values[1].shape
    batch = max(_product(first[:-2]), 1) * max(_product(second[:-2]), 1)
    return batch * max(first[-2:]) * max(second[-2:])


# What has to be known of the inputs' values first: values -> number of elements.
_BY_VALUES: Dict[str, Callable[[Sequence[np.ndarray]], int]] = {
    "BroadcastTo": lambda values: _product(values[1]),
    "Fill": _fill,
    "Gather": _gather,
    "GatherV2": _gather,
    "GatherNd": lambda values: values[0].size * values[1].size,
    "LinSpace": lambda values: int(values[2]),
    "MatMul": _matmul,
    "BatchMatMul": _matmul,
    "BatchMatMulV2": _matmul,
    "MirrorPad": _padded,
    "OneHot": _one_hot,
    "Pad": _padded,
    "PadV2": _padded,
    "Range": _range,
    "ResizeBilinear": lambda values: values[0].size * _product(values[1]),
    "ResizeNearestNeighbor": lambda values: values[0].size * _product(values[1]),
    "ScatterNd": lambda values: _product(values[2]),
    "SpaceToBatchND": lambda values: (
        _product(np.array(values[0].shape[1 : 1 + len(values[2])], np.int64) + values[2].reshape(-1, 2).sum(axis=1))
        * values[0].size
    ),
    "Tile": _tile,
}
FOLDABLE = frozenset([*BROADCASTING, *_KEEPING, *_MEASURING, *_JOINING, *_BY_VALUES])


def needs_values(op: str) -> bool:
    """Whether the size of an op's result is only known with the values of its inputs."""
    return op in _BY_VALUES


def extent_by_values(op: str, values: Sequence[np.ndarray]) -> Optional[Extent]:
    """How large the result of such an op is; None where the inputs make no sense."""
    try:
        return None, _BY_VALUES[op](values)
    except (ValueError, TypeError, IndexError, ZeroDivisionError, OverflowError):
        return None


def effort(op: str, values: Sequence[np.ndarray]) -> int:
    """How many steps each element of such an op's result takes."""
    return max(values[0].shape[-2:]) if _BY_VALUES[op] is _matmul else 1


def extent(op: str, inputs: List[Extent]) -> Optional[Extent]:
    """How large the result of any other op can become; None where the inputs make no sense."""
    if op in _MEASURING:
        return None, _MOST_DIMENSIONS
    if op in _KEEPING:
        return None, inputs[0][1]
    if op in _JOINING:
        return None, sum(size for _, size in inputs)
    shapes = [shape for shape, _ in inputs if shape is not None]
    if len(shapes) < len(inputs):
        # of broadcasting it is not known which dimensions meet: at most, each element meets each
        large = [size for _, size in inputs if size > 1]
        return None, _product(large)
    try:
        shape = broadcast(shapes)
    except ValueError:
        return None
    return shape, _product(shape)


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """The shape to which others broadcast.

    Raises:
        ValueError: they do not.
    """
    result: List[int] = []
    for place in range(max(len(shape) for shape in shapes)):
        sizes = {shape[-1 - place] for shape in shapes if place < len(shape)} - {1}
        if len(sizes) > 1:
            raise ValueError("%s do not broadcast" % (shapes,))
        result.insert(0, sizes.pop() if sizes else 1)
    return tuple(result)


def _product(sizes: Union[np.ndarray, Sequence[int]]) -> int:
    """Of Python's integers, which do not overflow; negative ones make no sense, and TensorFlow says so."""
    result = 1
    for size in np.asarray(sizes).reshape(-1).tolist():
        result *= max(int(size), 0)
    return result
