"""Reports: one self-contained HTML file of a run or of a comparison, for a person who did not run it.

`collect/` reads artifacts and results into data classes, `charts/` draws, `run_page`, `comparison_page` and the
templates put it together. The file loads nothing: its styles, its script and its charts stand in it, and its policy
forbids the rest.
"""

from __future__ import annotations

from pathlib import Path


def write_report(path: Path | str, out: Path | str | None = None) -> Path:
    """Write the report of a run's folder, or of a comparison's JSON file; returns the file.

    By default `report.html` in the run's folder, or beside the JSON file under its name. Raises InputError if the
    path is neither.
    """
    from seedbed.core.errors import InputError
    from seedbed.core.files import write_bytes

    from .comparison_page import comparison_page
    from .run_page import run_page

    source = Path(path)
    if source.is_dir():
        from .collect.run import collect_run

        html, usual = run_page(collect_run(source)), source / "report.html"
    elif source.is_file():
        from .collect.comparison import collect_comparison

        html, usual = comparison_page(collect_comparison(source)), source.with_suffix(".html")
    else:
        raise InputError(str(path), "there is no such run or result", fix="runs/NAME, or a comparison's JSON file")
    target = Path(out) if out is not None else usual
    write_bytes(target, html.encode())
    return target
