"""The site, by ``make docs``: docs/ and the files for strangers at the top, so that all links are checked."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "quantization")]

project = "launch_quantization"
author = "the launch_quantization maintainers"
copyright = author  # noqa: A001 - Sphinx's own name
root_doc = "docs/index"
include_patterns = ["docs/**", "README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"]
exclude_patterns = [
    ".*",
    "build",
    "dist",
    "tests",
    "quantization",
    "launcher",
    "launch_quantization",
    "image",
    "api",
    "docs/generate.py",
]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
autodoc_mock_imports = ["google", "h5py", "tensorflow"]  # the site is built without TensorFlow
autodoc_typehints = "none"  # the docstrings tell more: shapes, units
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["_extra"]
html_theme_options = {"navigation_with_keys": True}
html_show_copyright = False
pygments_style = "friendly"

smartquotes = False  # two hyphens begin an option

linkcheck_anchors = True
linkcheck_timeout = 20
linkcheck_retries = 2
