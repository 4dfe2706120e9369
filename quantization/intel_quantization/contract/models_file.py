"""The shape of ``config/models.json``: the schema of intel-quantization 1.1, and the key MODEL_ZOO."""

from __future__ import annotations

from .shapes import Boolean, ListOf, Nullable, Object, OneOf, Text

_WORD = Text(4096)
_WORDS = ListOf(_WORD, 1000)

DATA_KINDS = ("folder", "file")

ENTRY = Object(
    {
        "MODEL_NAME": _WORD,
        "LAUNCH_BENCHMARK_PARAMS": Object(
            {
                "LAUNCH_BENCHMARK_SCRIPT": _WORD,
                "LAUNCH_BENCHMARK_CMD": _WORDS,
                "DIRECT_PASS_PARAMS_TO_MODEL": Nullable(_WORDS),
                "IN_GRAPH": _WORD,
                "DATA_LOCATION": Nullable(_WORD),
                "MODEL_SOURCE_DIR": Nullable(_WORD),
            }
        ),
        "QUANTIZE_GRAPH_CONVERTER_PARAMS": Object(
            {
                "INPUT_NODE_LIST": Nullable(_WORDS),
                "OUTPUT_NODE_LIST": Nullable(_WORDS),
                "EXCLUDED_OPS_LIST": Nullable(_WORDS),
                "EXCLUDED_NODE_LIST": Nullable(_WORDS),
                "PER_CHANNEL_FLAG": Nullable(Boolean()),
            }
        ),
        "MODEL_ZOO": Nullable(
            Object({"NEEDS": Nullable(_WORDS), "TAGS": Nullable(_WORD), "DATA": Nullable(OneOf(DATA_KINDS))})
        ),
    }
)
"""One model. MODEL_ZOO says for which checkouts of the zoo it is: NEEDS, files that such a checkout has, TAGS, for
people, and DATA, whether the script wants a folder or a file."""
