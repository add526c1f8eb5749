# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""What is left on the edge after its last route was deleted, and what was never ours."""

from __future__ import annotations

from testinfra.host import Host

FOREIGN = "/etc/traefik/dynamic/foreign.yml"


def test_only_the_foreign_file_is_left(edge: Host) -> None:
    """No route, no backup, no temporary file."""
    assert edge.check_output("ls -A /etc/traefik/dynamic") == "foreign.yml"


def test_the_foreign_file_is_as_it_was(edge: Host) -> None:
    """Not even touched: its inode was changed when it was written, and not since."""
    file = edge.file(FOREIGN)
    assert (file.user, file.group, oct(file.mode)) == ("root", "traefik", "0o640")
    assert edge.check_output(f"find {FOREIGN} -newer /etc/traefik/traefik.yml -cmin +0 | wc -l") == "1"
    assert file.content_string.startswith("http:\n  routers:\n    foreign:")


def test_traefik_is_content(edge: Host) -> None:
    """The configuration that is left loads without a complaint."""
    edge.check_output("systemctl restart traefik")
    since = edge.check_output("systemctl show --property=InvocationID --value traefik")
    assert "ERR" not in edge.check_output(f"journalctl --no-pager _SYSTEMD_INVOCATION_ID={since}")
