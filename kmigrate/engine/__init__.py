"""Walks a plan forward and back; knows what a step is and not one step by name."""
