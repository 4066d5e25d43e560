"""Licenses of source code: several side by side, notices in files, versions, fields of packages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seedbed.corpus.licensing.expressions import allowed_by
from seedbed.corpus.licensing.folders import license_of_folder, stated_license
from seedbed.corpus.licensing.names import license_of_name
from seedbed.corpus.licensing.packages import license_of_package_file
from seedbed.corpus.licensing.texts import license_of_header, license_of_notice, license_of_text

MIT = """The MIT License
Permission is hereby granted, free of charge, to any person obtaining a copy of this software, to deal in the Software
without restriction. The above copyright notice and this permission notice shall be included."""
APACHE = "                  Apache License\n            Version 2.0, January 2004"
GPL = "                    GNU GENERAL PUBLIC LICENSE\n                       Version 3, 29 June 2007\n"
LGPL = GPL.replace("GENERAL", "LESSER GENERAL")
BSD = "Redistribution and use in source and binary forms, with or without changes, are permitted"
CC_BY = "Creative Commons Attribution 4.0 International Public License"
GPL_NOTICE = """/*
 * This program is free software; you can redistribute it and/or modify it under the terms of the GNU General Public
 * License as published by the Free Software Foundation; either version 2 of the License, or (at your option) any
 * later version. See the GNU General Public License for more details.
 */
