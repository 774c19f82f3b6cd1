import pytest
from ray.exceptions import RayError

from halluscope.distributed.places import seen_by_workers
from halluscope.distributed.workers import Recipe, Workers, our_errors_raised
from halluscope.errors import DetectorError, HalluscopeError, InputError

TRACEBACK = """ray::MapWorker() (pid=1)
  File "x.py", line 1, in <module>
halluscope.errors.{}: what is wrong

ray.exceptions.UserCodeException: failed"""


def test_a_recipe_makes_the_detector_again(detector, detector_folder, model_folder):
    recipe = Recipe.of(detector_folder, str(model_folder), {"attn_implementation": "eager"})
    made = recipe.detector(Workers())
    assert made.lm.model.config._attn_implementation == "eager"
    pair = [("What is place 1?", "It is a river.")]
    assert made.predict_proba(pair) == pytest.approx(detector.predict_proba(pair), abs=1e-4)


def test_places_are_named_as_workers_find_them(detector_folder, model_folder, monkeypatch):
    monkeypatch.chdir(model_folder.parent)
    assert Recipe.of(detector_folder, model_folder.name).model == str(model_folder.resolve())
    assert seen_by_workers("pairs.jsonl") == str(model_folder.parent / "pairs.jsonl")
    assert seen_by_workers("s3://bucket/pairs.jsonl") == "s3://bucket/pairs.jsonl"


def test_what_a_worker_says_is_raised_as_ours():
    with pytest.raises(InputError, match=r"^what is wrong$"), our_errors_raised():
        raise RayError(TRACEBACK.format("ContextWindowError"))
    with pytest.raises(HalluscopeError, match=r"^what is wrong$") as told, our_errors_raised():
        raise RayError(TRACEBACK.format(DetectorError.__name__))
    assert not isinstance(told.value, InputError)
    for strange in ("NoSuchError", "Path"):
        with pytest.raises(RayError), our_errors_raised():
            raise RayError(TRACEBACK.format(strange))


@pytest.mark.parametrize("settings", [{"number": 0}, {"num_cpus": 0}, {"num_gpus": -1}])
def test_workers_that_cannot_be(settings):
    with pytest.raises(InputError, match=f"workers: {next(iter(settings))} must be at least"):
        Workers(**settings)
