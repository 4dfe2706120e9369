"""Lets ``python setup.py bdist_wheel`` work, as with intel-quantization 1.1; all metadata is in setup.cfg.

The packages are here: config/ lies where it did in 1.1, but belongs into the package.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["intel_quantization", "intel_quantization.*"]), "intel_quantization.config"],
    package_dir={"intel_quantization.config": "config"},
)
