"""Packs are reproducible and verified by sha256, and builds report files that are not available."""

from __future__ import annotations

import hashlib
import http.server
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.vision.model_pack import ModelPack, ModelPackError
from models import build, sources
from tests.models.stand_in import stand_in_for_sface
from tests.packs import YUNET, folder_with_sources, needs_yunet

ROOT = Path(__file__).parents[2]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Yield the address of a web server that publishes the stand-in as sface.onnx."""
    published = tmp_path / "published"
    published.mkdir()
    (published / "sface.onnx").write_bytes(stand_in_for_sface())

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(published))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return folder_with_sources(tmp_path / "build")


def _card(folder: Path, url: str, digest: str, *, name: str = "sface") -> Path:
    """Write SFace's card with another source of the embedder and another name."""
    text = (ROOT / "models" / "cards" / "sface.toml").read_text()
    source = tomllib.loads(text)["sources"]["embedder"]
    card = folder / f"{name}.toml"
    text = text.replace(source["url"], url).replace(source["sha256"], digest)
    card.write_text(text.replace('name = "sface"', f'name = "{name}"'))
    return card


[WEAKNESSES] = [weakness["text"] for weakness in tomllib.loads((build.CARDS / "sface.toml").read_text())["weaknesses"]]
DIGEST = hashlib.sha256(stand_in_for_sface()).hexdigest()


def test_a_pack_is_built_from_its_published_address(server: str, tmp_path: Path, into: Path) -> None:
    folder = build.build(_card(tmp_path, f"{server}/sface.onnx", DIGEST), into)

    assert ModelPack(folder).name == "sface"
    assert {path.name for path in folder.iterdir()} == {
        "card.toml",
        "pnet.onnx",
        "rnet.onnx",
        "onet.onnx",
        "embedder.onnx",
    }


def test_a_rebuilt_pack_is_byte_identical(server: str, tmp_path: Path, into: Path) -> None:
    card = _card(tmp_path, f"{server}/sface.onnx", DIGEST)
    first = build.build(card, into)
    before = {path.name: path.read_bytes() for path in first.iterdir()}
    shutil.rmtree(first)

    second = build.build(card, into)

    assert {path.name: path.read_bytes() for path in second.iterdir()} == before


def test_a_file_with_another_sha256_than_the_cards_is_refused(server: str, tmp_path: Path, into: Path) -> None:
    card = _card(tmp_path, f"{server}/sface.onnx", "0" * 64)

    with pytest.raises(sources.SourceError, match=f"has sha256 {DIGEST}; the card asks for {'0' * 64}"):
        build.build(card, into)
    assert not (into / "sface").exists()


@pytest.mark.parametrize(
    ("address", "reason"),
    [("{server}/gone.onnx", "404"), ("http://127.0.0.1:9/x.onnx", "refused"), ("http://host.invalid/x", "known")],
)
def test_an_address_that_does_not_answer_is_named_with_the_reason(
    server: str, tmp_path: Path, into: Path, address: str, reason: str
) -> None:
    address = address.format(server=server)

    with pytest.raises(sources.SourceError, match=f"^{address} cannot be fetched: .*{reason}"):
        build.build(_card(tmp_path, address, DIGEST), into)


