# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module says of other people's files beside what the real Traefik does with them.

Where it is certain that a file keeps Traefik from loading, Traefik must load nothing; where it says nothing, Traefik must load.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional, Tuple

import pytest
from ansible_collections.edge.gateway.plugins.module_utils.errors import StateRefused, VerifyFailed
from contract import edge_traefik, foreign_files, world
from contract.edge_traefik import DYNAMIC, FOREIGN, Traefik, entry, run_and_warn
from contract.foreign_files import GOOD
from unit.samples import one_sentence

pytestmark = pytest.mark.usefixtures("no_routes")
Make = Callable[[], None]
TROUBLE = "watcher callback"


class Judge:
    """Traefik's verdict: whether another file is loaded while one stands."""

    def __init__(self, traefik: Traefik) -> None:
        self.log, self.number = traefik.folder / "log", 0

    def loads(self) -> bool:
        """Put a good file beside what is there, and see whether its router comes. Two errors in the log since then mean that it does
        not: the first may still be about what was there before, so the file is touched after it."""
        self.number += 1
        name = f"probe-{self.number}"
        staged, probe = DYNAMIC / f"{name}.tmp", DYNAMIC / f"{name}.yml"
        said = self.log.read_text().count(TROUBLE)
        staged.write_text(FOREIGN.replace("mine", name))
        staged.rename(probe)
        end, touched = time.monotonic() + 5, 0
        while name not in (Traefik.routers() or []):
            errors = self.log.read_text().count(TROUBLE) - said
            if errors > touched == 1 or time.monotonic() > end:
                return False
            if errors and not touched:
                said, touched = said + errors - 1, 1
                probe.touch()
            time.sleep(0.02)
        return True


def clear() -> None:
    """Nothing in the directory."""
    for path in DYNAMIC.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def verdict(name: str) -> Tuple[str, str]:
    """The module's: ``broken`` when it refuses to change anything, ``doubtful`` when it warns, ``fine`` when it says nothing; its words."""
    try:
        warnings = run_and_warn(True, **entry("ours"))[1]
    except StateRefused as refused:
        assert refused.option == "dynamic_dir" and name.rsplit("/", maxsplit=1)[-1] in one_sentence(refused.message)
        return "broken", refused.message
    except Exception as problem:  # noqa: BLE001  a crash is a verdict too, of the module on itself
        return "a crash", repr(problem)
    words = [warning for warning in warnings if str(DYNAMIC) in warning]
    return ("doubtful", one_sentence(words[0])) if words else ("fine", "")


def write(name: str, content: bytes) -> Make:
    """A file that appears at once."""
    def make() -> None:
        (DYNAMIC / name).parent.mkdir(parents=True, exist_ok=True)
        (DYNAMIC / name).write_bytes(content)
    return make


def compared(traefik: Traefik, cases: Dict[str, Tuple[str, Make]], opaque: bool = False) -> None:
    """All cases, one after the other; every difference is told. Of what is opaque it may say nothing."""
    judge, wrong = Judge(traefik), []
    for words, (name, make) in cases.items():
        clear()
        make()
        said, why = verdict(name)
        loads = judge.loads()
        if said == "a crash" or loads and said != "fine" or not loads and said == "fine" and not opaque:
            wrong.append(f"{words}: said to be {said}, and Traefik {'loads' if loads else 'does not load'}: {why[:200]}")
    clear()
    assert not wrong, f"{len(wrong)} of {len(cases)}:\n" + "\n".join(wrong)


def texts(found: Dict[str, str], name: str = "x.yml") -> Dict[str, Tuple[str, Make]]:
    """Cases of texts."""
    return {words: (name, write(name, text.encode())) for words, text in found.items()}


@pytest.mark.parametrize("found", [foreign_files.WHOLE, foreign_files.PLACES], ids=["whole", "places"])
def test_texts(traefik: Traefik, found: Dict[str, str]) -> None:
    """Documents, markers, tabs, keys that come twice, unknown fields, and nothing at all in every place."""
    compared(traefik, texts(found))


def test_values(traefik: Traefik) -> None:
    """Everything that YAML has for a value: tags, anchors, merges, quotes, blocks, what is nearly right."""
    compared(traefik, texts({value: foreign_files.VALUE % value for value in foreign_files.VALUES}))


def test_templates_and_toml(traefik: Traefik) -> None:
    """What cannot be understood without Go: no false alarm, and braces that are no template are understood."""
    compared(traefik, texts(foreign_files.OPAQUE), opaque=True)
    compared(traefik, texts(foreign_files.TOML, "x.toml"), opaque=True)
    compared(traefik, texts(foreign_files.PLAIN_BRACES))


