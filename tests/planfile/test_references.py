"""What a plan file refers to is looked at before anything else, and each mistake has its line."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from kmigrate.errors import PlanFileError, UsageError
from kmigrate.lab.runtime.pki import make_certificates
from kmigrate.model import SecretRef
from kmigrate.planfile import load
from kmigrate.wiring import source_inventory

PLAN = """\
apiVersion: kmigrate/v1alpha1
kind: Migration
metadata: {name: shop}
source:
  bootstrapServers: localhost:1
  auth: {username: key, password: {file: secret}}
  ca: ca.pem
target:
  platform: lab
  store: STORE
  kubernetes: {namespace: kafka}
  cluster: {name: shop}
topics: {include: [orders]}
applications:
  - name: billing
    reads: [{topics: [orders], group: billing}]
    principals: [{source: 'User:sa-1', target: billing}]
mirror: {forward: {auth: {username: mirror, password: {file: secret}}}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("hunter2\n")
    (tmp_path / "ca.pem").write_bytes(pem(tmp_path))
    write(tmp_path)
    return tmp_path


def write(folder: Path, store: str = "./store") -> None:
    (folder / "kmigrate.yaml").write_text(PLAN.replace("STORE", store))


def pem(folder: Path) -> bytes:
    return make_certificates(folder, "test").ca.read_bytes()


def mistakes(folder: Path) -> tuple[str, ...]:
    with pytest.raises(PlanFileError) as caught:
        load(folder / "kmigrate.yaml", look_up=True)
    assert "hunter2" not in str(caught.value)
    return caught.value.mistakes


def test_what_is_as_it_must_be_is_no_mistake_and_nothing_is_made(folder: Path) -> None:
    before = sorted(folder.iterdir())
    load(folder / "kmigrate.yaml", look_up=True)
    write(folder, "./to/be/made")
    load(folder / "kmigrate.yaml", look_up=True)
    assert sorted(folder.iterdir()) == before


def bad_authorities(folder: Path) -> dict[str, tuple[bytes, str]]:
    good = pem(folder)
    return {
        "DER": (ssl.PEM_cert_to_DER_cert(good.decode()), "openssl x509 -inform der"),
        "not ASCII": ("# Zürich\n".encode() + good, "not plain ASCII in its line 1"),
        "UTF-16": (b"\xff\xfe" + "x".encode("utf-16-le"), "is no PEM text"),
        "no certificate": (b"hello\n", "holds no certificate"),
        "empty": (b"", "holds no certificate"),
        "half a certificate": (good[: len(good) // 2], "cannot be read"),
        "not base64": (good[:60] + b"####" + good[64:], "cannot be read"),
    }


@pytest.mark.parametrize(
    "case", ["DER", "not ASCII", "UTF-16", "no certificate", "empty", "half a certificate", "not base64"]
)
def test_a_file_that_is_no_authority_is_a_mistake_of_its_line(case: str, folder: Path) -> None:
    data, told = bad_authorities(folder)[case]
    (folder / "ca.pem").write_bytes(data)
    (found,) = mistakes(folder)
    assert found.startswith("line 7: source.ca: ")
    assert told in found
    with pytest.raises(UsageError, match="certificate authority") as caught:
        source_inventory("localhost:1", "key", SecretRef(file=str(folder / "secret")), ca=str(folder / "ca.pem"))
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("data", "told"), [(b"hunter2 \xff\xfe", "is no UTF-8 text"), (b" \n", "is empty")])
def test_a_secret_that_is_no_text_names_every_line_that_refers_to_it(data: bytes, told: str, folder: Path) -> None:
    (folder / "secret").write_bytes(data)
    found = mistakes(folder)
    assert [each.split(":")[0] for each in found] == ["line 6", "line 18"]
    assert all(told in each for each in found)


@pytest.mark.parametrize("store", ["secret", "secret/inside", "dangling"])
def test_a_store_that_is_no_folder_is_a_mistake_of_its_line(store: str, folder: Path) -> None:
    (folder / "dangling").symlink_to(folder / "nowhere")
    write(folder, store)
    (found,) = mistakes(folder)
    assert found.startswith("line 10: target.store: ")
    assert "is no folder" in found


def test_a_name_too_long_is_a_mistake(folder: Path) -> None:
    text = (folder / "kmigrate.yaml").read_text().replace("ca.pem", "c" * 300)
    (folder / "kmigrate.yaml").write_text(text)
    assert "cannot be read" in mistakes(folder)[0]


def test_aliases_that_name_themselves_or_multiply_are_walked_to_an_end(folder: Path) -> None:
    levels = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    (folder / "kmigrate.yaml").write_text(PLAN + "b: &b [*b]\nc: &c {d: *c}\n" + "\n".join(levels))
    assert len(mistakes(folder)) >= 32
