from benchmarks import memory
from benchmarks.speed_table import spread_table
from benchmarks.spread import write_pairs
from halluscope.records import read_records
from tests.samples import labelled_records


def test_files_are_as_long_as_told(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "two_answers", lambda data, n: memory.as_pairs(labelled_records(3)))
    assert len(list(read_records(write_pairs(tmp_path, 14, tmp_path)))) == 14


def test_table():
    results = {"command": "c", "milliseconds a pair": {"1": 80.0, "2": 40.0}}
    table = spread_table(results | {"ratio": {"median": 2.0, "min": 1.9, "max": 2.1}})
    assert "| 2 | 40.0 |" in table
    assert "2.00 times as fast as one (1.90 to 2.10)" in table
    assert spread_table(None) == "Not measured yet for this version."
