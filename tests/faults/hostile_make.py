"""Makes all hostile inputs into the output folder; runs inside, beside the files that know how: see inputs.py."""

import os

from hostile_data import DATA
from hostile_graphs import GRAPHS
from hostile_models import MODELS


def make_all(name, makers):
    """Call each maker with its path in a folder of that name; one that fails ends it, as its row would be no row."""
    folder = os.path.join(os.environ["WORKSPACE"], "output", name)
    os.mkdir(folder)
    for file, make in makers.items():
        make(os.path.join(folder, file))


make_all("graphs", {**GRAPHS, **MODELS})
make_all("data", DATA)
