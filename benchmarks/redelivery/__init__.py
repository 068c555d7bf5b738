"""What `redelivered.py` is made of: an estate with known records, the methods, and the truth they are held to."""
