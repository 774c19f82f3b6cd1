"""Memory is read where it is taken, and more of it is told as more."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.resident import peak_megabytes


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="read from Linux' /proc")
def test_what_was_taken_and_given_back_is_still_told():
    before = peak_megabytes(reset=True)
    np.ones(50 * 2**20, dtype=np.uint8).sum()
    assert 45 < peak_megabytes() - before < 100
    assert peak_megabytes(reset=True) - before < 45
