"""Exact translation of positions: values in, answer out."""
