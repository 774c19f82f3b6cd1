"""Arrays that are computed part by part, kept on disk so that a run that was killed need not begin anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from halluscope.files import written_whole

Floats = npt.NDArray[np.floating]


class Shards:
    """Finished parts of a computation, by name.

    Parameters
    ----------
    folder : Path, optional
        Where they are kept, made with the first of them; nowhere if not given. Whoever names it sees to it
        that another computation gets another folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    def get(self, name: str, compute: Callable[[], Floats], done: Callable[[], None]) -> Floats:
        """What an earlier run has kept under this name; if nothing, or it is damaged, what is computed now.

        Parameters
        ----------
        name : str
        compute : callable
            Gives the array.
        done : callable
            Called if there was nothing to compute.
        """
        if self.folder is None:
            return compute()
        path = self.folder / f"{name}.npy"
        if path.is_file():
            try:
                found: Floats = np.load(path, allow_pickle=False)
            except (ValueError, EOFError):  # cut short
                path.unlink()
            else:
                done()
                return found
        computed = compute()
        with written_whole(path) as unfinished:
            np.save(unfinished, computed)
        return computed
