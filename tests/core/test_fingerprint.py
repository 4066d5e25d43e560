"""What counts as a change of a method's code."""

import importlib.util
import sys

import pytest

from seedbed.core.fingerprint import source_digest

PLAIN = '''"""A module."""

import os.path

WORDS = "one  two"


class Thing:
    """What it is."""

    size = 3

    def called(self, name):
        """Says it."""
        return f"{name}  { self.size!r:>{self.size}} {WORDS}"
'''


@pytest.fixture
def digest_of(tmp_path, monkeypatch):
    """The digest of a module with this source."""

    def of(source):
        path = tmp_path / str(len(list(tmp_path.iterdir()))) / "toy_module.py"
        path.parent.mkdir()
        path.write_text(source)
        monkeypatch.delitem(sys.modules, "toy_module", raising=False)
        spec = importlib.util.spec_from_file_location("toy_module", path)
        module = importlib.util.module_from_spec(spec)
        sys.modules["toy_module"] = module
        spec.loader.exec_module(module)
        return source_digest([module.Thing])

    return of


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""A module."""', '"""Another sentence.\n\nAnd more."""'),
        ('        """Says it."""\n', ""),
        ("import os.path", "from os import (\n    path,\n)"),
        ('        """Says it."""', '        """Says it."""\n        import json'),
        ("    size = 3", "    size = 3  # of what\n\n    # nothing"),
        ("def called(self, name):", "def called(\n        self, name\n    ):"),
    ],
)
def test_words_imports_and_line_breaks_are_no_change(digest_of, old, new):
    assert old in PLAIN
    assert digest_of(PLAIN) == digest_of(PLAIN.replace(old, new))


def test_what_a_step_will_cost_is_no_change(digest_of):
    estimate = '\n\n@step.estimate\ndef of(parameters):\n    """Seconds."""\n    return 3\n'
    step = "class step:\n    estimate = prepare = staticmethod(lambda function: function)\n"
    source = step + PLAIN + estimate
    assert digest_of(source) == digest_of(source.replace("return 3", "return 4"))
    assert digest_of(source) == digest_of(step + PLAIN)
    prepare = source.replace("estimate\n", "prepare\n")
    assert digest_of(prepare) != digest_of(prepare.replace("return 3", "return 4"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("size = 3", "size = 4"),
        ("one  two", "one two"),
        ("{name}  {", "{name} {"),
        ("!r:>", "!s:>"),
        ("        return f", "        if name:\n            return f"),
    ],
)
def test_code_and_texts_are(digest_of, old, new):
    assert old in PLAIN
    assert digest_of(PLAIN) != digest_of(PLAIN.replace(old, new))
