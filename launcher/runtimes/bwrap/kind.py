"""The local environment that insists on its wall, as one kind of runtime among others."""

from __future__ import annotations

from launch_quantization.errors import EngineUnreachableError
from launch_quantization.runtimes.local.kind import Local


class Bwrap(Local):
    """As ``local``, but where bubblewrap walls nothing in, no job runs."""

    name = "bwrap"
    where = "in a local environment behind a wall"
    need = "wall"
    exit_code = EngineUnreachableError.exit_code
    insist = True


KIND = Bwrap()
