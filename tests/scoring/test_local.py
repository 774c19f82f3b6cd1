import itertools
import json
import os

import pytest

from halluscope.detector import Detector
from halluscope.errors import InputError, RecordError
from halluscope.scoring import check_records, local, score_file
from halluscope.scoring.output import Output
from tests.samples import labelled_records

CHUNK = 4
N = 10


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(local, "CHUNK", CHUNK)


@pytest.fixture
def source(tmp_path):
    records = labelled_records(N // 2, seed=3)
    records[1] |= {"answer": "東京 — “ça” 🙂\u2028\x85 и\nнеправда", "context": "été"}
    del records[2]["hallucinated"]
    records[2] |= {"label": "spam", "id": 7, "topic": None, "note": "half a character: \ud83d"}
    records[4] |= {"source": {"url": "u", "page": 3}, "label": records[4]["hallucinated"], "probability": 0.1}
    records[3]["prompt"] = [{"role": "user", "content": "Où?"}]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(record) + "\n\n" for record in records), encoding="utf-8")
    return path


@pytest.fixture
def whole(source, detector, tmp_path):
    """What an uninterrupted run writes."""
    out = tmp_path / "whole.jsonl"
    score_file(source, out, detector)
    return out.read_bytes()


def partial_path(out, source, detector):
    return Output(out, source, detector.identity, CHUNK).partial


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def test_records_come_back_in_order_with_their_scores(source, detector, tmp_path):
    out, seen = tmp_path / "scored.jsonl", []
    score_file(source, out, detector, progress=seen.append)
    given, scored = read(source), read(out)
    assert sum(seen) == len(scored) == N
    for record, result, detection in zip(given, scored, detector.detect_batch(given), strict=True):
        for field in record.keys() - {"hallucinated", "label", "probability"}:
            assert result[field] == record[field]
        assert result.get("label") == record.get("hallucinated", record.get("label"))
        assert result["probability"] == pytest.approx(detection.probability, abs=1e-4)
        assert result["hallucinated"] is (result["probability"] >= result["threshold"])
    assert {path.name for path in tmp_path.iterdir()} == {"pairs.jsonl", "scored.jsonl"}


def test_a_label_that_would_be_lost_is_told_before_the_work(detector, tmp_path):
    source = tmp_path / "pairs.jsonl"
    source.write_text('{"prompt": "a", "answer": "b", "hallucinated": true, "label": "gold"}\n')
    for refused in (check_records, lambda path, _: score_file(path, tmp_path / "out.jsonl", detector)):
        with pytest.raises(InputError, match=r"pairs.jsonl, line 1: field 'label' says something else"):
            refused(source, detector)
    assert list(tmp_path.iterdir()) == [source]


def test_a_label_that_says_nothing_is_no_hindrance(detector, tmp_path):
    source, out = tmp_path / "pairs.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"prompt": "a", "answer": "b", "hallucinated": true, "label": null}\n')
    assert check_records(source, detector) == 1
    score_file(source, out, detector)
    assert json.loads(out.read_text())["label"] is True


def test_links_are_written_through_and_pipes_are_refused(source, whole, detector, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    link, target = tmp_path / "link.jsonl", tmp_path / "elsewhere" / "target.jsonl"
    link.symlink_to(target)
    score_file(source, link, detector)
    assert link.is_symlink()
    assert target.read_bytes() == whole
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe: it is not a plain file"):
        score_file(source, tmp_path / "pipe", detector)
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("after", range(3))
def test_stopped_between_chunks_and_resumed_it_is_the_same_file(
    source, whole, detector, tmp_path, monkeypatch, after
):
    out = tmp_path / "out.jsonl"
    batches = itertools.count()

    def stopping(self, pairs, judge=Detector.detect_batch):
        if next(batches) == after:
            raise KeyboardInterrupt
        return judge(self, pairs)

    with monkeypatch.context() as patch:
        patch.setattr(Detector, "detect_batch", stopping)
        with pytest.raises(KeyboardInterrupt):
            score_file(source, out, detector)
    assert not out.exists()
    seen = []
    score_file(source, out, detector, progress=seen.append)
    assert seen[0] == after * CHUNK
    assert sum(seen) == N
    assert out.read_bytes() == whole


def test_torn_anywhere_and_resumed_it_is_the_same_file(source, whole, detector, tmp_path, monkeypatch):
    out = tmp_path / "out.jsonl"
    partial = partial_path(out, source, detector)
    lines = whole.splitlines(keepends=True)
    fourth = len(b"".join(lines[:CHUNK]))
    judged = []

    def counting(self, pairs, judge=Detector.detect_batch):
        judged.append(len(pairs))
        return judge(self, pairs)

    monkeypatch.setattr(Detector, "detect_batch", counting)
    for size in (0, 1, fourth - 20, fourth - 1, fourth, fourth + 1, len(whole) - 1, len(whole)):
        partial.write_bytes(whole[:size])
        judged.clear()
        score_file(source, out, detector)
        assert out.read_bytes() == whole, size
        assert sum(judged) == N - (0 if size < fourth else 8 if size >= len(whole) - 1 else 4)


def test_another_detector_s_or_input_s_partial_is_not_taken_over(
    lm, source, whole, detector, tmp_path, records
):
    other = Detector(lm, folds=3, seed=1).fit(records)
    out = tmp_path / "out.jsonl"
    paths = {partial_path(out, source, d) for d in (detector, other)}
    paths.add(partial_path(tmp_path / "elsewhere.jsonl", source, detector))
    source.write_text(source.read_text().replace("river", "brook"))
    paths.add(partial_path(out, source, detector))
    assert len(paths) == 4


def test_the_threshold_is_part_of_what_is_taken_over(lm, detector, source, tmp_path, detector_folder):
    loaded = Detector.load(detector_folder, lm)
    before = partial_path(tmp_path / "out.jsonl", source, loaded)
    loaded.threshold = 0.9
    assert partial_path(tmp_path / "out.jsonl", source, loaded) != before


def test_an_older_result_stays_until_the_new_one_is_whole(source, detector, tmp_path, monkeypatch):
    out = tmp_path / "out.jsonl"
    out.write_text("old")
    with monkeypatch.context() as patch:
        patch.setattr(Detector, "detect_batch", lambda self, pairs: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            score_file(source, out, detector)
    assert out.read_text() == "old"


def test_check_counts_and_finds_what_cannot_be_scored(source, detector):
    assert check_records(source, detector) == N
    text = source.read_text()
    source.write_text(text + '{"prompt": "a?"}\n')
    with pytest.raises(RecordError, match=f"line {2 * N + 1}: field 'answer' is missing"):
        check_records(source, detector)
    source.write_text(text + json.dumps({"prompt": "a?", "answer": "word " * 500}) + "\n")
    with pytest.raises(InputError, match=f"line {2 * N + 1}: .*256"):
        check_records(source, detector)
    source.write_text("\n")
    with pytest.raises(InputError, match="no records"):
        check_records(source, detector)


def test_two_runs_do_not_write_one_file(source, whole, detector, tmp_path, monkeypatch):
    out = tmp_path / "out.jsonl"

    def meddling(self, pairs, judge=Detector.detect_batch):
        with pytest.raises(InputError, match="another run"):
            score_file(source, out, self)
        return judge(self, pairs)

    monkeypatch.setattr(Detector, "detect_batch", meddling)
    score_file(source, out, detector)
    assert out.read_bytes() == whole
    assert not list(tmp_path.glob(".*.lock"))
