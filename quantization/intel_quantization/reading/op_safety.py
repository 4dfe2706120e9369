"""Which ops do more than compute: they touch files, processes or the network, or call Python functions."""

from __future__ import annotations

import re
from typing import Optional

from tensorflow.core.framework import node_def_pb2, types_pb2

from intel_quantization.graph.attributes import attribute
from intel_quantization.ops import registry

_FILES = re.compile(
    r"(ReadFile|WriteFile|MatchingFiles|LoadAndRemapMatrix|RecordInput|ImportEvent|Skipgram|MergeV2Checkpoints"
    r"|FileSystemSetConfiguration|FixedUnigramCandidateSampler|InitializeTableFromTextFile(V2)?|DistributedSave"
    r"|DTensorRestoreV2|Save(V2|Slices)?|Restore(V2|Slice)?|Reader.*"
    r"|(WholeFile|TextLine|FixedLengthRecord|TFRecord|LMDB)Reader(V2)?"
    r"|Write[A-Za-z]*Summary|CreateSummary.*Writer|SummaryWriter|FlushSummaryWriter|CloseSummaryWriter)$"
)
_DATASETS = re.compile(r".*Dataset.*$")
_PYTHON = re.compile(r"(PyFunc|EagerPyFunc|PyFuncStateless)$")
_DEBUG = re.compile(r"(Debug(Identity|NanCount|NumericSummary).*|Copy|CopyHost)$")
_NETWORK = re.compile(r"(Rpc.*|RemoteCall|_?(Host)?(Send|Recv)|Collective.*|Nccl.*|_Nccl.*|DeleteRpcFutureResource)$")
_PROCESS = re.compile(r"(Abort|Sleep(Identity)?Op|Xla(CustomCall.*|Launch.*|CallModule|HostCompute|SendToHost))$")
_KINDS = (
    (_FILES, "reads or writes files"),
    (_DATASETS, "belongs to an input pipeline, which reads files"),
    (_PYTHON, "calls a function of Python"),
    (_DEBUG, "sends values to files or the network"),
    (_NETWORK, "talks to other processes"),
    (_PROCESS, "stops the process or leaves TensorFlow"),
)
# What TensorFlow calls stateful, and that only keeps values in memory or draws random numbers.
_IN_MEMORY = re.compile(
    r"(Assert|CheckNumerics(V2)?|Print|PrintV2|GuaranteeConst|Empty|Timestamp|DeepCopy|DeviceIndex|GraphDefVersion"
    r"|If|While|Case|RiscWhile|_If|_While|StatefulPartitionedCall|Multinomial|TruncatedNormal|.*Random.*"
    r"|ParameterizedTruncatedNormal|Rng.*|NonDeterministicInts|StatefulStandardNormal.*|StatefulTruncatedNormal"
    r"|StatefulUniform.*|StatelessRandomGetAlg|SampleDistortedBoundingBox.*|.*CandidateSampler|AnonymousSeedGenerator"
    r"|TensorArray.*|Stack.*|MutexV2|MutexLock|ConsumeMutexLock|CudnnRNN.*|BoostedTrees.*|IsBoostedTrees.*"
    r"|Variable(V2)?|TemporaryVariable|VarHandleOp|_VarHandlesOp|VarIsInitializedOp|VariableShape|ReadVariableOp"
    r"|_ReadVariablesOp|Assign.*|Resource.*|DestroyResourceOp|DisableCopyOnRead|.*HashTable.*|InitializeTableV2"
    r"|LookupTable.*|.*Queue.*|Barrier|.*Accumulator|(Ordered)?Map(Clear|IncompleteSize|Peek|Size|Stage|Unstage.*)"
    r"|Stage.*|Unstage|Iterator(V2)?|OneShotIterator|MakeIterator|IteratorGetNext.*|(Take|Add).*Sparse.*Map"
    r"|CustomAggregator|_Arg|_Retval|_DeviceArg|_DeviceRetval|_ParallelConcatStart)$"
)


def refusal(op: str, node: Optional[node_def_pb2.NodeDef] = None) -> str:
    """What an op does besides computing; empty where that is nothing, or this TensorFlow has no such op.

    Args:
        op: its name.
        node: where there is one; some ops touch files only if an attribute says so.
    """
    for pattern, what in _KINDS:
        if pattern.match(op):
            return what
    if node is not None and op == "PrintV2" and attribute(node, "output_stream").s.startswith(b"file"):
        return "writes a file"
    if node is not None and op in ("DecodeProtoV2", "EncodeProto"):
        source = attribute(node, "descriptor_source").s
        return "" if source.startswith((b"local://", b"bytes://")) or not source else "reads a file"
    definition = registry.op_def(op)
    if definition is not None and definition.is_stateful and not _IN_MEMORY.match(op):
        return "is stateful, and not known to stay within TensorFlow"
    return ""


def may_run_unasked(op: str) -> bool:
    """Whether TensorFlow may run such an op when it imports a graph, to learn shapes: it calls it stateless."""
    definition = registry.op_def(op)
    if definition is None or definition.is_stateful or not refusal(op):
        return False
    return all(arg.type != types_pb2.DT_VARIANT for arg in definition.output_arg)
