"""Archives: every format in every wrapping, members that must not be read, archives that are cut, damaged, bombs."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.corpus.input.archives import members_of
from seedbed.corpus.input.decode import BrokenStream, Limits
from seedbed.corpus.input.files import InputFile, select_files

PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.compress,
}
Files = list[tuple[str, bytes]]


def tar(files: Files, format: int = tarfile.PAX_FORMAT) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=format) as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return raw.getvalue()


def zipped(files: Files, method: int = zipfile.ZIP_DEFLATED, *, streamed: bool = False) -> bytes:
    class NoSeek(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise OSError

        def seek(self, *_: Any) -> int:
            raise OSError

    raw = NoSeek() if streamed else io.BytesIO()
    with zipfile.ZipFile(raw, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return raw.getvalue()


def texts(number: int, size: int = 3000) -> Files:
    """Files that do not compress away."""
    random_ = random.Random(number)
    return [(f"part/{n:03d}.txt", random_.randbytes(size).hex().encode()) for n in range(number)]


def outcome(path: Path, limits: Limits | None = None) -> list[tuple[str, bytes | str]]:
    """Name and content, or what is wrong, of the files in an archive."""
    file = replace(InputFile.at(path), limits=limits or Limits())
    found: list[tuple[str, bytes | str]] = []
    for member in members_of(file):
        name = member.name.removeprefix(path.name + "/")
        try:
            found.append((name, member.read()))
        except BrokenStream as error:
            found.append((name, str(error)))
    return found


@pytest.mark.parametrize("reader", ["text", "jsonl", "csv", "parquet", "html"])
@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tgz", "tar.bz2", "tar.xz", "tar.zst", "zip"])
def test_readers_find_in_archives_what_they_find_in_folders(
    reader: str, kind: str, tmp_path: Path, helpers: Any
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    for n, text in enumerate(["one", "zwei größer"]):
        if reader == "text":
            (folder / f"{n}.txt").write_text(text)
        elif reader == "jsonl":
            (folder / f"{n}.jsonl.gz").write_bytes(gzip.compress(f'{{"text": "{text}"}}\nbroken\n'.encode()))
        elif reader == "csv":
            (folder / "sub" / f"{n}.tsv.xz").write_bytes(lzma.compress(f"id\ttext\n{n}\t{text}\n".encode()))
        elif reader == "parquet":
            pq.write_table(pa.table({"text": [text]}), folder / f"{n}.parquet")
        else:
            page = f"<html><head><meta charset=utf-8></head><body><main><p>{text * 50}</p></main></body></html>"
            (folder / f"{n}.html").write_text(page)
    same_in_archive(reader, folder, kind, tmp_path / "packed", helpers)


def same_in_archive(reader: str, folder: Path, kind: str, packed: Path, helpers: Any, **given: Any) -> None:
    """What a reader finds in an archive of a folder's files is what it finds in the folder."""
    (folder / "picture.png").write_bytes(b"png")
    files = [(path.relative_to(folder).as_posix(), path.read_bytes()) for path in sorted(folder.rglob("*.*"))]
    suffix = ".gz" if kind == "tgz" else kind.removeprefix("tar")
    content = zipped(files) if kind == "zip" else PACK[suffix](tar(files))
    path = packed / f"in.{kind}"
    packed.mkdir()
    path.write_bytes(content)
    wanted, broken = helpers.read(reader, path=str(folder), **given)
    assert len(wanted) == 2
    for source in (path, path.parent):
        documents, also_broken = helpers.read(reader, path=str(source), **given)
        assert [document.text for document in documents] == [document.text for document in wanted]
        assert [(row.line, row.reason) for row in also_broken] == [(row.line, row.reason) for row in broken]
        for row, other_row in zip(also_broken, broken, strict=True):
            assert row.file == f"{path}/{other_row.file.removeprefix(f'{folder}/')}"
        for document, other in zip(documents, wanted, strict=True):
            assert document.source == f"packed/in.{kind}/{other.source.removeprefix('in/')}"
            inside = [value.replace(f"packed/in.{kind}/", "in/") for value in (document.id, document.place)]
            assert inside == [other.id, other.place] and document.license == other.license


def jats_article(text: str) -> bytes:
    link = "https://creativecommons.org/licenses/by/4.0/"
    about = f'<permissions><license xlink:href="{link}"/></permissions>'
    front = f"<front><article-meta>{about}</article-meta></front>"
    return f"<article>{front}<body><p>{text}</p></body></article>".encode()


