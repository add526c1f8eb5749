# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What our units on a host are exposed to, by "systemd-analyze security": 2.0 or better.

    python tests/gates/sandbox.py

Rules of iptables need raw sockets and kernel modules; units that load them, and they alone, may have 3.0.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict

TOP = Path(__file__).resolve().parents[2]
ROLES = TOP / "collections/ansible_collections/edge/gateway/roles"
sys.path.insert(0, str(TOP / "collections"))

from ansible_collections.edge.gateway.plugins.module_utils.formats import rollback  # noqa: E402

LIMIT, IPTABLES_LIMIT = 2.0, 3.0
# without and with what needs more rights
KINDS: Dict[str, Dict[str, Any]] = {
    "nftables": {},
    "iptables": {"edge_gateway_backend": "iptables"},
    "everything": {"edge_gateway_open_foreign": True, "edge_gateway_traefik_environment": {"TOKEN": "x"},
                   "edge_gateway_traefik_metrics": "mesh", "edge_gateway_metrics_textfile": "/var/lib/node_exporter/edge.prom"},
}
WITH_IPTABLES = ("iptables", "everything")
OF_IPTABLES = ("edge-gateway-forwards.service", "edge-gateway-forwards-watch.service", "edge-gateway-inbound.service",
               "edge-gateway-expire.service", rollback.UNIT)


def exposure(unit: Path) -> float:
    """What systemd-analyze says at its end."""
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1].partition(": ")[2].split()[0])


def play(out: Path) -> Dict[str, Any]:
    """A play that writes the units of all roles, of each kind into a folder of its own."""
    tasks = [{"name": f"Write {template.name} of {kind}", "vars": given, "ansible.builtin.template": {
        "src": str(template), "mode": "0600", "dest": str(out / kind / template.stem.replace("@", "@wg0"))}}
        for kind, given in KINDS.items() for template in sorted(ROLES.glob("*/templates/*.service.j2"))]
    return {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks,
            "vars_files": [str(path) for part in ("defaults", "vars") for path in sorted(ROLES.glob(f"*/{part}/main.yml"))],
            "vars": {"ansible_python_interpreter": sys.executable, "edge_gateway_traefik_mesh": {"node_ip": "10.50.0.1"}}}


def write_units(out: Path) -> None:
    """Those of the roles by their templates, and the one that a module writes."""
    for kind in KINDS:
        (out / kind).mkdir()
        (out / kind / rollback.UNIT).write_text(rollback.unit("/etc/traefik/dynamic", kind in WITH_IPTABLES))
    # YAML is more than JSON
    (out / "play.yml").write_text(json.dumps([play(out)]))
    command = ["ansible-playbook", "-i", "localhost,", str(out / "play.yml")]
    done = subprocess.run(command, cwd=TOP, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)


def main() -> int:
    """Write them, and judge them."""
    with tempfile.TemporaryDirectory() as folder:
        write_units(Path(folder))
        found: Dict[Path, float] = {unit: exposure(unit) for unit in sorted(Path(folder).glob("*/*.service"))}
    wrong = []
    for unit, score in found.items():
        limit = IPTABLES_LIMIT if unit.parent.name in WITH_IPTABLES and unit.name in OF_IPTABLES else LIMIT
        wrong += [f"{unit.name} ({unit.parent.name}) is exposed by {score}, more than {limit}"] if score > limit else []
    print(*wrong, sep="\n", end="\n" if wrong else "")
    worst = max(score for unit, score in found.items() if unit.parent.name not in WITH_IPTABLES)
    print(f"{len(found)} units, the most exposed {worst}, with iptables {max(found.values())}")
    return 1 if wrong or len(found) < 3 * 8 else 0


if __name__ == "__main__":
    sys.exit(main())
