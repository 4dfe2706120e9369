"""The image that jobs run in: its tag is a hash of what went in, so an unchanged build is a no-op."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from launch_quantization.building.context import (
    context_files,
    context_root,
    digest,
    local_base,
    lock_file,
    pack,
    registry_base,
    supported_pythons,
    variants,
)
from launch_quantization.building.site import build_site
from launch_quantization.contract.words import DEFAULT_TENSORFLOW
from launch_quantization.errors import BuildError, EngineUnreachableError
from launch_quantization.runtimes.docker.engine import Engine, explanation, translated
from launch_quantization.runtimes.docker.image.base import DEBIAN_PYTHON, SCRIPT, BaseUnavailableError
from launch_quantization.runtimes.docker.image.lock import build_lock, builds_running
from launch_quantization.runtimes.docker.image.log import Build, run_build
from launch_quantization.runtimes.docker.image.store import (
    INPUTS_LABEL,
    LATEST,
    VARIANT_LABEL,
    finished_images,
    image_content,
    image_id,
    leftovers,
    own_tags,
    remove,
    remove_replaced,
    remove_stale_stages,
    tag_of,
)
from launch_quantization.stream.lines import BuildLog
from launch_quantization.stream.sanitize import safe_text

__all__ = [
    "DEFAULT_VARIANT",
    "LATEST",
    "ImageSpec",
    "builds_running",
    "context_root",
    "ensure_image",
    "find_image",
    "lock_file",
    "remove_images",
    "variants",
]

DEFAULT_VARIANT = DEFAULT_TENSORFLOW
BASE_VARIABLE = "QUANTIZATION_BASE_IMAGE"
_MACHINES = ("x86_64", "amd64")


@dataclass(frozen=True)
class ImageSpec:
    """Which image.

    Attributes:
        variant: TensorFlow variant, names a lock file.
        base_image: what to build on; None: QUANTIZATION_BASE_IMAGE, else what make_base.sh made for the
            variant's Python where it is on the engine, else what the variant names.
        ca_bundle: PEM file for the build; None: what the environment names.
    """

    variant: str = DEFAULT_VARIANT
    base_image: str | None = None
    ca_bundle: Path | None = None


@dataclass(frozen=True)
class _Plan:
    """A spec with everything resolved that its tag depends on.

    Attributes:
        files: the build context.
        context: hash of the build context.
        base: reference of the base image.
        base_id: its id on the engine, None where it is not there.
        base_content: hash of what is in it, the same on every engine; None where it is not there.
        inputs: hash of all that is known without the base.
    """

    spec: ImageSpec
    files: dict[str, bytes]
    context: str
    base: str
    base_id: str | None
    base_content: str | None
    inputs: str

    @property
    def tag(self) -> str:
        """The tag of the image on a base with this very content.

        The base's id would not do: it is the digest of another file in each of an engine's two kinds of image store.
        """
        key = digest(self.context.encode(), self.spec.variant.encode(), str(self.base_content).encode())
        return tag_of(self.spec.variant, key)


def find_image(engine: Engine, spec: ImageSpec) -> str | None:
    """The tag of the up-to-date image where the engine has it, else None. Pulls and builds nothing.

    Raises:
        UsageError: no such variant.
        EngineUnreachableError: the engine went away.
    """
    return _find(engine, _plan(engine, spec))


def ensure_image(engine: Engine, spec: ImageSpec, log: BuildLog, *, force: bool = False) -> str:
    """Build the image unless the engine has it; returns its tag. Of several launchers one builds, the others wait.

    Args:
        engine: where.
        spec: which image.
        log: takes the steps, live, line by line: foreign text.
        force: build every step anew, although it is there.

    Raises:
        UsageError: no such variant, or a --ca-bundle that is none.
        BaseUnavailableError: the base, which nobody has named, cannot be pulled.
        BuildError: the base that was named cannot be pulled, or a step of the build failed.
        EngineUnreachableError: the engine went away.
    """
    plan = _plan(engine, spec)
    tag = None if force else _find(engine, plan)
    if tag is None:
        _check_machine(engine)
        if plan.base_id is None:
            _pull_base(engine, plan, log)
            plan = _plan(engine, spec)
        with build_lock(engine, spec.variant, str(plan.base_id), log):
            tag = None if force else _find(engine, plan)  # another may have built it meanwhile
            if tag is None:
                tag = _build_anew(engine, plan, log, fresh=force)
    if spec.variant == DEFAULT_VARIANT:
        _point_latest(engine, tag)
    return tag


def remove_images(
    engine: Engine, *, keep_current: bool = True, dry_run: bool = False, busy: Collection[str] = ()
) -> list[str]:
    """Remove our images and what their builds left; base images stay, and what users built on ours.

    Args:
        engine: where.
        keep_current: keep the images that a launcher would use now.
        dry_run: only say what would be removed.
        busy: variants that are being built, from ``builds_running``: what is of those stays.

    Returns:
        What was removed: tags, and ids of what had none.
    """
    current = [find_image(engine, ImageSpec(variant)) for variant in variants()]
    ours = finished_images(engine, [tag for tag in current if tag is not None])
    doomed = [
        tag
        for image in ours
        if image.variant not in busy and not (keep_current and image.current)
        for tag in image.tags
    ]
    if dry_run:
        return [*doomed, *leftovers(engine, busy)]
    removed = remove(engine, doomed)
    return removed + remove(engine, leftovers(engine, busy))


def _plan(engine: Engine, spec: ImageSpec) -> _Plan:
    files = context_files(spec.variant)
    base, base_id = _find_base(engine, spec)
    context = digest(*(part for name in sorted(files) for part in (name.encode(), files[name])))
    inputs = digest(context.encode(), spec.variant.encode(), base.encode())
    content = None if base_id is None else image_content(engine, base)
    return _Plan(spec, files, context, base, base_id, content, inputs)


def _find_base(engine: Engine, spec: ImageSpec) -> tuple[str, str | None]:
    named = _named_base(spec)
    if named is not None:
        return named, image_id(engine, named)
    lock = lock_file(spec.variant)
    local = local_base(lock)
    found = image_id(engine, local)
    if found is not None:
        return local, found
    base = registry_base(lock)
    return base, image_id(engine, base)


def _named_base(spec: ImageSpec) -> str | None:
    return spec.base_image or os.environ.get(BASE_VARIABLE) or None


def _base_hint(variant: str) -> str:
    lock = lock_file(variant)
    python = supported_pythons(lock)[0]
    tree = "" if python == DEBIAN_PYTHON else f" --python TREE, a tree with Python {python} such as one of pyenv's,"
    return (
        f"where no registry can be reached, {SCRIPT}{tree} makes {local_base(lock)} from Debian "
        f"packages; or name another base with --base-image or {BASE_VARIABLE}"
    )


def _find(engine: Engine, plan: _Plan) -> str | None:
    if plan.base_id is not None:
        return plan.tag if image_id(engine, plan.tag) is not None else None
    # Without its base, an image is still known by the label of what went in.
    with translated("listing the images of", "the engine"):
        found = engine.client.images(filters={"label": f"{INPUTS_LABEL}={plan.inputs}"})
        tags = [tag for image in found for tag in own_tags(image) if tag != LATEST]
    return next(iter(tags), None)


def _check_machine(engine: Engine) -> None:
    if engine.architecture and engine.architecture not in _MACHINES:
        raise BuildError(
            f"the engine's machine is {engine.architecture}; TensorFlow with oneDNN INT8 is built for x86-64 only",
            "use an x86-64 Linux machine (DOCKER_HOST chooses another engine)",
        )


def _pull_base(engine: Engine, plan: _Plan, log: BuildLog) -> None:
    try:
        _pull(engine, plan, log)
    except BuildError as error:
        if _named_base(plan.spec) is not None:  # whoever names one wants that one
            raise
        raise BaseUnavailableError(error.message, error.remedy, engine, plan.spec.variant) from error


def _pull(engine: Engine, plan: _Plan, log: BuildLog) -> None:
    import docker.errors
    from docker.credentials.errors import StoreError
    from docker.utils import parse_repository_tag

    base, hint = plan.base, _base_hint(plan.spec.variant)
    log(f"Pulling {base}")
    repository, tag = parse_repository_tag(base)
    try:
        with translated("asking"):
            try:
                for entry in engine.client.pull(repository, tag=tag or "latest", stream=True, decode=True):
                    if entry.get("error"):
                        raise BuildError(f"cannot pull {base}: {safe_text(str(entry['error']))}", hint)
                    # Layer downloads report progress many times a second; their ends are enough.
                    if not entry.get("progressDetail"):
                        log(" ".join(str(entry[key]) for key in ("id", "status") if entry.get(key)))
            except docker.errors.APIError as error:
                raise BuildError(f"cannot pull {base}: {explanation(error)}", hint) from error
    except EngineUnreachableError as error:
        remedy = error.remedy if isinstance(error.__cause__, StoreError) else hint
        raise BuildError(f"cannot pull {base}: {error.message}", remedy) from error
    if image_id(engine, base) is None:
        raise BuildError(f"{base} was pulled, but the engine does not have it", hint)


def _build(engine: Engine, plan: _Plan, log: BuildLog, *, fresh: bool) -> None:
    from launch_quantization.runtimes.docker.image.provenance import provenance_labels

    site = build_site(plan.spec.ca_bundle, log)
    labels = {
        **provenance_labels(plan.base, str(plan.base_id)),
        INPUTS_LABEL: plan.inputs,
        VARIANT_LABEL: plan.spec.variant,
    }
    arguments = {"BASE_IMAGE": plan.base, "TENSORFLOW": plan.spec.variant, **site.arguments}
    wanted = Build(pack(plan.files), plan.tag, arguments, labels, site.network, fresh)
    run_build(engine, wanted, log)
    if image_id(engine, plan.tag) is None:
        raise BuildError(f"the engine ended the build of {plan.tag} without an image", "build again with --verbose")


def _build_anew(engine: Engine, plan: _Plan, log: BuildLog, *, fresh: bool) -> str:
    """Build, and remove what this build, or one of the same variant before it, makes superfluous."""
    tag = plan.tag
    before = image_id(engine, tag)
    _build(engine, plan, log, fresh=fresh)
    remove_stale_stages(engine, plan.spec.variant)
    if before not in (None, image_id(engine, tag)):
        remove_replaced(engine, str(before))
    return tag


def _point_latest(engine: Engine, tag: str) -> None:
    if image_id(engine, LATEST) != image_id(engine, tag):
        with translated("tagging", tag):
            repository, _, name = LATEST.partition(":")
            engine.client.tag(tag, repository, name)
