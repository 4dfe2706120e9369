"""A private place for a run of the zoo, which expects to own the machine: root, a network, a tree to write into.

Its bash scripts find functions in place of what installs or fetches things. Programs earlier on PATH would not do:
where a job may write, it may not execute. Sources of models, which the zoo patches, are a tree of links, so that only
the links are replaced.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from types import TracebackType
from typing import Dict, Optional, Type

from intel_quantization.errors import BadInputError

LEFT_OUT = (
    "apt",
    "apt-get",
    "yum",
    "zypper",
    "pip",
    "pip3",
    "git",
    "wget",
    "curl",
    "sudo",
    "chmod",
    "update-alternatives",
)
"""What start.sh calls to change the machine, or to fetch things."""

_FUNCTION = 'function %s() { echo "left out: %s $*"; }\n'
# From v1.6.0 on, the zoo's detection models import it before they run; they use it after the last image only.
_COCO = {
    "__init__.py": "",
    "coco.py": "class COCO(object):\n    pass\n",
    "cocoeval.py": "class COCOeval(object):\n    pass\n",
    "mask.py": "",
}
_CNN_BENCHMARKS = "ssd-resnet-benchmarks"


class Place:
    """The private folder; a context manager at whose end it is removed.

    Attributes:
        logs: an empty folder for the zoo's logs.
        sources: a folder that is like the sources of models, and may be written to; None where there are none.

    Args:
        sources: sources of TensorFlow models, which stay as they are.

    Raises:
        BadInputError: they are no folder.
    """

    def __init__(self, sources: Optional[str] = None) -> None:
        if sources is not None and not os.path.isdir(sources):
            raise BadInputError("%s is not a folder" % sources, "check --models_source_dir")
        self._path = tempfile.mkdtemp(prefix="zoo-")
        try:
            self.logs = self._make_folder("logs")
            self._modules = self._make_folder("modules")
            self._functions = os.path.join(self._path, "functions.sh")
            with open(self._functions, "w", encoding="utf-8") as file:
                file.writelines(_FUNCTION % (name, name) for name in LEFT_OUT)
            if importlib.util.find_spec("pycocotools") is None:
                self._stand_in("pycocotools", _COCO)
            self.sources = None if sources is None else self._link(os.path.realpath(sources))
        except BaseException:
            self.remove()
            raise

    def __enter__(self) -> Place:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.remove()

    def remove(self) -> None:
        """Remove the folder; once more does nothing."""
        shutil.rmtree(self._path, ignore_errors=True)

    def variables(self, benchmarks: str) -> Dict[str, str]:
        """Environment variables for the zoo's command.

        Args:
            benchmarks: the folder of launch_benchmark.py; some models of v1.5.0 import from it without saying so.
        """
        modules = [os.path.abspath(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
        # the zoo changes directories
        return {"BASH_ENV": self._functions, "PYTHONPATH": os.pathsep.join([*modules, self._modules, benchmarks])}

    def _make_folder(self, *names: str) -> str:
        path = os.path.join(self._path, *names)
        os.makedirs(path)
        return path

    def _stand_in(self, name: str, files: Dict[str, str]) -> None:
        folder = os.path.join(self._modules, name)
        os.makedirs(folder)
        for file_name, text in files.items():
            with open(os.path.join(folder, file_name), "w", encoding="utf-8") as file:
                file.write(text)

    def _link(self, sources: str) -> str:
        """SSD-ResNet34 looks for tensorflow/benchmarks beside the sources, or, up to v1.5.0, among them."""
        target = self._make_folder("sources", "models")
        _link_tree(sources, target)
        benchmarks = os.path.join(sources, _CNN_BENCHMARKS)
        if os.path.isdir(benchmarks):
            os.symlink(benchmarks, os.path.join(self._path, "sources", _CNN_BENCHMARKS))
            research = os.path.join(target, "research")
            os.makedirs(research, exist_ok=True)
            scripts = os.path.join(benchmarks, "scripts", "tf_cnn_benchmarks")
            for name in os.listdir(scripts) if os.path.isdir(scripts) else ():
                if not os.path.lexists(os.path.join(research, name)):
                    os.symlink(os.path.join(scripts, name), os.path.join(research, name))
        return target


def _link_tree(source: str, target: str) -> None:
    """Folders of its own, links to files; what begins with a dot is left out, as is .git."""
    for folder, names, files in os.walk(source):
        names[:] = [name for name in names if not name.startswith(".")]
        here = os.path.normpath(os.path.join(target, os.path.relpath(folder, source)))
        for name in names:
            path = os.path.join(folder, name)
            if os.path.islink(path):
                os.symlink(path, os.path.join(here, name))
            else:
                os.mkdir(os.path.join(here, name))
        for name in files:
            if not name.startswith("."):
                os.symlink(os.path.join(folder, name), os.path.join(here, name))
