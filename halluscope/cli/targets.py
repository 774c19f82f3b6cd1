"""Whether results can be written where the user wants them: asked before the work, not after."""

from __future__ import annotations

import os
from pathlib import Path

from halluscope.errors import InputError
from halluscope.files import replaceable
from halluscope.records import read_records


def check_out_file(out: Path, source: Path | None = None) -> None:
    """Raise `InputError` unless a file can be written here, and is not the one that is read."""
    if out.is_dir():
        raise InputError(f"cannot write {out}: it is a folder, give the name of a file")
    parent = replaceable(out).parent
    if not parent.is_dir():
        raise InputError(f"cannot write {out}: there is no folder {parent}")
    _check_writable(out, parent)
    if source is not None and out.exists() and source.exists() and out.samefile(source):
        raise InputError(f"cannot write {out}: it is the input itself, give another name")


def check_out_folder(out: Path) -> None:
    """Raise `InputError` unless this is a folder, or one can be made here."""
    if out.exists() and not out.is_dir():
        raise InputError(f"cannot write to {out}: it is a file, give the name of a folder")
    nearest = next(path for path in (out.absolute(), *out.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise InputError(f"cannot write to {out}: {nearest} is not a folder")
    _check_writable(out, nearest)


def _check_writable(out: Path, folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"cannot write {out}: no permission to write in {folder}")


def check_source(path: Path, *, plain: bool = True) -> None:
    """Raise `InputError` unless this can be read more than once; of records the first is looked at."""
    if path.is_fifo() or path.is_char_device():
        raise InputError(f"{path} is not a plain file, and it is read more than once: save it to one first")
    if plain:
        next(read_records(path), None)  # a missing file is told before torch is loaded
    elif not path.exists():
        raise InputError(f"no such file: {path}")
