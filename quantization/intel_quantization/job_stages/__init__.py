"""The stages of a job around those of a conversion: prepare, measure, tune, finish."""
