"""Walks a plan forward and back; knows what a step is and not one step by name."""

from kmigrate.engine.checkpoints import START, Checkpoint, checkpoints, not_restored, way_of, way_to
from kmigrate.engine.moves import (
    Edit,
    WayBack,
    back,
    direction_of,
    forward,
    half_done,
    moved,
    refuse_changes,
    refuse_one_way,
    where,
)
from kmigrate.engine.phases import (
    edits,
    further_attempt,
    phase_attempts,
    phase_done,
    phase_left,
    phase_over,
    phase_unit,
    refuse_contradictions,
    refuse_lacking,
)
from kmigrate.engine.preview import Preview, preview
from kmigrate.engine.rollback import turn_back, undo_unit, way_back
from kmigrate.engine.run import run_step, run_unit

__all__ = [
    "START",
    "Checkpoint",
    "Edit",
    "Preview",
    "WayBack",
    "back",
    "checkpoints",
    "direction_of",
    "edits",
    "forward",
    "further_attempt",
    "half_done",
    "moved",
    "not_restored",
    "phase_attempts",
    "phase_done",
    "phase_left",
    "phase_over",
    "phase_unit",
    "preview",
    "refuse_changes",
    "refuse_contradictions",
    "refuse_lacking",
    "refuse_one_way",
    "run_step",
    "run_unit",
    "turn_back",
    "undo_unit",
    "way_back",
    "way_of",
    "way_to",
    "where",
]
