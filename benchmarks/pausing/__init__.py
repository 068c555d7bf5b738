"""What `benchmarks/pause.py` is made of."""
