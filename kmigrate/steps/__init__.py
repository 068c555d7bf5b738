"""The verbs: one module per phase, one class per step."""