def wiki_dump(text: str) -> bytes:
    page = "<page><title>{0}</title><ns>{1}</ns><revision><text>{2}</text></revision></page>\n"
    pages = [page.format(text, 0, f"'''{text}''' is [[linked]]."), page.format("Talk", 1, "not taken")]
    return f"<mediawiki>\n{''.join(pages)}</mediawiki>".encode()


def book(text: str) -> bytes:
    item = '<manifest><item id="a" href="a.html" media-type="text/html"/></manifest>'
    return zipped(
        [
            ("META-INF/container.xml", b'<container><rootfile full-path="a.opf"/></container>'),
            ("a.opf", f'<package>{item}<spine><itemref idref="a"/></spine></package>'.encode()),
            ("a.html", f'<html><head><meta charset="utf-8"></head><body><p>{text}</p></body></html>'.encode()),
        ]
    )


def pdf_page(text: str) -> bytes:
    """Without a table of its objects, which PDFium then makes itself."""
    shown = b"BT /F1 10 Tf 50 800 Td (%s) Tj ET" % text.encode("cp1252")
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R "
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        page + b"/Resources << /Font << /F1 4 0 R >> >> >>",
        font,
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(shown), shown),
    ]
    body = b"".join(b"%d 0 obj\n%s\nendobj\n" % (number, content) for number, content in enumerate(objects, 1))
    return b"%PDF-1.4\n" + body + b"trailer << /Size 6 /Root 1 0 R >>\n%%EOF"


FORMATS: dict[str, tuple[str, Callable[[str], bytes]]] = {
    "jats": ("nxml", jats_article),
    "mediawiki": ("xml.bz2", lambda text: bz2.compress(wiki_dump(text))),
    "epub": ("epub", book),
    "pdf": ("pdf", pdf_page),
}


@pytest.mark.parametrize("reader", FORMATS)
@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tgz", "tar.zst", "zip"])
def test_articles_books_and_dumps_in_archives(reader: str, kind: str, tmp_path: Path, helpers: Any) -> None:
    extension, make = FORMATS[reader]
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (folder / f"a.{extension}").write_bytes(make("one"))
    (folder / "sub" / f"b.{extension}").write_bytes(make("zwei größer"))
    whole = make("broken")
    (folder / f"cut.{extension}").write_bytes(whole[: len(whole) // 3])
    same_in_archive(reader, folder, kind, tmp_path / "packed", helpers)
    _, (broken,) = helpers.read(reader, path=str(tmp_path / "packed"))
    assert broken.file.endswith(f"/in.{kind}/cut.{extension}")


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_names_of_any_length(format: int, tmp_path: Path) -> None:
    names = ["a.txt", "./b.txt", "d" * 90 + "/" + "e" * 60 + ".txt"]
    if format != tarfile.USTAR_FORMAT:
        names += ["f" * 300 + ".txt", "größe.txt"]
    (tmp_path / "a.tar").write_bytes(tar([(name, name.encode()) for name in names], format))
    assert outcome(tmp_path / "a.tar") == [(name.removeprefix("./"), name.encode()) for name in names]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_that_are_not_read(tmp_path: Path) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name, kind in {
            "link.txt": tarfile.SYMTYPE,
            "hard.txt": tarfile.LNKTYPE,
            "null.txt": tarfile.CHRTYPE,
            "disk.txt": tarfile.BLKTYPE,
            "pipe.txt": tarfile.FIFOTYPE,
            "folder.txt": tarfile.DIRTYPE,
        }.items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        for name in (
            "../up.txt",
            "/etc/abs.txt",
            "a\\..\\b.txt",
            "inner.tar",
            ".hidden/h.txt",
            "a.txt",
            "a.txt",
            "e.txt",
        ):
            member = tarfile.TarInfo(name)
            member.size = 0 if name == "e.txt" else 700
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    (tmp_path / "a.tar").write_bytes(raw.getvalue())
    leads_out = "its name leads out of the archive"
    assert outcome(tmp_path / "a.tar") == [
        ("link.txt", "a link, which is not read"),
        ("hard.txt", "a link, which is not read"),
        ("null.txt", "a device, which is not read"),
        ("disk.txt", "a device, which is not read"),
        ("pipe.txt", "a named pipe, which is not read"),
        ("../up.txt", leads_out),
        ("etc/abs.txt", leads_out),
        ("a\\..\\b.txt", leads_out),
        ("inner.tar", "an archive within an archive, which is not opened"),
        ("a.txt", bytes(700)),
        ("a.txt", bytes(700)),
        ("e.txt", b""),
    ]
    link = zipfile.ZipInfo("link.txt")
    link.external_attr = 0o120777 << 16
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr(link, "/etc/passwd")
        for name in ("../up.txt", "secret.txt", "folder/", "a.txt", "a.txt", ".hidden.txt", "e.txt"):
            archive.writestr(name, "" if name in ("e.txt", "folder/") else "text")
    content = bytearray(raw.getvalue())
    at = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 1) + 1)
    assert b"secret.txt" in content[at : at + 60]
    content[at + 8] |= 1  # the flag of an encrypted member
    (tmp_path / "a.zip").write_bytes(content)
    assert outcome(tmp_path / "a.zip") == [
        ("link.txt", "a link, which is not read"),
        ("../up.txt", leads_out),
        ("secret.txt", "encrypted"),
        ("a.txt", b"text"),
        ("a.txt", b"text"),
        ("e.txt", b""),
    ]


