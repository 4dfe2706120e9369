"""The options of the commands that run no job of their own: see ``options``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from . import groups, values
from .option import option
from .options import PlaceOptions, ViewOptions


@dataclass(frozen=True, repr=False, eq=False)
class BuildOptions(ViewOptions, PlaceOptions):
    """``build``."""

    no_cache: bool = option(values.FLAG, "build every step anew", groups.PLACE, default=False)


@dataclass(frozen=True, repr=False, eq=False)
class ImageOptions(ViewOptions, PlaceOptions):
    """``image``."""

    action: str = option(values.IMAGE_ACTION, "what to do", groups.PLACE, is_positional=True)
    file: str = option(values.FILE, "the archive", groups.PLACE, is_positional=True)


@dataclass(frozen=True, repr=False, eq=False)
class DoctorOptions(PlaceOptions):
    """``doctor``."""

    json: bool = option(values.FLAG, "the findings as JSON on stdout", groups.VIEW, default=False)


@dataclass(frozen=True, repr=False, eq=False)
class VerifyOptions:
    """``verify``."""

    manifest: str = option(values.FILE, "NAME.manifest.json", groups.AGAIN, is_positional=True)
    inputs: bool = option(
        values.FLAG, "also the graph, the data and whatever else went in", groups.AGAIN, default=False
    )


@dataclass(frozen=True, repr=False, eq=False)
class ReplayOptions:
    """``replay``. Paths are those of the manifest where they are not given."""

    manifest: str = option(values.FILE, "NAME.manifest.json", groups.AGAIN, is_positional=True)
    in_graph: Optional[str] = option(values.PATH, "where the FP32 graph is now", groups.AGAIN)
    data_location: Optional[str] = option(values.PATH, "where the data are now", groups.AGAIN)
    labels: Optional[str] = option(values.FILE, "where the labels are now", groups.AGAIN)
    runtime: Optional[str] = option(values.RUNTIME, "another runtime than that of the manifest", groups.AGAIN)
    keep: Optional[str] = option(
        values.DIRECTORY, "keep what comes of it in this folder (default: only compared)", groups.AGAIN
    )
    quiet: bool = option(values.FLAG, "only the comparison, and errors", groups.VIEW, default=False)
    verbose: bool = option(values.FLAG, "also the log of the job", groups.VIEW, default=False)


@dataclass(frozen=True, repr=False, eq=False)
class CleanOptions:
    """``clean``."""

    images: bool = option(
        values.FLAG, "also remove images of ours but the current ones", groups.CLEANING, default=False
    )
    environments: bool = option(
        values.FLAG, "also remove the local environments but the current ones", groups.CLEANING, default=False
    )
    statistics: bool = option(
        values.FLAG, "also remove what earlier runs calibrated, which --resume takes", groups.CLEANING, default=False
    )
    all: bool = option(values.FLAG, "also remove all that this tool keeps", groups.CLEANING, default=False)
    dry_run: bool = option(values.FLAG, "only say what would be removed", groups.VIEW, default=False)


@dataclass(frozen=True, repr=False, eq=False)
class CompletionOptions:
    """``completion``."""

    shell: str = option(values.SHELL, "the shell", groups.SHELL, default="bash", is_positional=True)
