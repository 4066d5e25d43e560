"""The small world of the tests of training is of use here too."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "train"))
