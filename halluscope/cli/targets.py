"""Whether results can be written where the user wants them: asked before the work, not after."""

from __future__ import annotations

import os
from pathlib import Path

from halluscope.errors import InputError


def check_out_file(out: Path, source: Path | None = None) -> None:
    """Raise `InputError` unless a file can be written here, and is not the one that is read."""
    if out.is_dir():
        raise InputError(f"cannot write {out}: it is a folder, give the name of a file")
    parent = out.absolute().parent
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
