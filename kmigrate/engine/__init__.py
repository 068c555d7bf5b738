"""Walks a plan forward and back; knows what a step is and not one step by name."""

from kmigrate.engine.moves import WayBack, back, forward, where
from kmigrate.engine.preview import Preview, preview
from kmigrate.engine.rollback import undo_unit, way_back
from kmigrate.engine.run import run_step, run_unit

__all__ = ["Preview", "WayBack", "back", "forward", "preview", "run_step", "run_unit", "undo_unit", "way_back", "where"]