class TestALocalFile:
    """`make models PACK=sface FROM=file`: the published file from any source."""

    @pytest.fixture
    def unreachable(self, tmp_path: Path) -> Path:
        return _card(tmp_path, "http://127.0.0.1:9/sface.onnx", DIGEST)

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        file = tmp_path / "downloaded.onnx"
        file.write_bytes(stand_in_for_sface())
        return file

    def test_a_local_file_replaces_the_published_one(self, unreachable: Path, into: Path, file: Path) -> None:
        folder = build.build(unreachable, into, [file])

        assert ModelPack(folder).name == "sface"

    @needs_yunet
    def test_several_local_files_are_matched_by_sha256(self, tmp_path: Path, into: Path, file: Path) -> None:
        text = (build.CARDS / "sface-yunet.toml").read_text()
        card = tmp_path / "sface-yunet.toml"
        card.write_text(text.replace(tomllib.loads(text)["sources"]["embedder"]["sha256"], DIGEST))

        for files in ([YUNET, file], [file, YUNET]):
            shutil.rmtree(into / "sources")
            pack = ModelPack(build.build(card, into, files))
            assert pack.detector.kind == "yunet"
            shutil.rmtree(pack.folder)

    def test_the_pack_can_be_rebuilt_without_the_local_file(self, unreachable: Path, into: Path, file: Path) -> None:
        shutil.rmtree(build.build(unreachable, into, [file]))
        file.unlink()

        assert build.build(unreachable, into).is_dir()

    def test_a_local_file_must_have_the_cards_sha256(self, unreachable: Path, into: Path, file: Path) -> None:
        file.write_bytes(b"another")
        digest = hashlib.sha256(b"another").hexdigest()

        with pytest.raises(build.BuildError, match=f"^{file} has sha256 {digest}; the card asks for {DIGEST}"):
            build.build(unreachable, into, [file])

    def test_a_local_file_must_have_the_cards_sha256_even_if_the_pack_is_built(
        self, unreachable: Path, into: Path, file: Path
    ) -> None:
        build.build(unreachable, into, [file])
        file.write_bytes(b"another")

        with pytest.raises(build.BuildError, match="the card asks for"):
            build.build(unreachable, into, [file])

    def test_a_missing_local_file_is_named(self, unreachable: Path, into: Path, tmp_path: Path) -> None:
        with pytest.raises(build.BuildError, match=r"gone\.onnx cannot be read: No such file"):
            build.build(unreachable, into, [tmp_path / "gone.onnx"])

    def test_make_passes_the_local_file_on(self) -> None:
        command = ["make", "--dry-run", "models", "PACK=sface-yunet", "FROM=a.onnx b.onnx"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

        assert "-m models.build sface-yunet --from a.onnx b.onnx" in done.stdout


class TestAuto:
    """The choice of `make run` and `make test`: the first available pack in order of preference, with the reason."""

    @pytest.fixture(autouse=True)
    def _elsewhere(self, server: str, tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Use separate cards, packs and preferences. The pack called dlib is the stand-in too, which builds quickly."""
        monkeypatch.setattr(build, "PREFERENCE", ("sface", "dlib"))
        monkeypatch.setattr(build, "BUILD", into)
        monkeypatch.setattr(build, "CURRENT", into / "current")
        monkeypatch.setattr(build, "CARDS", tmp_path)
        _card(tmp_path, f"{server}/sface.onnx", DIGEST, name="dlib")

    def test_the_first_pack_is_used_if_it_is_available(self, server: str, tmp_path: Path) -> None:
        _card(tmp_path, f"{server}/sface.onnx", DIGEST)

        assert build.build_auto() == f"Model pack: sface, the best one.\n  {WEAKNESSES}"
        assert build.CURRENT.resolve().name == "sface"

    def test_otherwise_the_next_pack_is_used_and_the_first_line_gives_the_reason(self, tmp_path: Path) -> None:
        _card(tmp_path, "http://127.0.0.1:9/sface.onnx", DIGEST)

        line, *weaknesses = build.build_auto().splitlines()

        assert line.startswith(
            "Model pack: dlib, because sface is not available (http://127.0.0.1:9/sface.onnx cannot be fetched: "
        )
        assert line.endswith(").")
        assert weaknesses == [f"  {WEAKNESSES}"]
        assert build.CURRENT.resolve().name == "dlib"

    def test_a_users_own_pack_in_use_is_kept(self, server: str, tmp_path: Path, into: Path) -> None:
        (tmp_path / "own").mkdir()
        card = _card(tmp_path / "own", f"{server}/sface.onnx", DIGEST, name="mine")
        build.use(build.build(card, into))
        card.unlink()

        line = build.build_auto()

        assert line.startswith("Model pack: mine, in use since an earlier start; `make re-embed PACK=sface` changes")
        assert line.endswith(WEAKNESSES)

    def test_a_users_own_pack_cannot_have_the_name_of_a_known_pack(self, tmp_path: Path) -> None:
        (tmp_path / "own").mkdir()
        card = _card(tmp_path / "own", "http://127.0.0.1:9/sface.onnx", DIGEST, name="dlib")

        with pytest.raises(SystemExit, match=r"dlib\.toml has the name of a known pack, dlib"):
            build.card_path(str(card))

    def test_the_pack_in_use_is_kept_and_its_weaknesses_are_repeated(self, server: str, tmp_path: Path) -> None:
        _card(tmp_path, "http://127.0.0.1:9/sface.onnx", DIGEST)
        build.build_auto()
        _card(tmp_path, f"{server}/sface.onnx", DIGEST)

        line = build.build_auto()

        assert line.startswith("Model pack: dlib, in use since an earlier start; `make re-embed PACK=sface` changes")
        assert line.endswith(WEAKNESSES)

    def test_given_files_select_their_pack(self, tmp_path: Path) -> None:
        _card(tmp_path, "http://127.0.0.1:9/sface.onnx", DIGEST)
        file = tmp_path / "downloaded.onnx"
        file.write_bytes(stand_in_for_sface())

        assert build.build_auto([file]).startswith("Model pack: sface, because its files were given.")

    def test_files_that_belong_to_no_pack_are_refused(self, tmp_path: Path) -> None:
        _card(tmp_path, "http://127.0.0.1:9/sface.onnx", DIGEST)
        file = tmp_path / "other.onnx"
        file.write_bytes(b"another")

        with pytest.raises(
            build.BuildError, match=r"no known pack uses .*other\.onnx; name the pack to build with PACK="
        ):
            build.build_auto([file])

    def test_if_no_pack_is_available_each_is_named(self, tmp_path: Path) -> None:
        for name in ("sface", "dlib"):
            _card(tmp_path, f"http://127.0.0.1:9/{name}.onnx", DIGEST, name=name)

        with pytest.raises(sources.SourceError, match=r"sface is not available .*; dlib is not available "):
            build.build_auto()


def test_a_named_pack_never_falls_back() -> None:
    """`make models` (PACK=sface) without access to OpenCV Zoo ends with one sentence and builds no other pack."""
    script = (
        "from models import build, sources\n"
        "def refuse(source, cache): raise sources.SourceError('the network is down')\n"
        "sources.fetch = refuse\n"
        "build._is_built = lambda *_: False\n"
        "import sys; sys.argv = ['build', 'sface']\n"
        "build.main()"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr == (
        "The model pack sface was not built: the network is down."
        " PACK=dlib needs only a package index; FROM= uses local files.\n"
    )


class TestADamagedPack:
    @pytest.fixture
    def folder(self, server: str, tmp_path: Path, into: Path) -> Path:
        return build.build(_card(tmp_path, f"{server}/sface.onnx", DIGEST), into)

    def test_a_damaged_file_is_named(self, folder: Path) -> None:
        file = folder / "onet.onnx"
        file.write_bytes(file.read_bytes()[:-1] + b"?")

        with pytest.raises(ModelPackError, match=r"^the model file .*onet\.onnx does not have the sha256 in its card"):
            ModelPack(folder).network("onet.onnx")

    @pytest.mark.parametrize("sealed", [False, True])
    def test_a_missing_file_is_named(self, folder: Path, sealed: bool) -> None:
        (folder / "onet.onnx").unlink()

        with pytest.raises(ModelPackError, match=r"^the model file .*onet\.onnx cannot be read: No such file"):
            ModelPack(folder, sealed=sealed).network("onet.onnx")

    def test_a_missing_card_is_named(self, folder: Path) -> None:
        (folder / "card.toml").unlink()

        with pytest.raises(ModelPackError, match=r"^there is no model card at .*card\.toml"):
            ModelPack(folder)

    @pytest.mark.parametrize(
        ("before", "after"), [("dimension", "dimensions"), ('"RGB"', '"XYZ"'), ("[embedder]", "[embedder")]
    )
    def test_an_invalid_card_is_named(self, folder: Path, before: str, after: str) -> None:
        card = folder / "card.toml"
        card.write_text(card.read_text().replace(before, after))

        with pytest.raises(ModelPackError, match=r"^the model card .*card\.toml is not valid"):
            ModelPack(folder)

    def test_a_damaged_pack_is_rebuilt(self, folder: Path, tmp_path: Path, into: Path) -> None:
        (folder / "onet.onnx").write_bytes(b"?")

        build.build(tmp_path / "sface.toml", into)

        ModelPack(folder).network("onet.onnx")


def test_a_pack_with_other_embeddings_keeps_the_previous_pack(server: str, tmp_path: Path, into: Path) -> None:
    card = _card(tmp_path, f"{server}/sface.onnx", DIGEST)
    before = ModelPack(build.build(card, into)).embedding_id
    text = card.read_text()

    card.write_text(text.replace("unit_length = true", "unit_length = false"))
    after = ModelPack(build.build(card, into)).embedding_id
    card.write_text(text.replace("unit_length = true", "unit_length = false") + "\n# a remark\n")
    build.build(card, into)

    assert after != before
    assert {folder.name for folder in into.iterdir()} == {"sface", before, "sources"}
    assert ModelPack(into / before).embedding_id == before
    ModelPack(into / before).network("embedder.onnx")


def test_the_embedding_id_depends_on_everything_that_changes_an_embedding(
    server: str, tmp_path: Path, into: Path
) -> None:
    folder = build.build(_card(tmp_path, f"{server}/sface.onnx", DIGEST), into)
    card = folder / "card.toml"
    text = card.read_text()
    ids = {ModelPack(folder).embedding_id}

    for before, after in [
        ("calibration = 0.57", "calibration = 0.58"),
        ("unit_length = true", "unit_length = false"),
        ("unit_length = true", "unit_length = true\nmirrored = true"),
        ("scale = 1.0", "scale = 2.0"),
        ("[[38.2946", "[[38.3946"),
        ('"embedder.onnx" = "', '"embedder.onnx" = "0'),
    ]:
        assert before in text
        card.write_text(text.replace(before, after))
        ids.add(ModelPack(folder).embedding_id)
    card.write_text(text.replace("weaknesses", "strengths"))
    ids.add(ModelPack(folder).embedding_id)

    assert len(ids) == 7
    assert all(len(embedding_id) <= 64 for embedding_id in ids)