@pytest.mark.parametrize(
    ("kind", "streamed"),
    [(f".tar{suffix}", False) for suffix in PACK] + [(".zip", False), (".zip", True)],
)
def test_of_a_cut_archive_all_that_is_whole_comes_out(kind: str, streamed: bool, tmp_path: Path) -> None:
    # bz2 gives nothing of a block of 900 kB that is not whole.
    files = texts(40, size=50_000 if kind == ".tar.bz2" else 3000)
    packed = zipped(files, streamed=streamed) if kind == ".zip" else PACK[kind.removeprefix(".tar")](tar(files))
    path = tmp_path / f"a{kind}"
    path.write_bytes(packed[: int(len(packed) * 0.6)])
    found = outcome(path)
    whole = [(name, content) for name, content in found if isinstance(content, bytes)]
    assert whole == files[: len(whole)] and len(whole) > 10
    lost = found[len(whole) :]
    assert 1 <= len(lost) <= 2 and all(isinstance(reason, str) for _, reason in lost)
    assert len(lost) == 1 or kind == ".zip"


def test_a_broken_directory_of_a_zip_archive_costs_nothing(tmp_path: Path) -> None:
    files = texts(10)
    for streamed in (False, True):
        content = zipped(files, streamed=streamed)
        path = tmp_path / "a.zip"
        path.write_bytes(content.replace(b"PK\x01\x02", b"PK\x00\x00"))
        *whole, (name, reason) = outcome(path)
        assert whole == files and name == "a.zip" and "broken directory" in str(reason)
    content = bytearray(zipped(files))
    content[content.index(b"PK\x01\x02") + 32] = 46 + 12  # the first entry's comment, which swallows the next entry
    path.write_bytes(content)
    *whole, (name, reason) = outcome(path)
    assert whole == files and "entries, but there should be 10" in str(reason)
    content = zipped(files, zipfile.ZIP_STORED)
    path.write_bytes(content[: -len(content) // 3])
    *whole, (_, cut), (_, reason) = outcome(path)
    assert whole == files[: len(whole)] and len(whole) > 4
    assert cut == "the archive ends within this file" and "broken directory" in str(reason)


def test_one_broken_byte_costs_one_member(tmp_path: Path) -> None:
    files = texts(10)
    path = tmp_path / "a.tar"
    content = bytearray(tar(files))
    content[content.index(b"part/004.txt")] ^= 1  # of its header
    path.write_bytes(content)
    found = outcome(path)
    assert [item for item in found if isinstance(item[1], bytes)] == files[:4] + files[5:]
    assert [(name, reason) for name, reason in found if isinstance(reason, str)] == [
        ("a.tar", "broken header of a member: bad checksum")
    ]
    path = tmp_path / "a.zip"
    content = bytearray(zipped(files, zipfile.ZIP_STORED))
    content[content.index(files[4][1]) + 100] ^= 1  # of its content
    path.write_bytes(content)
    found = outcome(path)
    assert [item for item in found if isinstance(item[1], bytes)] == files[:4] + files[5:]
    assert [name for name, reason in found if isinstance(reason, str)] == ["part/004.txt"]


def test_archives_one_behind_the_other_and_without_an_end(tmp_path: Path) -> None:
    files = texts(4)
    (tmp_path / "a.tar").write_bytes(tar(files[:2]) + tar(files[2:]))
    assert outcome(tmp_path / "a.tar") == files
    (tmp_path / "b.tar").write_bytes(tar(files).rstrip(b"\0"))
    assert [reason for _, reason in outcome(tmp_path / "b.tar") if isinstance(reason, str)]
    (tmp_path / "c.tar").write_bytes(b"")
    assert outcome(tmp_path / "c.tar") == [("c.tar", "the archive has no end mark: truncated?")]
    (tmp_path / "c.zip").write_bytes(b"")
    assert len(outcome(tmp_path / "c.zip")) == 1
    (tmp_path / "d.tar").write_bytes(tar([]))
    assert outcome(tmp_path / "d.tar") == []


def test_bombs(tmp_path: Path) -> None:
    limits = Limits(record=1 << 30, ratio=20, always=1 << 20)
    files = [("good.txt", b"good"), ("zeros.txt", bytes(4 << 20)), ("last.txt", b"last")]
    for name, content in {
        "a.zip": zipped(files),
        "b.tar.gz": gzip.compress(tar(files)),
        "c.tar": tar([("good.txt", b"good"), ("zeros.txt.gz", gzip.compress(bytes(4 << 20)))]),
    }.items():
        (tmp_path / name).write_bytes(content)
        found = outcome(tmp_path / name, limits)
        assert found[0] == ("good.txt", b"good"), name
        assert "decompression bomb" in str(found[1][1]), name
        assert not [item for item in found[2:] if item[1] == b""], name
    # Members that lie over each other: what they expand to together counts (the idea of Fifield's bomb, 2019).
    raw = bytearray(zipped([("a.txt", bytes(1 << 20))]))
    start = raw.index(b"PK\x01\x02")
    entry, end = bytes(raw[start : raw.index(b"PK\x05\x06")]), raw[raw.index(b"PK\x05\x06") :]
    struct.pack_into("<HHI", end, 8, 30, 30, len(entry) * 30)
    (tmp_path / "d.zip").write_bytes(bytes(raw[:start]) + entry * 30 + bytes(end))
    found = outcome(tmp_path / "d.zip", limits)
    assert len(found) == 30 and sum(isinstance(content, bytes) for _, content in found) <= 1


def test_an_archive_without_what_the_reader_takes(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar([("a.png", b""), ("README", b"")]))
    with pytest.raises(InputError, match=r"the archive holds none of the files .*, but \.png, README"):
        list(select_files(Source(tmp_path / "a.tar"), (".txt",)))


def test_what_is_not_read_is_passed_over(tmp_path: Path) -> None:
    files = texts(5)
    for name, content in {"a.tar.gz": gzip.compress(tar(files)), "a.zip": zipped(files)}.items():
        (tmp_path / name).write_bytes(content)
        names = []
        for number, member in enumerate(members_of(InputFile.at(tmp_path / name))):
            names.append(member.name.removeprefix(name + "/"))
            if number % 2:
                assert next(member.chunks())
        assert names == [file for file, _ in files]


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_nothing_but_broken_streams_comes_of_damage(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    files = texts(4, size=300)
    kind = data.draw(st.sampled_from([".tar", ".tar.gz", ".tar.zst", ".zip"]))
    content = bytearray(zipped(files) if kind == ".zip" else PACK[kind.removeprefix(".tar")](tar(files)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))]
    path = tmp_path_factory.getbasetemp() / f"damaged{kind}"
    path.write_bytes(content)
    found = outcome(path)
    is_lost = {name for name, _ in files} - {name for name, _ in found}  # tar has no checksum of contents
    assert not is_lost or any(isinstance(reason, str) for _, reason in found)


def test_a_part_of_an_empty_block_is_no_end(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"\0")
    assert any(isinstance(reason, str) for _, reason in outcome(tmp_path / "a.tar"))


@pytest.mark.parametrize("size", ["9" * 5000, "\u0663", "-1"])
def test_a_size_that_is_no_number_of_bytes(size: str, tmp_path: Path) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("a.txt", "b.txt"):
            member = tarfile.TarInfo(name)
            member.size = 3
            if name == "a.txt":
                member.pax_headers = {"size": size}
            archive.addfile(member, io.BytesIO(b"abc"))
    (tmp_path / "a.tar").write_bytes(raw.getvalue())
    assert outcome(tmp_path / "a.tar") == [("a.txt", b"abc"), ("b.txt", b"abc")]


def test_a_zip_archive_that_is_gone_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped([("a.txt", b"abc")]))
    file = InputFile.at(path)
    path.unlink()
    (lost,) = members_of(file)
    with pytest.raises(BrokenStream, match="No such file"):
        lost.read()
