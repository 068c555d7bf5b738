"""What the shop's records look like: keys in order, twins, nulls, headers."""

from __future__ import annotations

from collections import Counter
from itertools import islice, pairwise

from kmigrate.lab.apps.order_service import Shipping
from kmigrate.lab.apps.records import Draft, Drafts, Seen


def drafts(count: int, run: int = 5) -> list[Draft]:
    return list(Drafts(writer="w", run=run, partitions=6).make(count, 1_000))


def test_a_tenth_of_the_records_are_twins_that_share_every_byte_and_follow_each_other() -> None:
    made = drafts(10_000)
    counts = Counter(draft.id for draft in made)
    twins = [identity for identity, count in counts.items() if count == 2]
    assert set(counts.values()) == {1, 2}
    assert 0.09 <= 2 * len(twins) / len(made) <= 0.11
    assert all(identity.endswith("x2") == (counts[identity] == 2) for identity in counts)
    for first, second in pairwise(made):
        if second.id.endswith("x2") and first.id.endswith("x2"):
            assert first == second


def test_sequences_of_a_key_only_grow_also_over_a_restart() -> None:
    last: dict[str | None, int] = {}
    for draft in drafts(2_000, run=7) + drafts(2_000, run=7 + 2_000):
        assert draft.key is None or draft.seq >= last.get(draft.key, 0)
        last[draft.key] = draft.seq


def test_there_are_null_keys_null_values_empty_values_and_repeated_headers() -> None:
    made = drafts(500)
    assert any(draft.key is None for draft in made)
    assert any(draft.value is None for draft in made)
    assert any(draft.value == b"" for draft in made)
    assert any([name for name, _ in draft.headers].count("trace") == 2 for draft in made)


def test_a_record_without_a_key_names_its_partition_so_that_twins_stay_together() -> None:
    made = drafts(2_000)
    assert all((draft.key is None) == (draft.partition >= 0) for draft in made)
    assert {draft.partition for draft in made if draft.key is None} <= set(range(6))


def test_stopping_between_calls_never_parts_twins() -> None:
    source = Drafts(writer="w", run=1, partitions=6)
    made = [draft for _ in range(300) for draft in source.make(7, 1_000)]
    assert all(count == 2 for identity, count in Counter(draft.id for draft in made).items() if identity.endswith("x2"))


def test_shipments_of_a_second_try_are_other_records_and_twins_stay_twins() -> None:
    orders = [
        Seen("orders", 2, offset, draft.id, draft.key, draft.seq, draft.value)
        for offset, draft in enumerate(islice(drafts(60), 40))
    ]
    shipping = Shipping(1)
    first, second = list(shipping.drafts(orders)), list(shipping.drafts(orders))
    assert not {draft.id for draft in first} & {draft.id for draft in second}
    assert [draft.key for draft in first] == [seen.key for seen in orders]
    assert [draft.id.endswith("x2") for draft in first] == [seen.id.endswith("x2") for seen in orders]
    assert all(draft.partition == 2 for draft in first)
