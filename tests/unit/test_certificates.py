# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that are supplied as files: what is refused, what is written, what goes."""

from __future__ import annotations

import datetime
import re
import stat
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest
from ansible_collections.edge.gateway.plugins.module_utils import host
from ansible_collections.edge.gateway.plugins.module_utils.converge import Outcome, converge
from ansible_collections.edge.gateway.plugins.module_utils.engines.certificates import CertificateEngine
from ansible_collections.edge.gateway.plugins.module_utils.errors import GatewayError, InvalidInput
from ansible_collections.edge.gateway.plugins.module_utils.formats import pem
from ansible_collections.edge.gateway.plugins.module_utils.models.certificate import Certificate, parse_all
from ansible_collections.edge.gateway.plugins.module_utils.models.config_file import ConfigFile
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from unit.samples import one_sentence, refusal

NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
DAY = datetime.timedelta(days=1)


def pair(name: str = "a.test", first: datetime.datetime = NOW - DAY, last: datetime.datetime = NOW + 30 * DAY,
         passphrase: bytes = b"") -> Dict[str, str]:
    """A certificate and its key as PEM text."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), first, last)
    certificate = builder.sign(key, hashes.SHA256())
    kind = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return {"certificate": certificate.public_bytes(serialization.Encoding.PEM).decode(),
            "private_key": key.private_bytes(serialization.Encoding.PEM, form, kind).decode()}


ONE, TWO = pair(), pair("b.test")


@pytest.mark.parametrize("last", [
    NOW + DAY, datetime.datetime(2049, 12, 31, 23, 59, 59), datetime.datetime(2050, 1, 1), datetime.datetime(9999, 12, 31),
])
def test_validity(last: datetime.datetime) -> None:
    """Both notations of a time, as another implementation writes them."""
    text = pair(last=last)["certificate"]
    found = pem.validity(pem.chain(text)[0])
    other = x509.load_pem_x509_certificate(text.encode())
    assert found.not_before == other.not_valid_before_utc.timestamp() and found.not_after == other.not_valid_after_utc.timestamp()
    assert found.fingerprint == other.fingerprint(hashes.SHA256()).hex()


def test_every_truncation_is_refused() -> None:
    """With one kind of error."""
    der = pem.chain(ONE["certificate"])[0]
    # what stands behind the validity is not looked at
    for end in range(der.index(b"a.test") + 20):
        with pytest.raises(ValueError):
            pem.validity(der[:end])


@pytest.mark.parametrize(("field", "value"), [
    ("name", "../x"), ("name", ""), ("name", None), ("certificate", ""), ("certificate", None), ("certificate", ONE["private_key"]),
    ("private_key", ""), ("private_key", ONE["certificate"]), ("private_key", None), ("private_key", "s3cret"),
])
def test_refused(field: str, value: Any) -> None:
    """No message has the text of a key in it."""
    said = refusal(Certificate.parse, {"name": "a", **ONE, field: value}, "certificates[3].")
    assert said.startswith(f"certificates[3].{field}") and "s3cret" not in said


def test_names_and_the_default_are_unique() -> None:
    assert "named twice" in refusal(parse_all, [{"name": "a", **ONE}, {"name": "a", **TWO}])
    assert "another certificate" in refusal(parse_all, [{"name": "a", "default": True, **ONE}, {"name": "b", "default": "yes", **TWO}])


@pytest.fixture(name="place")
def a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in place of /etc/traefik."""
    monkeypatch.setattr(host, "LOCK_FILE", str(tmp_path / "run" / "lock"))
    (tmp_path / "dynamic").mkdir()
    yield tmp_path


def run(place: Path, *entries: Dict[str, Any], dry: bool = False) -> Outcome[ConfigFile]:
    """What the module does."""
    engine = CertificateEngine(host.Host(), parse_all(list(entries)), f"{place}/certs", f"{place}/dynamic", "root")
    return converge(engine, engine.wish.edit, dry)


def walk(place: Path, *entries: Dict[str, Any]) -> Dict[str, Any]:
    """Predict, do, and do again: the same report, no key in it, and nothing left to do."""
    predicted, real = run(place, *entries, dry=True).as_dict(), run(place, *entries).as_dict()
    assert predicted == real and not run(place, *entries).plan.changed
    for line in (ONE["private_key"] + TWO["private_key"]).splitlines():
        assert line.startswith("-----") or line not in str(real)
    return real


def files(place: Path) -> List[str]:
    """What is there."""
    return sorted(str(path.relative_to(place)) for folder in ("certs", "dynamic") for path in (place / folder).glob("*"))


