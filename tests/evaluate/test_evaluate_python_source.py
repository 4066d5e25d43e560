"""The classes of words in Python source, and functions without their docstrings."""

import textwrap

from seedbed.evaluate.python_source import CLASSES, functions, words

SOURCE = '''\
"""Module."""
import os.path as p
from math import (
    pi,
    tau,
)


class Circle(Base):
    # äöü
    def area(self, scale=2.5, *rest, unit: str = "ü", **more) -> float:
        ä = scale; total = sum(rest, start=self.radius) * pi  # ü
        return print(f"{total} {scale}", end=unit) or [len(x) for x in more.items()]

    async def other(self):
        return (lambda scale, y: scale + y)(scale, 1)


match x:
    case 1:
        match = 2
'''


def tagged(source: str) -> list[tuple[str, str]]:
    found = words(source)
    assert found is not None
    return [(source[word.start : word.end], word.tag) for word in found]


def test_classes_of_words() -> None:
    found = tagged(SOURCE)
    assert {tag for _, tag in found} <= set(CLASSES)
    wanted = [
        ('"""Module."""', "string"),
        *[("import", "keyword"), ("os", "import"), ("path", "import"), ("as", "keyword"), ("p", "import")],
        *[("from", "keyword"), ("math", "import"), ("import", "keyword"), ("pi", "import"), ("tau", "import")],
        *[("class", "keyword"), ("Circle", "class"), ("Base", "variable"), ("# äöü", "comment")],
        *[("def", "keyword"), ("area", "function"), ("self", "parameter"), ("scale", "parameter"), ("2.5", "number")],
        *[("rest", "parameter"), ("unit", "parameter"), ("str", "builtin"), ('"ü"', "string"), ("more", "parameter")],
        *[("float", "builtin"), ("ä", "variable"), ("scale", "parameter"), ("total", "variable"), ("sum", "builtin")],
        *[("rest", "parameter"), ("start", "argument"), ("self", "parameter"), ("radius", "attribute")],
        *[("pi", "variable"), ("# ü", "comment"), ("return", "keyword"), ("print", "builtin")],
        *[('f"{total} {scale}"', "string"), ("end", "argument"), ("unit", "parameter"), ("or", "keyword")],
        *[("len", "builtin"), ("x", "variable"), ("for", "keyword"), ("x", "variable"), ("in", "keyword")],
        *[("more", "parameter"), ("items", "attribute")],
        *[("async", "keyword"), ("def", "keyword"), ("other", "function"), ("self", "parameter")],
        *[("return", "keyword"), ("lambda", "keyword"), ("scale", "parameter"), ("y", "parameter")],
        *[("scale", "parameter"), ("y", "parameter"), ("scale", "variable"), ("1", "number")],
        *[("match", "keyword"), ("x", "variable"), ("case", "keyword"), ("1", "number"), ("match", "variable")],
        ("2", "number"),
    ]
    assert found == wanted


def test_what_does_not_parse_has_no_words() -> None:
    assert words("def f(:\n") is None and words("a\x00b") is None
    assert words("") == []


def test_functions_lose_their_docstrings() -> None:
    source = textwrap.dedent(
        '''
        class Store:
            def put(self, name):
                """Keep a value
                under its name.

                More of it.
                """
                self.values[name] = 1
                return name

            def bare(self):
                return 1

            def only(self):
                """Nothing but words."""

        async def get(name): "one line"; return name

        async def take(name):
            "Take it away."
            # now
            return name
        '''
    )
    found = {function.name: function for function in functions(source)}
    assert set(found) == {"put", "take"}
    assert found["put"].summary == "Keep a value under its name."
    assert found["put"].source == "def put(self, name):\n    self.values[name] = 1\n    return name"
    assert found["take"].source == "async def take(name):\n    # now\n    return name"


def test_an_indented_function_is_a_function() -> None:
    source = '    def f(self):\n        """Say what it does."""\n        return 1\n'
    assert [function.source for function in functions(source)] == ["def f(self):\n    return 1"]
