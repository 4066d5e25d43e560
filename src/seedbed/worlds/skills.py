"""What the world `domains` trains: small skills with one right answer, some made of others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .dice import Dice

_BRACKETS = {"(": ")", "[": "]", "{": "}", "<": ">"}


@dataclass(frozen=True)
class Setting:
    """What an item is made of: words to choose from, how many elements, and the modulus of arithmetic."""

    words: Sequence[str]
    elements: int
    modulus: int


@dataclass(frozen=True)
class Skill:
    """`make` gives a prompt, without the frame that all items have, and its answer. `parents` are what it is made of:
    the answer is theirs, one applied to another."""

    name: str
    parents: tuple[str, ...]
    make: Callable[[Dice, Setting], tuple[str, str]]


def _some(dice: Dice, setting: Setting) -> list[str]:
    return [dice.pick(setting.words) for _ in range(setting.elements)]


def _repeated(dice: Dice, setting: Setting) -> list[str]:
    """Words of which some occur several times."""
    few = [dice.pick(setting.words) for _ in range(max(2, setting.elements // 2))]
    return [dice.pick(few) for _ in range(setting.elements)]


def _numbers(dice: Dice, setting: Setting) -> list[int]:
    return [dice.below(setting.modulus) for _ in range(setting.elements)]


def _joined(items: Sequence[object]) -> str:
    return " ".join(map(str, items))


def _copy(dice: Dice, setting: Setting) -> tuple[str, str]:
    words = _some(dice, setting)
    return f"repeat {_joined(words)}", _joined(words)


def _reverse(dice: Dice, setting: Setting) -> tuple[str, str]:
    words = _some(dice, setting)
    return f"backwards {_joined(words)}", _joined(words[::-1])


def _count(dice: Dice, setting: Setting) -> tuple[str, str]:
    words = _repeated(dice, setting)
    wanted = dice.pick(words)
    return f"how many {wanted} in {_joined(words)}", str(words.count(wanted))


def _sort(dice: Dice, setting: Setting) -> tuple[str, str]:
    numbers = _numbers(dice, setting)
    return f"in order {_joined(numbers)}", _joined(sorted(numbers))


def _add(dice: Dice, setting: Setting) -> tuple[str, str]:
    numbers = _numbers(dice, setting)
    return f"modulo {setting.modulus} of {' + '.join(map(str, numbers))}", str(sum(numbers) % setting.modulus)


def _brackets(dice: Dice, setting: Setting) -> tuple[str, str]:
    """What closes the open ones."""
    shown: list[str] = []
    waiting: list[str] = []
    for _ in range(2 * setting.elements):
        if len(waiting) > 1 and dice.chance(0.4):
            shown.append(waiting.pop())
        else:
            opening = dice.pick(tuple(_BRACKETS))
            shown.append(opening)
            waiting.append(_BRACKETS[opening])
    return f"close {_joined(shown)}", _joined(waiting[::-1])


def _reverse_sort(dice: Dice, setting: Setting) -> tuple[str, str]:
    numbers = _numbers(dice, setting)
    return f"in order backwards {_joined(numbers)}", _joined(sorted(numbers)[::-1])


def _count_add(dice: Dice, setting: Setting) -> tuple[str, str]:
    words = _repeated(dice, setting)
    one, other = dice.pick(words), dice.pick(words)
    total = words.count(one) + words.count(other)
    return (
        f"modulo {setting.modulus} of how many {one} + how many {other} in {_joined(words)}",
        str(total % setting.modulus),
    )


def _nested_add(dice: Dice, setting: Setting) -> tuple[str, str]:
    """Sums in brackets that were left open, to be closed and added."""
    numbers = _numbers(dice, setting)
    openings = [dice.pick(tuple(_BRACKETS)) for _ in numbers[1:]]
    shown = [f"{number} + {opening}" for number, opening in zip(numbers, openings, strict=False)]
    closing = _joined([_BRACKETS[opening] for opening in openings[::-1]])
    total = sum(numbers) % setting.modulus
    return f"modulo {setting.modulus} of close {_joined([*shown, numbers[-1]])}", f"{closing} {total}"


def _top_add(dice: Dice, setting: Setting) -> tuple[str, str]:
    """The sum of the two largest."""
    numbers = _numbers(dice, setting)
    top = sorted(numbers)[::-1][:2]
    return (
        f"modulo {setting.modulus} of first + second in order backwards {_joined(numbers)}",
        str(sum(top) % setting.modulus),
    )


def _top_copy(dice: Dice, setting: Setting) -> tuple[str, str]:
    """As many times the first word as the largest number says, at most as many as there are elements."""
    numbers = [1 + dice.below(setting.elements) for _ in range(setting.elements)]
    word = dice.pick(setting.words)
    return f"repeat {word} first in order backwards {_joined(numbers)}", _joined([word] * max(numbers))


SKILLS = {
    skill.name: skill
    for skill in (
        Skill("copy", (), _copy),
        Skill("sort", (), _sort),
        Skill("add", (), _add),
        Skill("brackets", (), _brackets),
        Skill("reverse", ("copy",), _reverse),
        Skill("count", ("copy",), _count),
        Skill("reverse_sort", ("sort", "reverse"), _reverse_sort),
        Skill("count_add", ("count", "add"), _count_add),
        Skill("nested_add", ("brackets", "add"), _nested_add),
        Skill("top_add", ("reverse_sort", "add"), _top_add),
        Skill("top_copy", ("reverse_sort", "copy"), _top_copy),
    )
}
