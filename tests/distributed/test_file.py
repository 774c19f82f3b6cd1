import json
import os
import signal
from types import SimpleNamespace

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from halluscope.distributed import file, score_file
from halluscope.distributed.workers import Workers
from halluscope.errors import InputError, RecordError
from halluscope.scoring import local
from halluscope.scoring import score_file as score_here

CHUNK = 2
pytestmark = pytest.mark.usefixtures("cluster")


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    for module in (file, local):
        monkeypatch.setattr(module, "CHUNK", CHUNK)


@pytest.fixture
def source(tmp_path, given):
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(record) + "\n\n" for record in given), encoding="utf-8-sig")
    return path


@pytest.fixture
def here(source, detector, tmp_path):
    """What one process writes."""
    score_here(source, tmp_path / "here.jsonl", detector)
    return [json.loads(line) for line in (tmp_path / "here.jsonl").open(encoding="utf-8")]


@pytest.fixture
def spread(detector_folder, model_folder):
    def score(source, out, number=2, **options):
        score_file(source, out, detector_folder, model=str(model_folder), workers=Workers(number), **options)

    return score


def same(out, here):
    """Whether a file holds what one process writes, line by line."""
    found = [json.loads(line) for line in out.open(encoding="utf-8")]
    assert len(found) == len(here)
    for record, expected in zip(found, here, strict=True):
        assert record.pop("probability") == pytest.approx(expected["probability"], abs=1e-4)
        assert record == {name: value for name, value in expected.items() if name != "probability"}
    return True


def actors():
    """Processes of workers that score."""
    return [p for p in psutil.process_iter(["cmdline"]) if "SpanWorker" in " ".join(p.info["cmdline"] or [])]


@pytest.fixture
def in_this_process(monkeypatch, detector):
    """Work is done here, in a twentieth of the time that actors take to start."""

    def run(self, chunks, work, recipe, rows):
        worker = work.__new__(work)
        worker.detector = detector
        tables = (worker(pa.Table.from_pylist([row])) for row in chunks.iter_rows())
        return SimpleNamespace(iter_rows=lambda: (row for table in tables for row in table.to_pylist()))

    monkeypatch.setattr(Workers, "run", run)


def test_a_killed_worker_of_two_loses_and_doubles_nothing(source, here, spread, tmp_path):
    killed, seen = [], []

    def kill_once(done):
        seen.append(done)
        if done and not killed:
            killed.append(actors()[0].pid)
            os.kill(killed[0], signal.SIGKILL)

    out = tmp_path / "out.jsonl"
    spread(source, out, progress=kill_once)
    assert killed
    assert sum(seen) == len(here)
    assert same(out, here)


@pytest.mark.usefixtures("in_this_process")
def test_stopped_it_goes_on_where_it_was(source, here, spread, tmp_path):
    out = tmp_path / "out.jsonl"
    seen = []

    def stop(done):
        seen.append(done)
        if sum(seen) >= 2 * CHUNK:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        spread(source, out, progress=stop)
    assert not out.exists()
    again = []
    spread(source, out, progress=again.append)
    assert again[0] == 2 * CHUNK
    assert sum(again) == len(here)
    assert same(out, here)


@pytest.mark.usefixtures("in_this_process")
def test_remote_places(source, here, spread, tmp_path):
    out = tmp_path / "out.jsonl"
    spread(source.as_uri(), out.as_uri())
    assert same(out, here)
    assert {path.name for path in tmp_path.iterdir()} == {"pairs.jsonl", "here.jsonl", "out.jsonl"}


def test_parquet_comes_and_goes(given, here, spread, tmp_path):
    del given[3]  # a column of Parquet holds chat messages or text, not both
    expected = [record for number, record in enumerate(here) if number != 3]
    folder = tmp_path / "pairs.parquet"
    folder.mkdir()
    for part in range(2):
        pq.write_table(pa.Table.from_pylist(given[part::2]), folder / f"{part}.parquet")
    spread(folder, tmp_path / "out.parquet", number=1)
    found = {row["id"]: row for row in pq.read_table(tmp_path / "out.parquet").to_pylist()}
    assert len(found) == len(expected)
    for record in expected:
        row = found[record["id"]]
        assert row["probability"] == pytest.approx(record["probability"], abs=1e-4)
        assert {n: v for n, v in row.items() if v is not None and n not in ("probability", "source")} == {
            n: v for n, v in record.items() if n not in ("probability", "source")
        }


def test_parquet_is_never_added_to_nor_made_of_lines(given, spread, tmp_path):
    pq.write_table(pa.Table.from_pylist(given[:1]), tmp_path / "pairs.parquet")
    (tmp_path / "out.parquet").mkdir()
    with pytest.raises(InputError, match="is there already"):
        spread(tmp_path / "pairs.parquet", tmp_path / "out.parquet")
    with pytest.raises(InputError, match="both be Parquet"):
        spread(tmp_path / "pairs.parquet", tmp_path / "out.jsonl")


def test_bad_records_are_named_before_the_work(source, spread, tmp_path):
    source.write_text('{"prompt": "a?", "answer": "b"}\n{"prompt": "a?"}\n')
    with pytest.raises(RecordError, match=r"pairs.jsonl, line 2: field 'answer' is missing"):
        spread(source, tmp_path / "out.jsonl")
    source.write_text("\n")
    with pytest.raises(InputError, match="no records"):
        spread(source, tmp_path / "out.jsonl")
    with pytest.raises(InputError, match="cannot read file:///no/where"):
        spread("file:///no/where.jsonl", tmp_path / "out.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["pairs.jsonl"]


def test_what_a_worker_refuses_is_told_as_one_process_would(source, spread, tmp_path):
    with source.open("a", encoding="utf-8") as out:
        out.write(json.dumps({"prompt": "a?", "answer": "word " * 500}))
    with pytest.raises(InputError, match=r"pairs.jsonl, line 25: .*256"):
        spread(source, tmp_path / "out.jsonl", number=1)


def test_two_runs_do_not_write_one_folder_of_parquet(tmp_path, monkeypatch):
    target = tmp_path / "scored.parquet"
    half = tmp_path / ".scored.parquet.partial" / "part-0.parquet"
    half.parent.mkdir()
    half.write_text("another run's")
    with file.written_alone(target), pytest.raises(InputError, match="another run is writing"):
        file._score_parquet("pairs.parquet", str(target), None, None, Workers())
    assert half.read_text() == "another run's"
