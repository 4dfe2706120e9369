"""What linear ops on images have in common: a window, strides, dilations and padding."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Tuple

from intel_quantization.graph.attributes import DT_FLOAT, DT_QINT8, attribute
from intel_quantization.graph.graph import NodeDef
from intel_quantization.kinds.group import NO_PADS, Group, Pads
from intel_quantization.kinds.linear_kind import Kernel, LinearKind, int8_type
from intel_quantization.kinds.window import Window


class ImageKind(LinearKind):
    """A linear op on images, whose weights begin with height and width."""

    spatial = True

    def attributes(self, node: NodeDef, group: Group, kernel: Kernel) -> Dict[str, Any]:
        """Strides, dilations and padding as the FP32 op has them."""
        attrs: Dict[str, Any] = {
            "strides": attribute(node, "strides"),
            "padding": "VALID" if group.pads or group.lift_pads else attribute(node, "padding").s,
        }
        if attribute(node, "dilations").list.i:
            attrs["dilations"] = attribute(node, "dilations")
        if group.pads:
            attrs["padding_list"] = [0, 0] + list(group.pads) + [0, 0]
        return attrs

    def pads_nothing(self, node: NodeDef, group: Group, shape: Sequence[int]) -> bool:
        """Whether a group reads no zeros but those of its source."""
        if group.pads is not None:
            return group.pads == NO_PADS
        return attribute(node, "padding").s == b"VALID" or tuple(shape[:2]) == (1, 1)

    def window(self, node: NodeDef, group: Group, shape: Sequence[int]) -> Window:
        """What a group reads for one position of its output."""
        strides, dilations = (_pair(list(attribute(node, key).list.i)) for key in ("strides", "dilations"))
        pads: Optional[Pads] = group.pads
        if pads is None and attribute(node, "padding").s == b"VALID":
            pads = NO_PADS
        layout = self.layout(node)
        outputs = layout.count_outputs(shape) if layout.mixes_channels else 1
        size = (int(shape[0]), int(shape[1]))
        return Window(group.source, size, strides, dilations, pads, int(shape[layout.inputs]), outputs)


def image_types(group: Group, unsigned: bool) -> Dict[str, int]:
    """The types of a group whose weights are qint8 and whose bias is float32."""
    result = int8_type(group.gives_unsigned)
    return {"Tinput": int8_type(unsigned), "Tfilter": DT_QINT8, "Tbias": DT_FLOAT, "out_type": result}


def _pair(values: List[int]) -> Tuple[int, int]:
    return (int(values[1]), int(values[2])) if len(values) == 4 else (1, 1)
