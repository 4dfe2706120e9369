"""What the launcher and the inside agree on, written once: options, job, events, outputs, exit codes, words.

Both import this very folder: as ``intel_quantization.contract`` within the image, as ``launch_quantization.contract``
(a link in a checkout, a copy in a wheel) on the host. So its modules import each other relatively, and nothing else but
Python's own library; their syntax is that of Python 3.7.
"""
