# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every message stands in the documentation, and every address that a failure gives leads to a section of it."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.edge.gateway.plugins.module_utils import documented
from ansible_collections.edge.gateway.plugins.module_utils.engines import health as engine
from ansible_collections.edge.gateway.plugins.module_utils.errors import DOCUMENTATION, help_for, help_for_part
from ansible_collections.edge.gateway.plugins.module_utils.models import health
from ansible_collections.edge.gateway.plugins.module_utils.models.health import DEGRADED, FAILED, OK, Part
from docutils.core import publish_doctree  # type: ignore[import-untyped]
from gates import errors

PAGES = errors.PAGE.parent
PLUGINS = errors.COLLECTION / "plugins"
# what the callback and the entry of modules say themselves
OTHER_CODES = {"no_hosts", "aborted", "host_unreachable", "task_failed", "internal"}
# parts of the health whose function has another name
FUNCTIONS = {"converge": "converged"}
CODES = errors.error_codes(errors.sources())
RAISED = {*CODES, *errors.PARTS, "AssertionError", "NotImplementedError", "SystemExit", "OSError", "ImportError", "NoParser",
          "_misfit", "missing_reference", "taken_back", "_overlap", "_too_late", "within"}
PARTS = ("mesh", "forwarding", "forwards", "traefik", "routes", "certificates", "expiry", "disk", "converge")


@functools.cache
def anchors(page: str) -> frozenset[str]:
    """The ids of a page, as docutils (and so Sphinx) makes them; what only Sphinx knows is left out of the page."""
    tree = publish_doctree((PAGES / f"{page}.rst").read_text(), settings_overrides={"report_level": 5})
    return frozenset(name for node in tree.findall() if hasattr(node, "get") for name in node.get("ids", ()))


def leads_somewhere(address: str) -> bool:
    """Whether an address is that of a section."""
    found = re.fullmatch(re.escape(DOCUMENTATION) + r"/(\w+)\.html#([a-z0-9-]+)", address)
    return found is not None and found[2] in anchors(found[1])


def states(part: str) -> set[str]:
    """What a part can be beside well: whatever cannot be looked at has failed."""
    function = next(node for node in ast.parse(errors.HEALTH.read_text()).body
                    if isinstance(node, ast.FunctionDef) and node.name == FUNCTIONS.get(part, part))
    return {FAILED} | ({DEGRADED} if any(isinstance(node, ast.Name) and node.id == "DEGRADED" for node in ast.walk(function)) else set())


def test_the_reference_of_messages_is_current() -> None:
    """After a new message, or another wording, run "make errors"."""
    assert errors.PAGE.read_text() == errors.page_with(errors.generated())
    assert errors.OPTIONS.read_text() == errors.documented()


def test_every_message_can_be_found_by_its_words() -> None:
    """Whoever searches the page for a message finds it, under an anchor of its own."""
    shown = " ".join(re.sub(r"\\(.)", r"\1", errors.PAGE.read_text()).split())
    for message in (*errors.messages(), *errors.failures_of_roles()):
        assert message.problem in shown and message.remedy in shown
        assert message.anchor in anchors("errors")


@pytest.mark.parametrize("path", sorted(PLUGINS.rglob("*.py")), ids=lambda path: path.name)
def test_no_error_is_overlooked(path: Path) -> None:
    """Every class of errors that a file raises is one whose words the reference reads, or is about no message."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            name = node.exc.func.attr if isinstance(node.exc.func, ast.Attribute) else getattr(node.exc.func, "id", "")
            assert name in RAISED, f"{path.name}:{node.lineno}: tests/gates/errors.py does not know where {name} gets its words from"


@pytest.mark.parametrize("code", sorted({*CODES.values(), *OTHER_CODES}))
def test_every_code_leads_somewhere(code: str) -> None:
    """With an option that nobody has documented, too."""
    assert leads_somewhere(help_for(code)) and leads_somewhere(help_for(code, "/var/lib/edge-gateway/forwards.json"))


@pytest.mark.parametrize("option", sorted(documented.OPTIONS))
def test_every_option_leads_to_its_section(option: str) -> None:
    """Within a list, and behind the name of a host, too."""
    for address in (help_for("invalid_input", place + option) for place in ("", "forwards[3].", "edge1.example.com: routes[12].")):
        assert leads_somewhere(address) and "#option-" in address
    assert "#code-busy" in help_for("busy", option)


@pytest.mark.parametrize(("part", "status"), [(part, status) for part in PARTS for status in sorted(states(part))])
def test_every_part_that_is_not_well_leads_somewhere(part: str, status: str) -> None:
    """And one that is well leads nowhere."""
    assert leads_somewhere(Part(status, "bad", "mend it").as_dict(part)["help"])
    assert Part(OK, "well").as_dict(part)["help"] == ""


def test_all_parts_are_looked_at() -> None:
    """The list above is that of the engine."""
    parts = next(node for node in ast.walk(ast.parse(Path(engine.__file__).read_text())) if isinstance(node, ast.Dict) and node.keys)
    assert tuple(ast.literal_eval(name) for name in parts.keys if name) == PARTS


def test_a_part_that_could_not_be_looked_at_leads_to_the_reason() -> None:
    """The reason is more than that the part has failed."""
    part = Part(health.FAILED, "bad", "mend it", help=help_for("state_refused"))
    assert part.as_dict("forwards")["help"] == help_for("state_refused") != help_for_part("forwards", FAILED)


def test_the_check_of_addresses_notices() -> None:
    """A section that is not there, and a page that is another."""
    assert not leads_somewhere(help_for("no_such_code")) and not leads_somewhere("https://example.com/errors.html#code-busy")


def test_the_addresses_are_those_of_the_collection() -> None:
    """The place that galaxy.yml names."""
    assert DOCUMENTATION.startswith(yaml.safe_load((errors.COLLECTION / "galaxy.yml").read_text())["documentation"])
