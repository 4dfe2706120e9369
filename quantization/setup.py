"""Lets ``python setup.py bdist_wheel`` work, as with intel-quantization 1.1; all metadata is in setup.cfg."""

from setuptools import setup

setup()
