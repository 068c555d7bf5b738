"""What steps and commands both look at, read-only, over the world."""
