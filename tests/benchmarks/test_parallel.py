import functools

from benchmarks.parallel import each_corpus
from halluscope import LanguageModel
from tests.benchmarks.named import named_corpus


def note(corpus, folder):
    (folder / corpus.name).write_text(
        f"{corpus.lm.fingerprint} {len(corpus.labelled.pairs)}", encoding="utf-8"
    )


def test_every_corpus_is_worked_on(lm, tmp_path):
    corpora = [named_corpus(lm, tmp_path, name) for name in ("cities", "animals")]
    work = functools.partial(note, folder=tmp_path)
    assert list(each_corpus(work, corpora, jobs=1, model="nowhere")) == ["cities", "animals"]
    expected = f"{lm.fingerprint} {len(corpora[1].labelled.pairs)}"
    assert (tmp_path / "animals").read_text(encoding="utf-8") == expected


def test_processes_load_the_model_and_find_the_cache(lm, tmp_path):
    folder = tmp_path / "model"
    lm.model.save_pretrained(folder)
    lm.tokenizer.save_pretrained(folder)
    corpora = [named_corpus(lm, tmp_path / "cache", name) for name in ("cities", "animals")]
    done = each_corpus(functools.partial(note, folder=tmp_path), corpora, jobs=2, model=str(folder))
    assert set(done) == {"cities", "animals"}
    expected = f"{LanguageModel.from_pretrained(str(folder)).fingerprint} {len(corpora[1].labelled.pairs)}"
    assert (tmp_path / "animals").read_text(encoding="utf-8") == expected
