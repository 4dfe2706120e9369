"""The CPUs that an INT8 graph is made for.

Kernels without VNNI add two products of quint8 and qint8 in a saturating int16. Weights that cannot exceed it take up
to one bit of a channel's resolution, which a CPU with VNNI does not need; see
:func:`intel_quantization.quantize.weights.quantize_weights`.
"""

from __future__ import annotations

from intel_quantization.contract.words import TARGET_CPUS
from intel_quantization.errors import BadInputError

ANY, VNNI = TARGET_CPUS


def check_target_cpu(name: str) -> str:
    """The name of a target CPU as it was given.

    Raises:
        BadInputError: there is none of that name.
    """
    if name not in TARGET_CPUS:
        raise BadInputError("there is no target CPU '%s'" % name, "choose one of %s" % ", ".join(TARGET_CPUS))
    return name
