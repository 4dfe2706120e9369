"""How a model itself is called, apart from its signatures: what it takes, and what it gives.

Keras calls a model with its only input, or a list or dict of several; likewise what it gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Sequence

import tensorflow as tf

from intel_quantization.reading.call import Call

Structure = Any
"""Names of a signature: one as it is, several in a list, tuple or dict."""


@dataclass(frozen=True)
class Convention:
    """How a model is called: ``model(inputs)``.

    Attributes:
        inputs: the names of the signature's inputs, in the structure that the model takes.
        outputs: those of the outputs, in the structure that it gives.
    """

    inputs: Structure
    outputs: Structure

    def packed_inputs(self, by_name: Mapping[str, Any]) -> Any:
        """What a model takes, of what each input is by its name."""
        return tf.nest.map_structure(by_name.__getitem__, self.inputs)

    def flat_inputs(self, inputs: Any) -> Dict[str, Any]:
        """The inverse."""
        return dict(zip(tf.nest.flatten(self.inputs), tf.nest.flatten(inputs)))

    def packed_outputs(self, by_name: Mapping[str, Any]) -> Any:
        """What a model gives."""
        return tf.nest.map_structure(by_name.__getitem__, self.outputs)


def plain_convention(call: Call) -> Convention:
    """As Keras has it where names are all that is known: one is itself, several are a list."""
    return Convention(_one_or_all(list(call.inputs)), _one_or_all(list(call.outputs)))


def convention_of(model: Any, call: Call) -> Optional[Convention]:
    """How a loaded SavedModel is called; None where it is not, or its parts cannot be told from each other.

    Args:
        model: what ``tf.saved_model.load`` gave.
        call: the signature that becomes INT8.
    """
    for function in _list_functions(model):
        arguments, named = function.structured_input_signature
        if not arguments or any(map(_is_tensor, tf.nest.flatten([arguments[1:], named]))):
            continue
        if any(other is True for other in arguments[1:]):
            continue  # training
        inputs = _match(arguments[0], list(call.inputs))
        outputs = _match(function.structured_outputs, list(call.outputs))
        if inputs is not None and outputs is not None:
            return Convention(inputs, outputs)
    return None


def _list_functions(model: Any) -> Sequence[Any]:
    """The concrete functions of a loaded object's ``__call__``, which is no method of its own."""
    return getattr(model.__call__, "concrete_functions", ()) if callable(model) else ()


def _match(structure: Any, names: Sequence[str]) -> Structure:
    """The structure with the names in it; None where they do not fit."""
    flat = tf.nest.flatten(structure)
    if len(flat) != len(names) or not all(map(_is_tensor, flat)):
        return None
    if len(names) == 1:
        return tf.nest.pack_sequence_as(structure, list(names))
    if isinstance(structure, dict):
        return {key: key for key in structure} if set(structure) == set(names) else None
    said = [spec.name for spec in flat]
    return tf.nest.pack_sequence_as(structure, said) if set(said) == set(names) else None


def _is_tensor(value: Any) -> bool:
    return isinstance(value, tf.TypeSpec)


def _one_or_all(names: Sequence[str]) -> Structure:
    return names[0] if len(names) == 1 else list(names)
