"""Rules 5, 8 and 12 of the design §4: lanes fixed, topics made beforehand, settings that a pause depends on."""

from __future__ import annotations

from planting import Fault
from where import ANEW, BACK, HAND_OVER, LANES, MANIFESTS, PROBES, PROVISION, REFUSALS, RENDERED, STEPS, WRITERS, law

WAVES = "test_waves_lanes.py::test_"

RULE_5 = (
    Fault(
        "lanes follow later edits of the plan file",
        "kmigrate.story",
        "return replace(migration, lane_topics=extended(kept, topics_by_lane(migration), migration.lanes))",
        "return migration",
        WAVES + "lanes_are_fixed_once_topics_were_made_for_them_and_a_new_topic_gets_a_lane_behind_them",
    ),
    Fault(
        "lanes are written down nowhere",
        STEPS + "provision",
        "        world.ledger.put(LANES, topics_by_lane(self.migration))\n",
        "",
        WAVES + "lanes_are_fixed_once_topics_were_made_for_them_and_a_new_topic_gets_a_lane_behind_them",
    ),
    Fault(
        "a topic changes its lane when the plan file is edited",
        "kmigrate.waves.lanes",
        "new = tuple(topic for topic in lane if topic not in known)",
        "new = lane",
        WAVES + "whatever_is_edited_no_topic_changes_its_lane",
    ),
    Fault(
        "there are as many lanes as moves",
        "kmigrate.waves.lanes",
        "alone = max(0, most - 1) if len(found) + bool(rest) > most else len(found)",
        "alone = len(found)",
        WAVES + "past_the_budget_the_smallest_share_a_lane",
    ),
    Fault(
        "a topic may be in two lanes",
        "kmigrate.waves.lanes",
        "rest = sorted(wanted - {topic for each in found for topic in each})",
        "rest = sorted(wanted)",
        WAVES + "every_topic_is_in_one_lane_and_the_budget_is_kept",
    ),
    Fault(
        "a move stops a lane that others need",
        "kmigrate.steps.cutover.ready",
        "        if others:\n",
        "        if False:\n",
        WRITERS + "what_shares_its_lane_with_other_topics_is_not_handed_over",
    ),
    Fault(
        "a point in a topic's name matches any letter",
        MANIFESTS + "mirror",
        r'topic.replace(".", r"\.")',
        "topic",
        RENDERED + "each_lane_is_a_mirror_with_its_own_alias_list_state_and_offsets_topic",
    ),
    Fault(
        "a lane that is missing in its resource is added to it",
        PROBES + "lanes",
        "    return None\n",
        '    return part(next(iter(objects(resource.spec.get("mirrors")))), "sourceConnector")\n',
        LANES + "an_alias_that_the_mirror_has_not_is_never_added",
    ),
)
RULE_8 = (
    Fault(
        "a topic that is Ready is believed to be there",
        STEPS + "provision",
        "        await_topics(world, wanted, deadline_ms=_DEADLINE_MS)\n",
        "",
        PROVISION + "ready_is_not_believed_until_the_topic_is_there",
    ),
    Fault(
        "a topic that is not Ready at its generation is not waited for",
        STEPS + "provision",
        '        await_ready(world, wanted, what="topics", deadline_ms=_DEADLINE_MS)\n'
        "        await_topics(world, wanted, deadline_ms=_DEADLINE_MS)\n",
        "",
        law("mirror-back"),
    ),
    Fault(
        "the mirror may create topics",
        MANIFESTS + "users",
        'return Rule(resource="topic", name=topic, operations=("Describe", "Write"))',
        'return Rule(resource="topic", name=topic, operations=("Create", "Describe", "Write"))',
        RENDERED + "the_forward_mirror_may_write_its_topics_but_those_the_target_owns_and_create_none",
    ),
    Fault(
        "brokers create topics by accident",
        MANIFESTS + "kafka",
        '"auto.create.topics.enable": False,',
        '"auto.create.topics.enable": True,',
        RENDERED + "copies_follow_the_number_of_brokers",
    ),
    Fault(
        "the mirror's own topics are left to it",
        STEPS + "provision",
        "            *internal_topics(FORWARD, forward_lanes(self.migration), target, brokers=copies),\n",
        "",
        law("mirror-back"),
    ),
    Fault(
        "offset syncs are compacted as they come",
        MANIFESTS + "internal",
        'syncs = {**_SMALL_SEGMENTS, "min.compaction.lag.ms": str(_YEAR_MS)}',
        "syncs = dict(_SMALL_SEGMENTS)",
        RENDERED + "internal_topics_are_all_that_a_mirror_would_make_and_syncs_are_kept_for_a_year",
    ),
    Fault(
        "the offset syncs of forward lanes lie on the source",
        MANIFESTS + "mirror",
        '**_common("target"),',
        '**_common("source"),',
        RENDERED + "a_lane_is_set_as_measured",
    ),
    Fault(
        "the offset syncs of reverse lanes lie on the source",
        MANIFESTS + "mirror",
        '**_common("source"),',
        '**_common("target"),',
        RENDERED + "a_reverse_connector_reads_the_target_writes_the_source_and_never_begins_at_the_end",
    ),
    Fault(
        "a topic of somebody else is filled",
        PROBES + "topics",
        "    if wrong:\n",
        "    if False:\n",
        PROVISION + "a_topic_that_was_there_is_not_filled_unless_it_fits_and_is_empty",
    ),
    Fault(
        "a topic that the target owns is removed when provisioning is undone",
        STEPS + "provision",
        "        if owned:\n",
        "        if False:\n",
        HAND_OVER + "topics_that_the_target_owns_are_not_removed_there",
    ),
    Fault(
        "what was said of a topic that was taken away counts for the one that is made anew",
        STEPS + "carried",
        "    if before:\n        known",
        "    if False:\n        known",
        ANEW + "[start]",
    ),
    Fault(
        "a mirror that is made anew leaves standing the lanes that came back",
        STEPS + "replicate",
        "        for lane in self._back_here(world):\n            feed(",
        "        for lane in ():\n            feed(",
        ANEW + "[provision]",
    ),
)
RULE_12 = (
    Fault(
        "the tasks of a dead worker lie for five minutes",
        MANIFESTS + "mirror",
        '"scheduled.rebalance.max.delay.ms": 0,',
        '"scheduled.rebalance.max.delay.ms": 300_000,',
        RENDERED + "workers_are_exactly_once_and_do_not_wait_for_a_dead_one",
    ),
    Fault(
        "workers let a dead transaction stand for a minute",
        MANIFESTS + "mirror",
        '"producer.transaction.timeout.ms": int(_TRANSACTION_TIMEOUT_MS),',
        '"producer.transaction.timeout.ms": 60_000,',
        BACK + "workers_are_set_as_measured",
    ),
    Fault(
        "lanes let a dead transaction stand for a minute",
        MANIFESTS + "mirror",
        '"producer.override.transaction.timeout.ms": _TRANSACTION_TIMEOUT_MS,',
        '"producer.override.transaction.timeout.ms": "60000",',
        RENDERED + "a_lane_is_set_as_measured",
    ),
    Fault(
        "an idle commit waits for a second",
        MANIFESTS + "mirror",
        '"consumer.poll.timeout.ms": "50",',
        '"consumer.poll.timeout.ms": "1000",',
        RENDERED + "a_lane_is_set_as_measured",
    ),
    Fault(
        "lanes share the offsets topic of their workers",
        MANIFESTS + "mirror",
        '"offsets.storage.topic": names.connector_offsets(lane),',
        '"offsets.storage.topic": names.offsets,',
        RENDERED + "each_lane_is_a_mirror_with_its_own_alias_list_state_and_offsets_topic",
    ),
    Fault(
        "a lane makes as many transactions as it can",
        MANIFESTS + "mirror",
        '"consumer.fetch.min.bytes": "1048576",',
        '"consumer.fetch.min.bytes": "1",',
        RENDERED + "a_lane_is_set_as_measured",
    ),
    Fault(
        "a lane that is not asked to be exact runs all the same",
        MANIFESTS + "mirror",
        '"exactly.once.support": "required",',
        '"exactly.once.support": "requested",',
        RENDERED + "a_lane_is_set_as_measured",
    ),
    Fault(
        "other workers hear of a stop after three seconds",
        MANIFESTS + "mirror",
        '"heartbeat.interval.ms": 500,',
        '"heartbeat.interval.ms": 3_000,',
        BACK + "workers_are_set_as_measured",
    ),
    Fault(
        "a lane that has failed is no reason not to stop the application",
        "kmigrate.steps.cutover.ready",
        '        if trouble:\n            raise Blocked(\n                f"the mirror is not well',
        '        if False:\n            raise Blocked(\n                f"the mirror is not well',
        REFUSALS + "a_failed_mirror_blocks_before_anything_is_stopped",
    ),
)
