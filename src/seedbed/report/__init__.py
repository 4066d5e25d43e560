"""Reports: one self-contained HTML file of a run, a comparison or a search, for a person who did not run it.

`collect/` reads artifacts and results into data classes, `charts/` draws, `run_page`, `comparison_page`, `search_page`
and the templates put it together. The file loads nothing: its styles, its script and its charts stand in it, and its
policy forbids the rest.
"""

from __future__ import annotations

from pathlib import Path


def write_report(path: Path | str, out: Path | str | None = None) -> Path:
    """Write the report of a run's folder, or of a comparison's or search's JSON file; returns the file.

    By default `report.html` in the run's folder, or beside the JSON file under its name. Raises InputError if the
    path is none of these.
    """
    from seedbed.core.errors import InputError
    from seedbed.core.files import write_bytes

    source = Path(path)
    if source.is_dir():
        from .collect.run import collect_run
        from .run_page import run_page

        html, usual = run_page(collect_run(source)), source / "report.html"
    elif source.is_file():
        html, usual = _of_file(source), source.with_suffix(".html")
    else:
        raise InputError(
            str(path), "there is no such run or result", fix="runs/NAME, or the JSON file of a comparison or search"
        )
    target = Path(out) if out is not None else usual
    write_bytes(target, html.encode())
    return target


def _of_file(path: Path) -> str:
    from .collect.comparison import collect_comparison, read_result
    from .collect.search import is_search, search_of
    from .comparison_page import comparison_page
    from .search_page import search_page

    content = read_result(path)
    if is_search(content):
        return search_page(search_of(content, str(content.get("name", path.stem))))
    return comparison_page(collect_comparison(content, path))
