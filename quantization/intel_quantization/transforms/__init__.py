"""FP32 rewrites, one a file, each exact to float rounding, and the pipeline that runs them."""
