"""Word problems; each answer is checked by telling its story backwards."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from clampsweep.studies.backtracking.problems.problem import Family, Problem, by_level
from clampsweep.studies.backtracking.splits import DISCOVER, SELECT, TEST

_NAMES = ("Amara", "Bela", "Chiyo", "Dario", "Elif", "Farid", "Greta", "Hugo", "Ines", "Jonas")


def _shopping(random: Random, level: int) -> Problem:
    """Change from a note: what was spent and the change make the note."""
    who = random.choice(_NAMES)
    most = by_level(level, (5, 9, 12, 20, 40))
    (first, one), (second, other) = random.sample(
        [("pencils", 3), ("notebooks", 8), ("stamps", 2), ("postcards", 4), ("rulers", 6)], 2
    )
    one, other = one + random.randint(0, most), other + random.randint(0, most)
    n, m = random.randint(2, most), random.randint(2, most)
    paid = n * one + (m * other if level > 1 else 0) + random.randint(3, 12 * most)
    bought = f"{n} {first} at {one} pence each"
    if level > 1:
        bought += f" and {m} {second} at {other} pence each"
    text = (
        f"{who} buys {bought} and pays with {paid} pence. How many pence of change does {who} get?"
    )
    spent = n * one + (m * other if level > 1 else 0)

    def check(given: Fraction) -> bool:
        left = paid - given  # what the shop keeps
        return (left - (m * other if level > 1 else 0)) / n == one

    return Problem(text, Fraction(paid - spent), check)


def _travel(random: Random, level: int) -> Problem:
    """Average speed, from level 3, or distance: speed times time, part by part."""
    most = by_level(level, (3, 5, 5, 7, 9))
    what = random.choice(("train", "bus", "van", "boat"))
    v, w = (10 * random.randint(2, 9) + (random.randint(0, 9) if level > 1 else 0) for _ in "vw")
    t, u = random.randint(2, most), random.randint(2, most)
    legs = f"A {what} travels {t} hours at {v} km/h and then {u} hours at {w} km/h."
    if level < 3:
        text = f"{legs} How many kilometres does it travel in all?"
        return Problem(text, Fraction(t * v + u * w), lambda far: (far - u * w) / t == v)
    text = f"{legs} What is its average speed in km/h, exactly?"
    answer = Fraction(t * v + u * w, t + u)
    return Problem(text, answer, lambda mean: t * (v - mean) == u * (mean - w))


def _sharing(random: Random, level: int) -> Problem:
    """Each one's share: all shares and what was kept make the whole."""
    who = random.choice(_NAMES)
    things = random.choice(("marbles", "shells", "cards", "beads"))
    friends = random.randint(3, by_level(level, (5, 7, 9, 12, 15)))
    boxes = random.randint(2, 6) if level > 2 else 1
    share = boxes * random.randint(3, by_level(level, (9, 15, 20, 25, 40)))
    kept = boxes * random.randint(2, 9) if level > 1 else 0
    whole = friends * share + kept
    has = f"{boxes} boxes of {whole // boxes} {things}" if boxes > 1 else f"{whole} {things}"
    shares = f"keeps {kept} of them and shares the rest" if kept else "shares them"
    text = (
        f"{who} has {has}. {who} {shares} equally among {friends} friends. "
        f"How many {things} does each friend get?"
    )
    answer = Fraction(whole - kept, friends)
    return Problem(text, answer, lambda each: sum([each] * friends, Fraction(kept)) == whole)


def _ages(random: Random, level: int) -> Problem:
    """The younger one's age: the older one's follows, and their sum after some years."""
    old, young = random.sample(_NAMES, 2)
    times = random.randint(2, by_level(level, (3, 4, 5, 6, 7)))
    age = random.randint(3, by_level(level, (6, 8, 10, 11, 12)))
    years = random.randint(2, 9) if level > 1 else 0
    more = random.randint(1, 6) if level > 2 else 0
    total = age + times * age + more + 2 * years
    is_now = f"{old} is {times} times as old as {young}"
    if more:
        is_now = f"{old} is {more} years older than {times} times the age of {young}"
    when = f"In {years} years their ages will add up" if years else "Their ages add up"
    text = f"{is_now}. {when} to {total}. How old is {young} now?"
    answer = Fraction(total - 2 * years - more, times + 1)

    def check(given: Fraction) -> bool:
        other = times * given + more
        return (given + years) + (other + years) == total

    return Problem(text, answer, check)


def _tank(random: Random, level: int) -> Problem:
    """Minutes until a tank is full: what flows in and out in that time fills the room left."""
    most = by_level(level, (9, 15, 25, 40, 60))
    gain, minutes = random.randint(3, most), random.randint(4, most + 3)
    leak = random.randint(2, most) if level > 1 else 0
    room = gain * minutes + (random.randint(1, gain - 1) if level > 3 else 0)
    start = random.randint(5, 4 * most) if level > 2 else 0
    filled = f"has {start} litres in it" if start else "is empty"
    flow = f"Water flows in at {gain + leak} litres per minute"
    if leak:
        flow += f" and leaks out at {leak} litres per minute"
    exactly = "exactly " if level > 3 else ""
    text = (
        f"A tank has room for {room + start} litres and {filled}. {flow}. "
        f"After {exactly}how many minutes is it full?"
    )

    def check(given: Fraction) -> bool:
        return start + (gain + leak) * given - leak * given == room + start

    return Problem(text, Fraction(room, gain), check)


def _savings(random: Random, level: int) -> Problem:
    """Weeks until a sum is saved: week by week it grows to the goal."""
    who = random.choice(_NAMES)
    goal_is = random.choice(("a bicycle", "a tent", "a guitar", "a camera"))
    most = by_level(level, (9, 15, 30, 50, 80))
    weeks, net = random.randint(4, most), random.randint(4, most)
    spends = random.randint(2, most) if level > 1 else 0
    has = random.randint(5, 3 * most) if level > 2 else 0
    lent = random.randint(2, has - 2) if level > 3 else 0
    price = has - lent + weeks * net
    does = [f"has {has} euros"] * bool(has) + [f"lends {lent} of them to a friend"] * bool(lent)
    does += [f"earns {net + spends} euros a week", f"spends {spends} of them"][: 1 + bool(spends)]
    story = ", ".join(does[:-1]) + " and " * bool(does[:-1]) + does[-1]
    text = (
        f"{who} saves for {goal_is} that costs {price} euros. {who} {story}. "
        "After how many weeks is there enough?"
    )

    def check(given: Fraction) -> bool:
        purse, passed = has - lent, 0
        while purse < price:
            purse, passed = purse + (net + spends) - spends, passed + 1
        return purse == price and given == passed

    return Problem(text, Fraction(price - has + lent, net), check)


FAMILIES = (
    Family("stories", "shopping", DISCOVER, _shopping),
    Family("stories", "travel", DISCOVER, _travel),
    Family("stories", "sharing", SELECT, _sharing),
    Family("stories", "ages", SELECT, _ages),
    Family("stories", "tank", TEST, _tank),
    Family("stories", "savings", TEST, _savings),
)
"""Families of type stories."""
