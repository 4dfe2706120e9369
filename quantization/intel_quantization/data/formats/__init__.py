"""The formats that data may have, one file each; see :mod:`.data_format`."""
