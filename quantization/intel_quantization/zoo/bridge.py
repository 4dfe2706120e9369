"""From a model's name to what the converter needs to calibrate it in the zoo."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Iterator, Optional, Tuple

from intel_quantization.errors import BadInputError
from intel_quantization.zoo.checkout import choose_entry, generation
from intel_quantization.zoo.command import env_words, zoo_words
from intel_quantization.zoo.config import Entry, default_file, load_entries
from intel_quantization.zoo.place import Place


@dataclass(frozen=True)
class ZooModel:
    """A model of the zoo, ready to run.

    Attributes:
        entry: what the file of models says of it.
        words: its calibration command, with ``{}`` where the path of the graph is to be.
        command: the same for people, without what is ours.
        zoo: which tags the checkout is of, for people; may be empty.
    """

    entry: Entry
    words: Tuple[str, ...]
    command: Tuple[str, ...]
    zoo: str


def find_entry(name: str, zoo: str, config: Optional[str] = None) -> Entry:
    """What the file of models says of a model, for this checkout of the zoo.

    Args:
        name: the model.
        zoo: the checkout.
        config: a file of models; None: the one of this package.

    Raises:
        BadInputError: the file is broken, the model is unknown, or the checkout lacks it.
    """
    if not os.path.isdir(zoo):
        raise BadInputError("the Model Zoo %s is not a folder" % zoo, "check --models_zoo")
    return choose_entry(load_entries(config or default_file()), name, zoo)


@contextmanager
def prepared(
    entry: Entry,
    zoo: str,
    data: Optional[str],
    sources: Optional[str] = None,
    *,
    batch_size: Optional[int] = None,
    threads: Optional[int] = None,
) -> Iterator[ZooModel]:
    """A model whose command can be run while the context lasts.

    Args:
        entry: the model.
        zoo: the checkout, which is not written to.
        data: its data.
        sources: sources of TensorFlow models, for the models that want them; not written to.
        batch_size: takes the place of the entry's.
        threads: threads within an op; None: as many as this process may use.

    Raises:
        BadInputError: something that the entry needs is missing, or has a path that the zoo cannot take.
    """
    needed = sources if entry.model_source_dir else None
    with Place(needed) as place:
        words = zoo_words(
            entry,
            zoo,
            None if data is None else os.path.realpath(data),  # the zoo takes no links
            place.sources,
            place.logs,
            threads=threads or len(os.sched_getaffinity(0)),
            batch_size=batch_size,
        )
        yield ZooModel(entry, env_words(place.variables(os.path.dirname(words[1])), words), words, generation(zoo))