@pytest.mark.parametrize("words", foreign_files.UNTOLD)
def test_what_only_traefik_can_tell(traefik: Traefik, words: str) -> None:
    """Nothing is said in advance; the run finds out that nothing is loaded, fails, and leaves the directory as it was."""
    write("x.yml", foreign_files.UNTOLD[words].encode())()
    before = world.files(DYNAMIC)
    assert verdict("x.yml")[0] in ("fine", "doubtful") and not Judge(traefik).loads()
    (DYNAMIC / "probe-1.yml").unlink()
    with pytest.raises(VerifyFailed) as caught:
        run_and_warn(wait_timeout=0.6, **entry("ours"))
    assert "ours" in one_sentence(caught.value.message) and world.files(DYNAMIC) == before


def test_bytes(traefik: Traefik) -> None:
    """What is no UTF-8."""
    compared(traefik, {words: ("x.yml", write("x.yml", content)) for words, content in foreign_files.BYTES.items()})


def test_names(traefik: Traefik) -> None:
    """The same broken text under many names: Traefik loads some and passes over the others, and so does the module."""
    compared(traefik, {name: (name, write(name, b"http: [\n")) for name in foreign_files.NAMES if not name.lower().endswith("toml")})


def link(name: str, target: Optional[str], content: str = GOOD) -> Make:
    """A link to a file with this content, or to nothing."""
    def make() -> None:
        kept = DYNAMIC.parent / "linked"
        kept.write_text(content)
        (DYNAMIC / name).symlink_to(kept if target is None else target)
    return make


def folder_link(content: str) -> Make:
    """A link to a folder with a file of this content."""
    def make() -> None:
        kept = DYNAMIC.parent / "linked.d"
        kept.mkdir(exist_ok=True)
        (kept / "y.yml").write_text(content)
        (DYNAMIC / "folder").symlink_to(kept)
    return make


def test_links_and_folders(traefik: Traefik) -> None:
    """Links to good and bad files, to nothing, to folders and to themselves; folders with the name of a file."""
    compared(traefik, {
        "good": ("x.yml", link("x.yml", None)), "bad": ("x.yml", link("x.yml", None, "http: [\n")),
        "nothing": ("x.yml", link("x.yml", "/nowhere")),
        "nothing under another name": ("x.txt", link("x.txt", "/nowhere")), "itself": ("x.yml", link("x.yml", "x.yml")),
        "the folder itself": ("x.yml", link("x.yml", ".")), "good folder": ("folder", folder_link(GOOD)),
        "bad folder": ("folder", folder_link("http: [\n")), "folder with a file's name": ("x.yml", (DYNAMIC / "x.yml").mkdir),
        "device": ("x.yml", link("x.yml", "/dev/null")),
    })


def test_a_pipe(traefik: Traefik) -> None:
    """Traefik hangs on it, for ever: the module says so, and does not hang itself."""
    os.mkfifo(DYNAMIC / "x.yml")
    try:
        start = time.monotonic()
        assert verdict("x.yml")[0] == "broken" and time.monotonic() - start < 2
        assert not Judge(traefik).loads()
    finally:
        clear()
        traefik.stop()
        traefik.start()


@contextlib.contextmanager
def as_nobody(traefik: Traefik) -> Iterator[Traefik]:
    """Traefik as a user of its own, in whose group the directory is."""
    home = DYNAMIC.parent / "nobody"
    home.mkdir(exist_ok=True)
    traefik.stop()
    world.sh("chgrp", "65534", str(DYNAMIC))
    try:
        with edge_traefik.started(home, user=65534) as other:
            yield other
    finally:
        world.sh("chgrp", "0", str(DYNAMIC))
        clear()
        traefik.start()


def test_files_that_traefik_may_not_read(traefik: Traefik) -> None:
    """Modes and groups, with Traefik as nobody: what it cannot read stops the loading of all."""
    modes: List[Tuple[int, int]] = [(0o600, 0), (0o640, 0), (0o640, 65534), (0o644, 0), (0o604, 0), (0o060, 65534), (0o000, 65534)]

    def owned(mode: int, gid: int) -> Make:
        def make() -> None:
            staged = DYNAMIC / "x.tmp"
            staged.write_text(GOOD)
            os.chown(staged, 0, gid)
            staged.chmod(mode)
            staged.rename(DYNAMIC / "x.yml")
        return make

    with as_nobody(traefik) as other:
        compared(other, {f"{mode:o} of group {gid}": ("x.yml", owned(mode, gid)) for mode, gid in modes})


def test_the_corpus_is_large() -> None:
    """At least sixty files."""
    assert sum(map(len, (foreign_files.WHOLE, foreign_files.PLACES, foreign_files.VALUES, foreign_files.BYTES, foreign_files.NAMES))) > 200
    assert Path(DYNAMIC).is_dir()
