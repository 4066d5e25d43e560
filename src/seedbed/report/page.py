"""The templates' environment: filters for numbers, terms with their explanations, styles and script put in."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from . import numbers
from .glossary import TERMS, Metric, Term, metric_of, system_of

_HERE = Path(__file__).parent


def code(text: str) -> Markup:
    """Documentation with what stands in backticks as code."""
    parts = text.split("`")
    return Markup("").join(Markup("<code>{}</code>").format(p) if n % 2 else escape(p) for n, p in enumerate(parts))


class Page:
    """One page in the making. Terms that are used are remembered, for the glossary at its end."""

    def __init__(self) -> None:
        self.used: dict[str, Term] = {}
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        names = ("whole", "short", "size", "seconds", "when", "significant")
        self._environment.filters.update({name: getattr(numbers, name) for name in names})
        self._environment.filters["code"] = code
        self._environment.globals.update(
            term=self.term,
            metric=self.metric,
            system=self.system,
            metric_of=metric_of,
            share=numbers.share,
            width=numbers.width,
            glossary=self.glossary,
        )

    def render(self, template: str, **values: Any) -> str:
        """The page. Its policy lets nothing be loaded, and no script run but its own."""
        style = (_HERE / "static" / "report.css").read_text(encoding="utf8")
        script = (_HERE / "static" / "report.js").read_text(encoding="utf8")
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        from seedbed import __version__

        return self._environment.get_template(template).render(
            style=Markup(style), script=Markup(script), script_digest=digest, version=__version__, **values
        )

    def term(self, key: str, label: str = "") -> Markup:
        """A term, linked to its line in the glossary."""
        return self._linked(key, TERMS[key], label)

    def metric(self, name: str) -> Markup:
        """A metric's label, linked; one that is not known stands plain."""
        found: Metric = metric_of(name)
        return self._linked(found.name, Term(found.label, found.text))

    def system(self, name: str) -> Markup:
        """A system's label, linked."""
        return self._linked(f"system-{name}", system_of(name))

    def glossary(self) -> list[tuple[str, Term]]:
        """The terms that were used so far, in the order of the alphabet."""
        return sorted(self.used.items(), key=lambda item: item[1].label.lower())

    def _linked(self, key: str, found: Term, label: str = "") -> Markup:
        if not found.text:
            return Markup.escape(label or found.label)
        self.used[key] = found
        return Markup('<a class="term" href="#term-{}" title="{}">{}</a>').format(key, found.text, label or found.label)
