"""The queue in memory: order, bounds, and what is counted."""

from steadylight._actions import Entry
from steadylight._queue import MemoryQueue


def put(queue: MemoryQueue, id: str, contact: str | None = None, size: int = 10) -> bool:
    return queue.put(id, contact, b"x" * size)


def ids(entries: list[Entry]) -> list[str]:
    return [each.id for each in entries]


def test_a_queue_gives_the_oldest_first_by_count_and_bytes() -> None:
    queue = MemoryQueue(1_000)
    for id in "abcd":
        put(queue, id)

    assert ids(queue.take(2, 1_000)) == ["a", "b"]
    assert ids(queue.take(9, 21)) == ["c"]  # Each costs its 10 bytes and a comma.
    assert ids(queue.take(9, 1_000)) == ["d"]
    assert queue.take(9, 1_000) == []


def test_an_action_larger_than_a_batch_goes_alone() -> None:
    queue = MemoryQueue(1_000)
    put(queue, "large", size=500)
    put(queue, "small")

    assert ids(queue.take(9, 100)) == ["large"]


def test_a_full_queue_turns_the_newest_away_until_something_is_delivered() -> None:
    queue = MemoryQueue(25)
    assert [put(queue, id) for id in "abc"] == [True, True, False]

    taken = queue.take(1, 1_000)
    assert put(queue, "d") is False  # Taken is not delivered.
    queue.discard(taken)

    assert put(queue, "e") is True
    assert ids(queue.take(9, 1_000)) == ["b", "e"]


def test_what_is_given_back_comes_first_or_last() -> None:
    queue = MemoryQueue(1_000)
    for id in "abcd":
        put(queue, id)
    first, second = queue.take(1, 1_000), queue.take(2, 1_000)

    queue.give_back(second)
    queue.give_back(first, last=True)

    assert ids(queue.take(9, 1_000)) == ["b", "c", "d", "a"]


def test_undelivered_counts_what_is_under_way_by_contact() -> None:
    queue = MemoryQueue(1_000)
    put(queue, "a", "one")
    put(queue, "b", "two")
    put(queue, "c")

    taken = queue.take(1, 1_000)
    assert (queue.undelivered(), queue.undelivered("one"), queue.waiting()) == (3, 1, 2)
    queue.discard(taken)

    assert (queue.undelivered(), queue.undelivered("one"), queue.undelivered("two")) == (2, 0, 1)
