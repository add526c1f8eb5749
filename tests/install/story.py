# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done with an installed collection: its documentation, its runs against the lab, and traffic from outside."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Callable, Dict, List, Tuple

from .installation import INVENTORY, Installation, Wrong, expect, outside

EDGE = "10.89.50.11"
ROUTE = f"curl -sS --insecure --max-time 3 --connect-to demo.edge.test:443:{EDGE}:443 https://demo.edge.test/"
# what each kind of plugin has in the tree of the collection
KINDS = {"module": "plugins/modules/*.py", "callback": "plugins/callback/*.py", "filter": "plugins/filter/*.py",
         "test": "plugins/test/*.py", "role": "roles/*", "doc_fragments": "plugins/doc_fragments/*.py", "action": "plugins/action/*.py"}
UNDOCUMENTED = ("doc_fragments", "action")
FORWARD = "forward_id=game public_port=27015 target_ip=10.50.0.12 target_port=32215"


def forward(port: int) -> str:
    """The command of a session through a forwarded port."""
    return f"socat -t 3 - TCP:{EDGE}:{port},connect-timeout=3 </dev/null"


def seen(command: str, expected: str, seconds: float = 20) -> None:
    """What comes from outside, as soon as the tunnel has come up."""
    deadline = time.monotonic() + seconds
    while expected not in (shown := outside(command)):
        expect(time.monotonic() < deadline, f"{expected!r} is not in what {command} shows: {shown}")
        time.sleep(0.5)


def counted(output: str, word: str) -> int:
    """A counter of the recap, of all hosts together."""
    return sum(map(int, re.findall(rf"\b{word}=(\d+)", output.partition("\nPLAY RECAP")[2])))


def names(tree: Path, kind: str) -> List[str]:
    """Full names of the plugins of a kind, as the files of the installed tree say."""
    return sorted(f"edge.gateway.{path.stem}" for path in tree.glob(KINDS[kind]) if path.stem != "__init__")


def whole(made: Installation) -> None:
    """It is what was built, and stands alone."""
    made.run("ansible-galaxy", "collection", "verify", "--offline", "edge.gateway")
    # beside it, there is only what ansible-galaxy notes down about it
    beside = {path.name for path in made.tree.parents[1].iterdir() if path.suffix != ".info"}
    expect(beside == {"edge"}, f"{beside} were installed")
    manifest = json.loads((made.tree / "MANIFEST.json").read_text())["collection_info"]
    expect(manifest["dependencies"] == {}, f"it depends on {manifest['dependencies']}")


def documented(made: Installation) -> None:
    """ansible-doc knows every plugin, for people and for programs."""
    for kind in set(KINDS) - set(UNDOCUMENTED):
        wanted = names(made.tree, kind)
        found = json.loads(made.run("ansible-doc", "--type", kind, "--json", *wanted))
        expect(sorted(found) == wanted, f"{kind}: {wanted} expected, {sorted(found)} documented")
        # older versions write the heading in capitals
        text = made.run("ansible-doc", "--type", kind, *wanted).lower()
        absent = [name for name in wanted if name not in text]
        expect(not absent, f"{kind}: no text about {absent}")
    modules = names(made.tree, "module")
    # an action plugin and a fragment are documented by the modules that have them
    expect(set(names(made.tree, "action")) <= set(modules), "an action plugin without a module")
    listed = json.loads(made.run("ansible-doc", "--list", "--json", "edge.gateway"))
    expect(sorted(listed) == modules, f"listed are {sorted(listed)}")


def understood(made: Installation) -> None:
    """Every playbook can be read."""
    found = sorted(f"edge.gateway.{path.stem}" for path in (made.tree / "playbooks").glob("*.yml"))
    made.run("ansible-playbook", "-i", str(INVENTORY), "--syntax-check", *found)


def converged(made: Installation) -> None:
    """Predicted, done, nothing left to do; then the client outside is served."""
    foreseen = counted(made.playbook("site", "--check"), "changed")
    done = counted(made.playbook("site"), "changed")
    expect(foreseen == done > 0, f"{foreseen} changes foreseen, {done} made")
    again = made.playbook("site")
    expect(counted(again, "changed") == 0, again)
    seen(ROUTE, "hello from node1")
    seen(forward(22000), "echo from node1")


def called(made: Installation) -> None:
    """One call opens a port, another one closes it."""
    opened = made.adhoc("dnat_forward", "-a", FORWARD)
    expect('"added": [' in opened and '"game"' in opened, opened)
    seen(forward(27015), "echo from node1")
    made.adhoc("dnat_forward", "-a", "forward_id=game state=absent")
    expect("echo" not in outside(forward(27015)), "the port is still open")


def answered(made: Installation) -> None:
    """Programs get one document."""
    forwards = made.answer("tcp_forwards")["hosts"]["edge1"]["results"]["dnat_forward_info"]["forwards"]
    expect([entry["forward_id"] for entry in forwards] == ["demo-echo"], str(forwards))


def reported(made: Installation) -> None:
    """Healthy, nothing planned, and a page that says so."""
    expect("edge1 is ok" in made.playbook("health"), "health")
    plan = made.playbook("plan", "-e", "edge_gateway_plan_file=plan.txt")
    expect("nothing to do" in (made.work / "plan.txt").read_text(), plan)
    made.playbook("report")
    page = (made.work / "report.html").read_text()
    expect("edge1" in page and "demo.edge.test" in page, page[:2000])


def kept(made: Installation) -> None:
    """What a backup holds is what the host has."""
    (made.work / "vault").write_text("a password of the install test\n")
    vault = ("--vault-password-file", "vault")
    made.playbook("backup", *vault)
    expect((made.work / "backups/edge1.backup").read_text().startswith("$ANSIBLE_VAULT;"), "a backup in plain text")
    restored = made.playbook("restore", "--check", *vault)
    expect(counted(restored, "changed") == 0, restored)


STEPS: Tuple[Callable[[Installation], None], ...] = (whole, documented, understood, converged, called, answered, reported, kept)


def walk(made: Installation) -> Dict[str, float]:
    """All steps, with the seconds of each; Wrong names the step."""
    taken: Dict[str, float] = {}
    for step in STEPS:
        begun = time.monotonic()
        try:
            step(made)
        except Wrong as wrong:
            raise Wrong(f"{step.__name__}: {wrong}") from None
        taken[step.__name__] = time.monotonic() - begun
    return taken