def test_life_of_certificates(place: Path) -> None:
    """Two, then one that is renewed, then none. What others have put there stays."""
    walk(place, {"name": "one", "default": True, **ONE}, {"name": "two", **TWO})
    assert stat.S_IMODE((place / "certs/one.key").stat().st_mode) == 0o640
    text = (place / "dynamic/_certificates.yml").read_text()
    assert text.count(f"certFile: {place}/certs/one.crt") == 2 and text.count(f"keyFile: {place}/certs/two.key") == 1
    (place / "certs/theirs.crt").touch()
    renewed = walk(place, {"name": "one", **pair()})
    assert renewed["removed"] == [f"{place}/certs/two.crt", f"{place}/certs/two.key"]
    assert f"{place}/dynamic/_certificates.yml" in renewed["updated"], "Traefik would not notice"
    assert "stores" not in (place / "dynamic/_certificates.yml").read_text()
    walk(place)
    assert files(place) == ["certs/theirs.crt"]
    assert not run(place).plan.changed


class Killed(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


def die_at(patch: pytest.MonkeyPatch, step: int) -> None:
    """The host is written to so many times less one."""
    counted = iter(range(1, 100))

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if next(counted) == step:
                raise Killed
            return real(*arguments, **options)
        return call

    for name in ("write_all", "remove"):
        patch.setattr(host.Host, name, dying(getattr(host.Host, name)))


@pytest.mark.parametrize("wish", [["two"], [], ["one", "two"]], ids=["another", "none", "one more"])
def test_a_kill_at_any_step(place: Path, monkeypatch: pytest.MonkeyPatch, wish: List[str]) -> None:
    """Traefik finds a certificate all the time, and what the next run does not ask for goes, whatever the killed one did."""
    one, entries = {"name": "one", **ONE}, [{"name": name, **TWO} for name in wish]
    dynamic, steps = place / "dynamic/_certificates.yml", 0
    for step in range(1, 30):
        walk(place, one)
        with monkeypatch.context() as patch:
            die_at(patch, step)
            try:
                run(place, *entries)
                break
            except Killed:
                steps = step
        if wish:
            named = re.findall("(?:certFile|keyFile): (.*)", dynamic.read_text())
            assert named and all(Path(path).exists() for path in named)
        walk(place, *[one] * (step % 2))
        left = ["certs/one.crt", "certs/one.key", "dynamic/_certificates.yml"] if step % 2 else []
        assert files(place) == left, f"killed at step {step}"
    assert steps >= 4


def test_without_a_dynamic_directory(place: Path) -> None:
    """Predicted as if it were there, since it may be made before; then required."""
    (place / "dynamic").rmdir()
    assert not run(place).plan.changed
    assert len(run(place, {"name": "one", **ONE}, dry=True).plan.added) == 4
    with pytest.raises(GatewayError) as caught:
        run(place, {"name": "one", **ONE})
    assert f"{place}/dynamic does not exist" in one_sentence(caught.value.message) and files(place) == []


def test_a_file_of_others_is_not_replaced(place: Path) -> None:
    (place / "dynamic/_certificates.yml").write_text("tls: {}\n")
    with pytest.raises(GatewayError) as caught:
        run(place, {"name": "one", **ONE})
    assert "was not written by edge.gateway" in one_sentence(caught.value.message)


@pytest.mark.parametrize("entry", [
    {**ONE, "private_key": TWO["private_key"]},
    {**ONE, "private_key": pair(passphrase=b"secret")["private_key"]},
    pair(last=NOW - DAY, first=NOW - 2 * DAY), pair(first=NOW + DAY),
    {**ONE, "certificate": TWO["certificate"] + ONE["certificate"]},
    {**ONE, "certificate": ONE["certificate"].replace("\n", "\n!", 2)},
    {**ONE, "certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
    {**ONE, "certificate": ONE["certificate"] + "-----BEGIN CERTIFICATE-----\nAAAA\n"},
])
@pytest.mark.parametrize("dry", [True, False])
def test_a_wrong_pair_is_refused(place: Path, entry: Dict[str, str], dry: bool) -> None:
    """In check mode too; nothing is written."""
    with pytest.raises(InvalidInput) as caught:
        run(place, {"name": "one", **entry}, dry=dry)
    assert " of one " in one_sentence(caught.value.message)
    assert files(place) == []


def test_one_that_expires_in_its_place_is_a_warning(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything else of a run must go on."""
    entry = {"name": "one", **ONE}
    walk(place, entry)
    later = (NOW + 60 * DAY).timestamp()
    monkeypatch.setattr(time, "time", lambda: later)
    outcome = run(place, entry)
    assert not outcome.plan.changed and "certificate one has expired" in outcome.warnings[0]
