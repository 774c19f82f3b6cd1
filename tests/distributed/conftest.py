import pytest
import ray

from tests.samples import labelled_records


@pytest.fixture(scope="package")
def cluster():
    """A Ray cluster on this machine, with room for two workers."""
    ray.init(num_cpus=4, log_to_driver=False, include_dashboard=False)
    yield
    ray.shutdown()


@pytest.fixture
def given():
    """Records of every kind: chat messages, contexts, fields of their own, labels that are missing."""
    records = labelled_records(6, seed=3)
    records[1] |= {"answer": "東京 — “ça” 🙂\u2028 и\nнеправда", "context": "été"}
    del records[2]["hallucinated"]
    records[3]["prompt"] = [{"role": "user", "content": "Où?"}]
    records[4] |= {"source": {"url": "u", "page": 3}}
    return records
