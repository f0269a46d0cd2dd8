"""Helpers for all stages of the recipe: errors in one line, and outputs
that appear whole or not at all."""

import contextlib
import os
import sys
from pathlib import Path


def fail(message):
    """Ends the program with one line on stderr and exit status 1."""
    sys.exit(f"{Path(sys.argv[0]).name}: {message}")


def log(message):
    """Writes progress to stderr; stdout is for results."""
    print(message, file=sys.stderr, flush=True)


@contextlib.contextmanager
def written_whole(path):
    """Yields a name beside `path` that becomes `path` if all goes well."""
    # For `make`, a file that exists means that its stage is done, so an
    # interrupted stage must not leave one.
    partial = path.with_name(path.name + ".partial")
    yield partial
    os.replace(partial, path)


def require_file(path, made_by):
    """Fails if the file is missing, naming the stage that makes it."""
    if not path.is_file():
        fail(f"{path}: no such file; {made_by} makes it")
