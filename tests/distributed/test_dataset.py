import pyarrow as pa
import pytest
import ray

from halluscope.distributed import score_dataset
from halluscope.distributed.dataset import RecordWorker
from halluscope.errors import DetectorError, InputError
from tests.samples import labelled_records


@pytest.fixture
def worker(detector):
    """As an actor holds it, in this process."""
    worker = RecordWorker.__new__(RecordWorker)
    worker.detector = detector
    return worker


def test_a_table_comes_back_with_its_scores(worker, detector):
    records = [{**record, "number": n} for n, record in enumerate(labelled_records(3, seed=4))]
    records[0]["hallucinated"] = None
    found = worker(pa.Table.from_pylist(records)).to_pylist()
    for record, row, detection in zip(records, found, detector.detect_batch(records), strict=True):
        expected = {**record, "label": record["hallucinated"], "threshold": detection.threshold}
        assert row == {**expected, "probability": row["probability"], "hallucinated": row["hallucinated"]}
        assert row["probability"] == pytest.approx(detection.probability, abs=1e-4)
        assert row["hallucinated"] is (row["probability"] >= row["threshold"])


def test_scored_rows_keep_their_labels(worker):
    once = worker(pa.Table.from_pylist(labelled_records(2)))
    assert worker(once).to_pylist() == once.to_pylist()


def test_labels_of_the_records_own_are_kept_or_refused(worker):
    records = [record | {"label": "gold"} for record in labelled_records(2)]
    unlabelled = [{k: v for k, v in record.items() if k != "hallucinated"} for record in records]
    assert [row["label"] for row in worker(pa.Table.from_pylist(unlabelled)).to_pylist()] == ["gold"] * 4
    with pytest.raises(InputError, match="pair 1: field 'label' says something else"):
        worker(pa.Table.from_pylist(records))


def test_an_empty_table(worker):
    empty = pa.Table.from_pylist(labelled_records(1)).slice(0, 0)
    assert worker(empty).num_rows == 0


def test_chat_messages_with_fields_of_their_own(worker, detector):
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Où?", "name": "Ana"}]
    records = [{"prompt": chat, "answer": "Ici."}, {"prompt": chat[1:], "answer": "Ici."}]
    found = [row["probability"] for row in worker(pa.Table.from_pylist(records)).to_pylist()]
    expected = [detection.probability for detection in detector.detect_batch(records)]
    assert found == pytest.approx(expected, abs=1e-4)


@pytest.mark.usefixtures("cluster")
def test_what_cannot_be(detector_folder, model_folder, tmp_path):
    dataset = ray.data.from_items([{"prompt": "a?", "answer": "b"}])
    with pytest.raises(InputError, match="number must be at least 1"):
        score_dataset(dataset, detector_folder, model=str(model_folder), workers=0)
    with pytest.raises(DetectorError, match="nowhere"):
        score_dataset(dataset, tmp_path / "nowhere")
