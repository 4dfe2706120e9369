"""The stages of a conversion and of a job. Each takes frozen results of earlier ones and gives its own.

::

    read      graph.load.load_graph    -> Loaded        a file, or a GraphDef
    optimize  optimize_graph           -> Optimized
    calibrate calibrate_on_feed, ...   -> Statistics    or use_statistics: what an earlier run saved
    quantize  quantize_optimized       -> Quantized
    verify    verify_result            -> Conversion

A job (:mod:`intel_quantization.run`) has around these: prepare_data -> Prepared, measure_graphs -> Measured, and
finish_job. GraphConverter is 1.1's way to call the first five.
"""
