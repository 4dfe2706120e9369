"""Random small networks of supported ops, for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.quantization.random_nets import LAYERS, network


@st.composite
def nets(draw, layers=LAYERS, most=8):
    """Functions that build a network from ``input`` (N, 8, 8, 4) to ``out``."""
    plan = draw(st.lists(st.tuples(st.sampled_from(layers), st.integers(0, 7)), min_size=1, max_size=most))
    signed = draw(st.booleans())
    head = draw(st.booleans())
    return lambda: network(plan, signed, head)
