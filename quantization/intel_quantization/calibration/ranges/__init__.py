"""Range estimators: from what calibration saw to the range of a tensor."""
