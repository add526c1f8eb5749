# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-untyped"
"""Where a host may show a secret: command lines of processes, the journal, files that everybody can read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from testinfra.host import Host

# every command line that any process has had, looked at as fast as can be
SAMPLER = r"""
import glob, sys, time
seen, end = set(), time.monotonic() + 300
while time.monotonic() < end and not glob.glob('/run/sampler.stop'):
    for path in glob.glob('/proc/[0-9]*/cmdline'):
        try:
            seen.add(open(path, 'rb').read())
        except OSError:
            pass
open('/run/sampler.out', 'wb').write(b'\n'.join(seen))
"""


@contextmanager
def processes_watched(*hosts: Host) -> Iterator[None]:
    """Every command line on these hosts is kept meanwhile, in /run/sampler.out."""
    for host in hosts:
        host.check_output("rm -f /run/sampler.*")
        host.check_output(f"nohup python3 -c \"{SAMPLER}\" >/dev/null 2>&1 </dev/null &")
    yield
    for host in hosts:
        host.check_output("touch /run/sampler.stop; until test -e /run/sampler.out; do sleep 0.1; done")


def where_shown(secrets: list[str]) -> str:
    """The command that tells where a host shows one of them: command lines, journal, files that everybody can read."""
    lines = "\n".join(secrets)
    return f"""umask 077; cat >/run/secrets <<'END'
{lines}
END
grep -qaF -f /run/secrets /run/sampler.out && echo a command line
journalctl --no-pager | grep -qaF -f /run/secrets && echo the journal
find / -xdev -type f -perm -004 -newer /etc/os-release -not -path '/proc/*' -print0 | xargs -0 -r grep -laF -f /run/secrets
rm /run/secrets"""
