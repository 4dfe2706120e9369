"""What layers lose, as an overlay for Google's Model Explorer: its custom node data of one graph."""

from __future__ import annotations

from typing import Any, Dict, Optional

from intel_quantization.conversion import Conversion

_GOOD, _BAD = "#ffffff", "#d93025"


def node_data(conversion: Conversion, blame: Optional[Dict[str, Any]]) -> Optional[Dict[str, Any]]:
    """Accumulated signal to noise in dB by node, the worst in red; None where nothing was measured.

    A layer is called as in the INT8 graph and as in the FP32 graph, so that the overlay fits either; what names another
    graph's node Model Explorer leaves out.

    Args:
        conversion: with the layers.
        blame: blame.Blame as a dict.
    """
    if blame is None or not blame["layers"]:
        return None
    inside = {layer.group.linear: layer.node for layer in conversion.layers}
    results: Dict[str, Dict[str, float]] = {}
    for layer in blame["layers"]:
        for name in (layer["node"], inside.get(layer["node"], layer["node"])):
            results[name] = {"value": round(layer["accumulated_db"], 2)}
    return {"results": results, "gradient": [{"stop": 0, "bgColor": _BAD}, {"stop": 1, "bgColor": _GOOD}]}
