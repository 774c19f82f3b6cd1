from benchmarks.breakdown import DETECT, STEPS, SURFACE, steps
from benchmarks.speed import BARE, against
from benchmarks.speed_table import breakdown_table
from halluscope.detector import Detection


def test_steps_are_cut_short_and_shown(detector):
    contestants = steps(detector, 9, 4)
    assert list(contestants) == [BARE, *STEPS]
    (surface,) = contestants[SURFACE]()
    found = contestants[DETECT]()
    assert isinstance(found, Detection)
    assert surface.values.shape[-1] == found.surface.values.shape[-1] == 4
    call = {"prompt": 9, "answer": 4, **against(BARE, contestants, 1)}
    table = breakdown_table({"command": "c", "threads": 2, "calls": [call]})
    assert table.splitlines()[2].startswith("| 9 | 4 | ")
    assert table.splitlines()[2].count("|") == table.splitlines()[0].count("|")
    assert breakdown_table(None) == "Not measured yet for this version."
