"""Put back to FP32 as little as it takes for the INT8 graph to lose no more than is allowed."""