int x;
"""


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"LICENSE-MIT": MIT, "LICENSE-APACHE": APACHE}, "Apache-2.0 OR MIT"),
        ({"LICENSE.MIT.txt": MIT, "LICENSE.GPLv3": GPL}, "GPL-3.0 OR MIT"),
        ({"MIT-LICENSE.txt": MIT, "GPL-LICENSE.txt": GPL}, "GPL-3.0 OR MIT"),
        ({"UNLICENSE": "This is free and unencumbered software released into the public domain", "LICENSE-MIT": MIT},
         "MIT OR Unlicense"),
        ({"LICENSE": MIT, "LICENSE-MIT": MIT, "LICENSE-APACHE": APACHE}, "Apache-2.0 OR MIT"),
        ({"LICENSE": "Dual licensed under the MIT license or the Apache License 2.0.", "a": ""}, "Apache-2.0 OR MIT"),
        ({"LICENSE": "Foo is dual licensed under MIT and GPL.", "COPYING": GPL, "LICENSE.txt": MIT}, "GPL-3.0 OR MIT"),
        ({"LICENSE": MIT, "COPYING": GPL}, "GPL-3.0 AND MIT"),
        ({"LICENSE": MIT, "LICENSE-APACHE": APACHE}, "Apache-2.0 AND MIT"),
        ({"LICENSE-MIT": MIT, "LICENSE-APACHE": APACHE, "LICENSE-3RD-PARTY": BSD},
         "(Apache-2.0 OR MIT) AND BSD-2-Clause"),
        ({"LICENSE-MIT": MIT, "LICENSE-CC-BY": CC_BY}, "CC-BY-4.0 AND MIT"),  # code and documents, not a choice
        ({"COPYING": GPL, "COPYING.LESSER": LGPL}, "LGPL-3.0"),
        ({"COPYING": GPL, "LICENSE": LGPL}, "GPL-3.0 AND LGPL-3.0"),
        ({"LICENSE": MIT, "LICENSE.txt": MIT}, "MIT"),
        ({"LICENSE": "All rights reserved."}, ""),
        # What packages state: where no text tells, and where it says the same with more words.
        ({"package.json": '{"license": "ISC"}'}, "ISC"),
        ({"package.json": '{"license": "ISC"}', "LICENSE": MIT}, "MIT"),
        ({"package.json": '{"license": "MIT OR GPL-3.0-or-later"}', "LICENSE": MIT, "COPYING": GPL},
         "GPL-3.0-or-later OR MIT"),
        ({"setup.cfg": "[metadata]\nlicense = GPLv3+\n", "COPYING": GPL}, "GPL-3.0-or-later"),
        ({"Cargo.toml": '[package]\nlicense = "MIT"', "pyproject.toml": '[project]\nlicense = "Zlib"'}, "MIT AND Zlib"),
    ],
)  # fmt: skip
def test_the_license_of_a_folder(files: dict[str, str], wanted: str) -> None:
    found = {name: stated_license(name, text.encode()) for name, text in files.items()}
    assert license_of_folder(found) == wanted
    assert license_of_folder(dict(reversed(found.items()))) == wanted


def test_a_choice_is_kept_if_one_is_allowed_and_both_are_needed_otherwise(tmp_path: Path, helpers: Any) -> None:
    files = {"a/LICENSE-MIT": MIT, "a/LICENSE-APACHE": APACHE, "b/LICENSE": MIT, "b/COPYING": GPL}
    for name, content in {**files, "a/x.py": "x = 1\n", "b/y.py": "y = 1\n"}.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text(content)

    def kept(*licenses: str) -> dict[str, str]:
        documents, _ = helpers.read("source_tree", path=str(tmp_path / "in"), licenses=list(licenses))
        return {document.id: document.license for document in documents}

    assert kept("MIT") == {"in/a/x.py": "Apache-2.0 OR MIT"}
    assert kept("GPL-3.0", "MIT") == {"in/a/x.py": "Apache-2.0 OR MIT", "in/b/y.py": "GPL-3.0 AND MIT"}
    assert kept("GPL-3.0") == {}


def test_the_notice_in_a_file_goes_before_the_license_of_its_folder(tmp_path: Path, helpers: Any) -> None:
    files = {
        "LICENSE": MIT,
        "a.c": GPL_NOTICE,
        "b.c": "/* SPDX-License-Identifier: Zlib */\n" + GPL_NOTICE,
        "c.c": "int x;\n",
        "old/COPYING": GPL,
        "old/d.py": "# Licensed under the GPL, see COPYING.\n",
        "old/e.py": '# Licensed under the Apache License, Version 2.0 (the "License")\n',
        "node_modules/x/package.json": '{"license": "GPL-3.0"}',
        "sub/package.json": '{"license": "BSD-3-Clause"}',
        "sub/f.js": "f()\n",
        "bad/package.json": '{"license": ',
        "bad/g.js": "g()\n",
    }
    for name, content in files.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text(content)
    documents, broken = helpers.read("source_tree", path=str(tmp_path / "in"))
    assert not broken
    assert {document.id.removeprefix("in/"): document.license for document in documents} == {
        "a.c": "GPL-2.0-or-later", "b.c": "Zlib", "c.c": "MIT", "old/d.py": "GPL-3.0", "old/e.py": "Apache-2.0",
        "sub/f.js": "BSD-3-Clause", "bad/g.js": "MIT",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (GPL_NOTICE, "GPL-2.0-or-later"),
        ("// under the terms of version 2 of the GNU General Public License as published by\n// X.\n", "GPL-2.0-only"),
        ("dnl under the terms of the GNU Lesser General Public\ndnl License as published by the Free Software\n"
         "dnl Foundation; either version 2.1 of the License, or (at your option) any later version.",
         "LGPL-2.1-or-later"),
        ("<!--\nlicensed under the GNU Affero General Public License v3.0\n-->", "AGPL-3.0-only"),
        ("C     This program is licensed under the GNU GPL v3 or later\n      PROGRAM X", "GPL-3.0-or-later"),
        ("; Licensed under the GPL, see COPYING\n", "LicenseRef-GPL"),
        ("<?php\n/**\n * @license GPL-2.0+\n */", "GPL-2.0-or-later"),
        ('# Licensed under the Apache License, Version 2.0 (the "License");\n# you may not use', "Apache-2.0"),
        ("// Licensed under the Apache License, Version 2.0 <LICENSE-APACHE or\n// http://www.apache.org/licenses/"
         "LICENSE-2.0> or the MIT license\n// <LICENSE-MIT or http://opensource.org/licenses/MIT>, at your\n// option.",
         "Apache-2.0 OR MIT"),
        ("/*!\n * Dual licensed under the MIT and GPL licenses:\n * http://www.gnu.org/licenses/gpl.html\n */",
         "LicenseRef-GPL OR MIT"),
        ("/*\n * Version: MPL 1.1/GPL 2.0/LGPL 2.1\n */", "GPL-2.0-or-later OR LGPL-2.1-or-later OR MPL-1.1"),
        ("/* This Source Code Form is subject to the terms of the Mozilla Public\n * License, v. 2.0. */", "MPL-2.0"),
        ("/* under the terms of the Eclipse Public License v1.0 */", "EPL-1.0"),
        ("/*!\n * Copyright(c) 2009 somebody\n * MIT Licensed\n */", "MIT"),
        (f"/*\n * {MIT}\n */", "MIT"),
        ("# License: BSD 3 clause\n", "BSD-3-Clause"),
        ("# you can redistribute it under the same terms as Perl itself.", "Artistic-1.0-Perl OR GPL-1.0-or-later"),
        ("% This work is licensed under CC BY-NC 4.0\n", "CC-BY-NC-4.0"),
        ("/* Parts are under the MIT license. Others are covered by the zlib license. */", "MIT AND Zlib"),
        # No notices: a style, a folder's file, code, and what only speaks of a license.
        ("// governed by a BSD-style license that can be found in the LICENSE file.", ""),
        ('x = """\nThis is licensed under the GNU General Public License version 3.\n"""\n', ""),
        ('print("licensed under the GPL version 2")\n', ""),
        ("# code for finding GPL-compatible licenses", ""),
        ("int x;\n" * 2000 + GPL_NOTICE, ""),
    ],
)  # fmt: skip
def test_notices_in_files(text: str, wanted: str) -> None:
    assert license_of_notice(text) == wanted


@pytest.mark.parametrize(
    ("license", "names", "wanted"),
    [
        *((f"{family}-3.0{suffix}", [f"{family}-3.0"], True)
          for family in ("GPL", "LGPL", "AGPL") for suffix in ("", "-only", "-or-later", "+")),
        ("GPL-3.0", ["GPL-3.0-only"], True),
        ("GPL-3.0-or-later", ["GPL-3.0-only"], True),  # which may be taken as version 3
        ("GPL-2.0-or-later", ["GPL-3.0"], True),
        ("GPL-2.0-or-later", ["GPL-3"], True),
        ("GPL-2.0-only", ["GPL-3.0"], False),
        ("GPL-3.0-or-later", ["GPL-2.0"], False),
        ("GPL-3.0-only", ["GPL-2.0-or-later"], True),
        ("GPL-2.0-only", ["GPL-3.0-or-later"], False),
        ("LGPL-2.1-or-later", ["LGPL-3.0"], True),
        ("LGPL-2.1-only", ["LGPL-2.0"], False),
        ("LGPL-3.0", ["GPL-3.0"], False),
        ("GPL-3.0", ["AGPL-3.0"], False),
        ("GPL-2.0-or-later WITH Classpath-exception-2.0", ["GPL-2.0"], False),
        ("GPL-2.0-only WITH Classpath-exception-2.0", ["GPL-2.0 WITH Classpath-exception-2.0"], True),
        ("CC-BY-NC-4.0", ["CC-BY-4.0"], False),
        ("mit or gpl-2.0", ["MIT"], True),
        ("MIT and GPL-2.0", ["MIT"], False),
        ("(" * 300 + "MIT" + ")" * 300, ["MIT"], False),
        ("(MIT OR Zlib) AND " * 5000 + "MIT", ["MIT"], False),
        ("LicenseRef-GPL", ["GPL-2.0"], False),
    ],
)  # fmt: skip
def test_versions_and_exceptions_of_licenses(license: str, names: list[str], wanted: bool) -> None:
    assert allowed_by(license, names) == wanted


@pytest.mark.parametrize(
    ("tag", "wanted"),
    [
        ("MIT AND", "MIT AND"),
        ("(MIT OR Zlib) AND (GPL-2.0-only WITH Classpath-exception-2.0", None),
        ("MIT and GPL-2.0", "MIT AND GPL-2.0"),
        ("MIT) Copyright", "MIT"),
        ("((MIT))", "((MIT))"),
        ("{license}", ""),
    ],
)
def test_odd_tags_are_never_taken_for_less_than_they_say(tag: str, wanted: str | None) -> None:
    found = license_of_header(f"# SPDX-License-Identifier: {tag}\n")
    assert wanted is None or found == wanted
    assert allowed_by(found, ["MIT", "Zlib"]) == (found in ("MIT", "((MIT))"))


def test_several_tags_hold_together() -> None:
    tag = "# SPDX-License-Identifier: "
    assert license_of_header(f"{tag}MIT\n{tag}Zlib OR 0BSD\n{tag}MIT\n") == "MIT AND (Zlib OR 0BSD)"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Creative Commons Attribution-NonCommercial 4.0 International", "CC-BY-NC-4.0"),
        ("Attribution-NonCommercial-ShareAlike 4.0 International\n=====", "CC-BY-NC-SA-4.0"),
        ("Attribution-NonCommercial-NoDerivatives 4.0 International", "CC-BY-NC-ND-4.0"),
        ("Attribution-NoDerivs 3.0 Unported", "CC-BY-ND-3.0"),
        ("Attribution-ShareAlike 4.0 International", "CC-BY-SA-4.0"),
        (CC_BY, "CC-BY-4.0"),
        ("This work is under a Creative Commons Attribution Non-Commercial License", "CC-BY-NC"),
        ("Licensed under CC BY-NC-SA 4.0.", "CC-BY-NC-SA-4.0"),
        ("See https://creativecommons.org/licenses/by-nc/4.0/", "CC-BY-NC-4.0"),
        ("The Artistic License 2.0\nCopyright", "Artistic-2.0"),
        ("EUROPEAN UNION PUBLIC LICENCE v. 1.2\nEUPL", "EUPL-1.2"),
        ("SIL OPEN FONT LICENSE Version 1.1 - 26 February 2007", "OFL-1.1"),
        ("MOZILLA PUBLIC LICENSE\n  Version 1.1\n ------", "MPL-1.1"),
        ("Mozilla Public License Version 2.0\n===", "MPL-2.0"),
        ("Eclipse Public License - v 1.0\n", "EPL-1.0"),
        ("Eclipse Public License - v 2.0\n", "EPL-2.0"),
        ("Eclipse Public License, Version 2.0 (EPL-2.0)\n", "EPL-2.0"),
        (f'"Commons Clause" License Condition v1.0\n{MIT}', "LicenseRef-Commons-Clause AND MIT"),
        (f"{MIT} The Software shall be used for Good, not Evil.", "JSON"),
        ("/*\n * " + MIT.replace("any person", "any\n * person") + "\n */", "MIT"),
        ("MIT", "MIT"),
    ],
)
def test_more_licenses_by_their_phrases(text: str, wanted: str) -> None:
    assert license_of_text(text) == wanted


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("package.json", '{"license": "(MIT OR Apache-2.0)"}', "Apache-2.0 OR MIT"),
        ("package.json", '{"license": {"type": "MIT", "url": "x"}}', "MIT"),
        ("package.json", '{"licenses": [{"type": "MIT"}, {"type": "GPL-2.0"}]}', "GPL-2.0 OR MIT"),
        ("package.json", '{"license": "SEE LICENSE IN x.txt"}', ""),
        ("package.json", '{"license": "UNLICENSED"}', "UNLICENSED"),
        ("package.json", '{"license": 3}', ""),
        ("package.json", "[]", ""),
        ("package.json", '{"license": "MIT"', ""),
        ("package.json", "[" * 100_000, ""),
        ("Cargo.toml", '[package]\nlicense = "MIT/Apache-2.0"', "Apache-2.0 OR MIT"),
        ("Cargo.toml", "[package]\nlicense.workspace = true", ""),
        ("Cargo.toml", '[workspace.package]\nlicense = "MIT"', "MIT"),
        ("Cargo.toml", "[package\n", ""),
        ("pyproject.toml", '[project]\nlicense = "MIT"', "MIT"),
        ("pyproject.toml", '[project]\nlicense = {text = "Apache License 2.0"}', "Apache-2.0"),
        ("pyproject.toml", f"[project]\nlicense = {{text = '''{MIT}'''}}", "MIT"),
        ("pyproject.toml", '[project]\nlicense = {file = "LICENSE"}', ""),
        ("pyproject.toml", '[tool.poetry]\nlicense = "MIT"', "MIT"),
        ("pyproject.toml", '[project]\nclassifiers = ["License :: OSI Approved", '
         '"License :: OSI Approved :: GNU General Public License v3 or later (GPLv3+)"]', "GPL-3.0-or-later"),
        ("pyproject.toml", '[project]\nclassifiers = ["License :: OSI Approved :: MIT License", '
         '"License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)"]', "MIT AND MPL-2.0"),
        ("setup.cfg", "[metadata]\nname = 100%\nlicense = BSD 3-Clause\n", "BSD-3-Clause"),
        ("setup.cfg", "[metadata]\nclassifiers =\n  Topic :: X\n  License :: OSI Approved :: MIT License\n", "MIT"),
        ("setup.cfg", "license = MIT\n", ""),
        ("setup.cfg", "[x]\n", ""),
    ],
)  # fmt: skip
def test_what_packages_state(name: str, content: str, wanted: str) -> None:
    assert license_of_package_file(name, content.encode()) == wanted
    assert license_of_package_file(name, b"\xff\xfe" + content.encode()) == ""


@pytest.mark.parametrize(
    ("stated", "wanted"),
    [
        ("GPLv3", "GPL-3.0-only"),
        ("GPL v2 or later", "GPL-2.0-or-later"),
        ("MIT, GPLv2", "GPL-2.0-only AND MIT"),
        ("MIT and something of ours", "MIT and something of ours"),  # never less than it says
        ("Apache Software License", "LicenseRef-Apache"),
        ("ISC License (ISCL)", "ISC"),
        ("Proprietary", "Proprietary"),
        ("GPL-2.0 WITH Classpath-exception-2.0", "GPL-2.0 WITH Classpath-exception-2.0"),
    ],
)
def test_names_that_people_give(stated: str, wanted: str) -> None:
    assert license_of_name(stated) == wanted
