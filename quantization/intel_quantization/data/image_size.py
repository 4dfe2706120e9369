"""How large an image says it is, from its header: TensorFlow allocates that much before it looks at the rest.

A GIF of 65535 x 65535 ends the process, and a PNG of 20000 x 20000 of some kilobytes takes six gigabytes.
"""

from __future__ import annotations

import struct

from intel_quantization.errors import BadInputError

MOST_PIXELS = 2**27
"""134 million, of all pictures of an animation together; as float32 they take 1.6 GB."""
# Markers of JPEG that begin a frame, with its size; those between them are tables (DHT, JPG, DAC).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Markers without a length: TEM, RSTn, SOI.
_BARE = frozenset([0x01, *range(0xD0, 0xD9)])


def check_image_size(name: str, kind: str, data: bytes) -> None:
    """Refuse an image of more than MOST_PIXELS.

    Args:
        name: what to call it.
        kind: ``png``, ``jpeg``, ``gif`` or ``bmp``.
        data: the file.

    Raises:
        BadInputError: it is larger, or ends before it says how large it is.
    """
    try:
        width, height, pictures = _READERS[kind](data)
    except (struct.error, IndexError):
        raise BadInputError(
            f"cannot decode {name}: it ends in its header; expected a whole PNG, JPEG, GIF or BMP image",
            "repair or remove this file",
        ) from None
    if width * height * pictures > MOST_PIXELS:
        many = f", {pictures} pictures" if pictures > 1 else ""
        raise BadInputError(
            f"{name} has {width} x {height} pixels{many}; at most {MOST_PIXELS} in all are read",
            "shrink or remove this file",
        )


def _read_png(data: bytes) -> tuple[int, int, int]:
    width, height = struct.unpack_from(">II", data, 16)
    return width, height, 1


def _read_bmp(data: bytes) -> tuple[int, int, int]:
    width, height = struct.unpack_from("<ii", data, 18)
    return abs(width), abs(height), 1


def _jpeg(data: bytes) -> tuple[int, int, int]:
    """The size that the first frame gives; a second one is an error, but that is for the decoder to say."""
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            position = data.find(b"\xff", position)  # as libjpeg does, which skips what is between markers
            if position < 0:
                break
            continue
        marker = data[position + 1]
        if marker == 0xFF or marker == 0 or marker in _BARE:
            position += 1 if marker == 0xFF else 2
            continue
        if marker == 0xD9:
            break
        length = struct.unpack_from(">H", data, position + 2)[0]
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, position + 5)
            return width, height, 1
        position += 2 + length
    return 0, 0, 1  # no frame, which the decoder says


def _read_gif(data: bytes) -> tuple[int, int, int]:
    """The canvas, or the largest picture where that is larger, and the number of pictures; all are decoded."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    position = 13 + _count_colours(flags)
    pictures = 0
    while position < len(data) and data[position] != 0x3B:
        if data[position] == 0x21:  # an extension
            position += 2
        elif data[position] == 0x2C:
            columns, rows, flags = struct.unpack_from("<HHB", data, position + 5)
            width, height = max(width, columns), max(height, rows)
            pictures += 1
            position += 11 + _count_colours(flags)
        else:
            break  # damaged: the decoder ends here, too
        while position < len(data) and data[position]:
            position += 1 + data[position]
        position += 1
    return width, height, max(pictures, 1)


def _count_colours(flags: int) -> int:
    """Bytes of a table of colours."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


_READERS = {"png": _read_png, "jpeg": _jpeg, "gif": _read_gif, "bmp": _read_bmp}
