"""Short numbers: the same while a mail is live, and not given again at once."""

from __future__ import annotations

from clients.box.numbers import HIGHEST, Numbers


def numbered(*ids):
    numbers = Numbers()
    for each in ids:
        numbers.came(each)
    return numbers


def test_they_go_up_and_stay():
    numbers = numbered("a", "b", "c")
    assert [numbers.of(each) for each in "abc"] == [1, 2, 3]
    numbers.went("b")
    numbers.came("d")
    assert [numbers.of(each) for each in "acd"] == [1, 3, 4], "2 is not given again at once"
    assert numbers.of("new") == 5


def test_what_left_is_known_by_its_number_and_has_it_again_when_it_comes_back():
    numbers = numbered("a", "b")
    numbers.went("b")
    assert numbers.mail(2) == "b"
    numbers.came("b")
    assert numbers.of("b") == 2
    assert numbers.mail(7) is None


def test_counting_begins_anew_and_passes_over_what_is_live():
    numbers = numbered(*map(str, range(HIGHEST)))
    for each in range(1, HIGHEST):
        numbers.went(str(each))
    numbers.came("next")
    assert numbers.of("next") == 2, "1 is taken"
    assert numbers.mail(2) == "next"
    assert numbers.of("1") == 3, "it lost its number, and would get another one"


def test_a_large_box_has_large_numbers():
    numbers = numbered(*map(str, range(2000)))
    assert len({numbers.of(str(each)) for each in range(2000)}) == 2000
    assert max(numbers.of(str(each)) for each in range(2000)) == 2000
