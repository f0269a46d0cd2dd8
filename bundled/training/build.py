"""Makes the training text: one JSON line for each document found in
unpacked Debian packages."""

import argparse
import gzip
import json
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator

import plain_text
from common import fail, log, written_whole

SHORTEST = 300  # characters; shorter documents are mostly headings
PIECE = 6000  # characters of a file that has no documents of its own
FINGERPRINT = 2000  # first characters; documents equal in them are one
SHUFFLE_SEED = 1

HANDBOOK_LANGUAGES = ("en-US", "de-DE", "fr-FR", "es-ES", "ja-JP", "ru-RU",
                      "zh-CN", "it-IT", "pt-BR", "pl-PL")
MANPAGE_PACKAGES = ("manpages", "manpages-dev", "manpages-de", "manpages-fr",
                    "manpages-es", "manpages-ja", "manpages-zh",
                    "manpages-ru", "manpages-pl")

# Plentiful kinds of text are capped, so that none outweighs the others.
MOST_BYTES = {
    "linux-source-6.1": 22e6,
    "linux-doc-6.1": 20e6,
    "dict-gcide": 16e6,
    "python3.11-doc": 10e6,
    "dict-wn": 8e6,
    "gimp-help-en": 5e6,
}


@dataclass(frozen=True)
class Source:
    """The text files of a package, and the way to read them."""

    package: str
    suffixes: tuple[str, ...]
    to_text: Callable[[str], str] = plain_text.from_plain
    but_not: tuple[str, ...] = ()  # suffixes of files that are not text
    within: str = "/"  # a part of the path that all the files share
    piece: int | None = None  # characters of a piece; None: files stay whole
    label: str = ""  # of its documents; if empty, the package's name

    def domain(self) -> str:
        """Returns the name by which its documents are counted and capped."""
        return self.label or self.package

    def wants(self, path: Path) -> bool:
        """Returns whether the file belongs to this source."""
        return (path.name.endswith(self.suffixes)
                and not path.name.endswith(self.but_not)
                and self.within in path.as_posix())


def sources() -> list[Source]:
    """Returns all sources of the bundled model's training text."""
    html, man = plain_text.from_html, plain_text.from_man
    fortunes = {"suffixes": ("",), "but_not": (".dat", ".u8"),
                "within": "/usr/share/games/fortunes/",
                "to_text": plain_text.from_fortunes, "piece": PIECE}
    return [
        *(Source("debian-handbook", (".html",), html,
                 within=f"/html/{language}/",
                 label=f"debian-handbook {language}")
          for language in HANDBOOK_LANGUAGES),
        *(Source(package, (".gz",), man, within="/man/")
          for package in MANPAGE_PACKAGES),
        Source("postgresql-doc-15", (".html",), html),
        Source("git-doc", (".txt",)),
        Source("perl-doc", (".pod",)),
        Source("python3.11-doc", (".html",), html),
        Source("gimp-help-en", (".html",), html),
        Source("developers-reference", (".html",), html),
        Source("debian-policy", (".html",), html),
        Source("libpython3.11-stdlib", (".py",)),
        Source("linux-source-6.1", (".c",)),
        Source("linux-doc-6.1", (".rst", ".rst.gz", ".rst.txt", ".txt.gz")),
        Source("dict-gcide", (".dict.dz",), piece=PIECE),
        Source("dict-wn", (".dict.dz",), piece=PIECE),
        Source("fortunes", **fortunes),
        Source("fortunes-de", **fortunes),
    ]


def read(path: Path) -> str:
    """Reads a file, unpacked; bytes that are not UTF-8 are left out."""
    opener = gzip.open if path.suffix in (".gz", ".dz") else open
    try:
        with opener(path, "rb") as file:
            return file.read().decode("utf8", "ignore")
    except (OSError, EOFError) as error:
        log(f"skipped {path}: {error}")
        return ""


def documents(source: Source, packages: Path) -> Iterator[str]:
    """Yields the source's documents, in the order of their paths."""
    for path in sorted((packages / source.package).rglob("*")):
        # The target of a link may be missing, as it is in another package.
        if not path.is_file() or not source.wants(path):
            continue
        text = read(path)
        piece = source.piece or max(len(text), 1)
        for start in range(0, len(text), piece):
            # Pieces are converted one by one. A separator that is cut in two
            # stays in the text, which is rare and harmless.
            document = plain_text.tidy(
                source.to_text(text[start:start + piece]))
            if len(document) >= SHORTEST:
                yield document


def collect(packages: Path) -> list[tuple[str, str]]:
    """Returns all (domain, text), except those that begin like another."""
    missing = dict.fromkeys(source.package for source in sources()
                            if not (packages / source.package).is_dir())
    if missing:
        log(f"left out, as not under {packages}: {' '.join(missing)}")
    seen = set()
    collected = []
    for source in sources():
        for text in documents(source, packages):
            if text[:FINGERPRINT] not in seen:
                seen.add(text[:FINGERPRINT])
                collected.append((source.domain(), text))
    return collected


def capped(collected: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Returns the documents shuffled, with no domain above its cap."""
    shuffled = collected[:]
    random.Random(SHUFFLE_SEED).shuffle(shuffled)
    used: Counter[str] = Counter()
    kept = []
    for domain, text in shuffled:
        size = len(text.encode())
        if used[domain] + size <= MOST_BYTES.get(domain, float("inf")):
            used[domain] += size
            kept.append((domain, text))
    return kept


def report(kept: list[tuple[str, str]]) -> None:
    """Prints the size of each kind of text."""
    sizes: Counter[str] = Counter()
    for domain, text in kept:
        sizes[domain] += len(text.encode())
    for domain, size in sizes.most_common():
        print(f"{size / 1e6:8.2f} MB  {domain}")
    print(f"{sizes.total() / 1e6:8.2f} MB  in {len(kept)} documents")


def main() -> None:
    """Collects the documents of the packages; see --help."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="example: build.py --packages packages -o docs.jsonl")
    parser.add_argument(
        "--packages", type=Path, required=True, metavar="DIR",
        help="a folder for each package, as dpkg-deb --extract leaves it")
    parser.add_argument("-o", "--output", type=Path, required=True,
                        metavar="FILE", help="the documents, as JSON lines")
    arguments = parser.parse_args()
    if not arguments.packages.is_dir():
        fail(f"{arguments.packages}: no such folder; unpack the packages of "
             "packages.txt there, or let make do it")

    kept = capped(collect(arguments.packages))
    if not kept:
        fail(f"{arguments.packages}: no text found; put a folder for each "
             f"package there, {sources()[0].package} for example")
    with written_whole(arguments.output) as partial:
        with open(partial, "w", encoding="utf8") as file:
            for domain, text in kept:
                json.dump({"d": domain, "t": text}, file, ensure_ascii=False)
                file.write("\n")
    report(kept)


if __name__ == "__main__":
    main()
