"""A folder with texts and a recipe."""

from pathlib import Path

import pytest
import yaml
from compare_world import RECIPE, text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "texts").mkdir()
    for number in range(40):
        (tmp_path / "texts" / f"{number:02}.txt").write_text(text(number))
    recipe = {**RECIPE, "variables": {"texts": str(tmp_path / "texts")}}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    return tmp_path
