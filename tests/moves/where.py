"""Where the rules of a move are kept, and where the tests stand that hold them."""

from __future__ import annotations

STEPS = "kmigrate.steps."
CUTOVER = "kmigrate.steps.cutover."
PROBES = "kmigrate.probes."
MANIFESTS = "kmigrate.manifests."

DRAIN = "probes/test_topic_drain.py::test_"
LANES = "steps/test_lanes.py::test_"
REVERSE = "steps/test_prepare_reverse.py::test_"
REPLICATE = "steps/test_replicate.py::test_"
PROVISION = "steps/test_provision_and_assess.py::test_"
REFUSALS = "story/test_walk_refusals.py::test_"
FENCES = "story/test_fences_and_soak.py::test_"
UNCOMMITTED = "story/test_uncommitted_readers.py::test_"
FOREIGN = "laws/test_foreign.py::test_"
FEEDING = "steps/test_feeding.py::test_"
SHARED = "adapters/test_shared_lines.py::test_"
WRITERS = "laws/test_writers.py::test_"
RIGHTS = "laws/test_mirrors_rights.py::test_"
HAND_OVER = "laws/test_hand_over.py::test_"
BEFOREHAND = "laws/test_right_taken_beforehand.py::test_"
ORDER = "laws/test_order.py::test_"
TOGETHER = "story/test_several_together.py::test_"
WHOLE = "laws/test_whole_way.py::test_"
ANEW = WHOLE + "after_everything_went_back_it_goes_forward_again_and_back_and_again"
AWAY = "laws/test_target_away.py::test_"
PAUSE = "story/test_pause_bounds.py::test_"
COMMIT = "story/test_drain_and_commit.py::test_"
RENDERED = "manifests/test_manifests.py::test_"
BACK = "manifests/test_reverse.py::test_"
FLAGS = "advice/test_flags.py::test_a_flag_flies_alone_over_its_subject_with_a_way_out"


def law(plan: str) -> str:
    """Every law over every step of a plan, with the watch that looks at each write."""
    return f"laws/test_laws.py::test_every_step_keeps_every_law[{plan}]"
