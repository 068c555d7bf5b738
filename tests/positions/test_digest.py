"""The digest tells two records apart wherever a copy would differ from its original."""

from hypothesis import given
from hypothesis import strategies as st

from kmigrate.positions import digest

part = st.none() | st.binary(max_size=4)
headers = st.lists(st.tuples(st.text(max_size=2), part), max_size=3)
record = st.tuples(st.integers(0, 3), part, part, headers)


def test_null_and_empty_differ_in_key_value_and_header() -> None:
    told = {
        digest(1, None, b""),
        digest(1, b"", None),
        digest(1, None, None),
        digest(1, b"", b""),
        digest(1, b"", b"", [("h", None)]),
        digest(1, b"", b"", [("h", b"")]),
    }
    assert len(told) == 6


def test_the_order_of_headers_counts() -> None:
    assert digest(1, b"k", b"v", [("a", b"1"), ("b", b"2")]) != digest(1, b"k", b"v", [("b", b"2"), ("a", b"1")])


def test_parts_never_run_together() -> None:
    assert digest(1, b"ab", b"c") != digest(1, b"a", b"bc")
    assert digest(1, b"k", b"v", [("ab", b"c")]) != digest(1, b"k", b"v", [("a", b"bc")])
    assert digest(1, b"k", b"v", [("a", b"1")]) != digest(1, b"k", b"v", [("a", b"1"), ("a", b"1")])


def test_a_header_name_of_any_alphabet_counts() -> None:
    assert digest(1, None, None, [("größe", b"")]) != digest(1, None, None, [("grosse", b"")])


def test_the_time_counts() -> None:
    assert digest(1, b"k", b"v") != digest(2, b"k", b"v")


def test_without_a_time_nothing_but_the_time_is_left_out() -> None:
    assert digest(None, b"k", b"v") not in {digest(0, b"k", b"v"), digest(None, b"k", b""), digest(None, None, b"v")}
    assert digest(None, b"k", b"v", [("a", b"1")]) != digest(None, b"k", b"v")


@given(record, record)
def test_two_records_have_one_digest_exactly_when_they_are_equal(
    one: tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]],
    other: tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]],
) -> None:
    assert (digest(*one) == digest(*other)) == (one == other)
    assert len(digest(*one)) == 16
