# SPDX-License-Identifier: GPL-3.0-or-later
"""A mirror of Traefik's releases on the loopback that has lists of checksums and nothing else."""

from __future__ import annotations

import contextlib
import functools
import http.server
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator

import yaml

from release.commands import COLLECTION

ROOT = Path(__file__).parents[2]
DEFAULTS = yaml.safe_load((ROOT / COLLECTION / "roles/traefik/defaults/main.yml").read_text())
VERSION = str(DEFAULTS["edge_gateway_traefik_version"])
# of digits alone, so that a number could be made of it
DIGESTS = {"amd64": "a1" * 32, "arm64": "10" * 32, "386": "1e" + "5" * 62}


@dataclass
class Mirror:
    """Where the lists are, and the address of that."""

    folder: Path
    url: str

    def write(self, digests: Dict[str, str]) -> None:
        """The list of the version, in the form of the official ones, with archives for other systems too."""
        place = self.folder / f"v{VERSION}"
        place.mkdir(exist_ok=True)
        rows = [f"{'f' * 64}  traefik_v{VERSION}_darwin_arm64.tar.gz", f"{'e' * 64}  traefik-v{VERSION}.src.tar.gz"]
        rows += [f"{digest}  ./traefik_v{VERSION}_linux_{key}.tar.gz" for key, digest in digests.items()]
        (place / f"traefik_v{VERSION}_checksums.txt").write_text("\n".join(rows) + "\n")


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Says nothing of what it is asked for."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def lists(folder: Path) -> Iterator[Mirror]:
    """Such a mirror, as long as it is used."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Mirror(folder, f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()
