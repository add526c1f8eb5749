# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shell script that keeps how an edge stands and brings that back, and the unit that runs it, also after a reboot.

A script, and not our own code: it has to work when everything that a run has just installed does not.
"""

from __future__ import annotations

from typing import Dict

DIRECTORY = "/var/lib/edge-gateway/rollback"
UNIT = "edge-gateway-rollback.service"

_UNIT = """# Written by edge.gateway.gateway_confirm.
[Unit]
Description=Take back a change of edge.gateway that nobody has confirmed
# after a reboot in the middle of a change nobody will come to confirm it
ConditionPathExists=@DIRECTORY@/armed
After=network.target edge-gateway-forwards.service

[Service]
Type=oneshot
ExecStart=/bin/sh @DIRECTORY@/rollback restore
TimeoutStartSec=300
UMask=0077
# where the files of edge.gateway are
ProtectSystem=strict
ReadWritePaths=/etc /var/lib /run -/usr/local/lib -/@DYNAMIC@ /proc/sys/net
# files of Traefik's user too
CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW CAP_CHOWN CAP_FOWNER CAP_DAC_OVERRIDE@CAPABILITIES@
RestrictAddressFamilies=AF_NETLINK AF_UNIX@FAMILIES@
SystemCallFilter=@system-service@CALLS@
SystemCallFilter=~@resources
NoNewPrivileges=yes
PrivateMounts=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectHome=yes
ProtectKernelTunables=yes
ProtectKernelModules=@MODULES@
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
IPAddressDeny=any

[Install]
WantedBy=multi-user.target
"""

_SCRIPT = r"""#!/bin/sh
# Written by edge.gateway.gateway_confirm.
# rollback keep: keep the files of edge.gateway, and which of its units are enabled and run.
# rollback restore: bring all that back. Running it twice does no harm.
# rollback forget: what was kept is not needed any more.
set -u
umask 077
place=@DIRECTORY@
interface=@INTERFACE@
dynamic=@DYNAMIC@
export LC_ALL=C
units="edge-gateway-forwards.service edge-gateway-forwards-watch.timer edge-gateway-inbound.service edge-gateway-expire.timer \
edge-gateway-metrics.timer traefik.service edge-gateway-mesh@$interface.timer wg-quick@$interface.service"
switches="/proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding"

# the files of edge.gateway that there are; in a directory that others use too, those that carry its mark
files() {
  cd / || exit 1
  {
    find etc/edge-gateway var/lib/edge-gateway etc/traefik/certs usr/local/lib/edge-gateway ! -type d
    ls -d etc/wireguard/"$interface".* etc/sysctl.d/60-edge-gateway.conf etc/traefik/traefik.yml etc/traefik/traefik.env
    ls -d etc/systemd/system/traefik.service etc/systemd/system/edge-gateway-* etc/systemd/system/*.service.d/edge-gateway.conf
    grep -ls '^# Written by edge.gateway' "$dynamic"/*.yml
  } 2>/dev/null | grep -v -e '^var/lib/edge-gateway/rollback/' -e '^var/lib/edge-gateway/history.json$' -e '/@UNIT@$' \
    -e '/__pycache__/' | sort
}

# each unit, whether it is enabled, and whether it runs
standing() {
  # shellcheck disable=SC2086
  systemctl show --property=Id,UnitFileState,ActiveState $units | awk -F= '
    $1 == "Id" { id = $2 } $1 == "UnitFileState" { enabled = $2 } $1 == "ActiveState" { active = $2 }
    $0 == "" { print id, enabled == "enabled" ? "enabled" : "other", active == "active" ? "active" : "other"; id = enabled = active = "" }
    END { if (id != "") print id, enabled == "enabled" ? "enabled" : "other", active == "active" ? "active" : "other" }'
}

keep() {
  rm -rf "$place/complete" "$place/kept"
  files >"$place/files"
  mkdir "$place/kept"
  tar --create --file=- --directory=/ --files-from="$place/files" | tar --extract --file=- --directory="$place/kept" --same-permissions
  standing >"$place/units"
  for switch in $switches; do
    [ -e "$switch" ] && echo "$switch $(cat "$switch")"
  done >"$place/switches"
  # with half of it kept, the way back would take away the other half
  [ "$(find "$place/kept" ! -type d | wc -l)" -eq "$(wc -l <"$place/files")" ] && [ -s "$place/units" ] || exit 1
  : >"$place/complete" || exit 1
  # all of it has to be on the disk before anything is changed
  sync
}

# content, mode and owner of all kept files as they are below a directory, the name at the end
prints() {
  cd "$1" || exit 1
  {
    xargs -r -d '\n' stat -c '%a-%u-%g %n' <"$place/files"
    xargs -r -d '\n' sha256sum <"$place/files" | sed 's/  / /'
  } 2>/dev/null | sort
}

# which files have become others, have gone or have come
compare() {
  prints "$place/kept" >"$place/wanted"
  prints / >"$place/found"
  comm -23 "$place/wanted" "$place/found" | cut -d ' ' -f 2- | sort -u >"$place/changed"
  files | comm -23 - "$place/files" >"$place/new"
}

differs() {
  cat "$place/changed" "$place/new" | grep -q "^$1"
}

# whoever holds the lock works on what is taken back
take_lock() {
  mkdir -p -m 0700 /run/edge-gateway
  exec 9>>/run/edge-gateway/lock
  flock -w 0.2 9 && return
  inode=$(stat -c %i /run/edge-gateway/lock)
  for holder in $(awk -v inode=":$inode\$" '$2 == "FLOCK" && $6 ~ inode { print $5 }' /proc/locks); do
    [ "$holder" -gt 1 ] && kill -KILL "$holder"
  done
  flock -w 1 9 || :
}

put_back() {
  while read -r file; do rm -f "/$file"; done <"$place/new"
  while read -r file; do
    mkdir -p "/${file%/*}"
    # renamed into place, since Traefik reads what it sees; a name that it does not read until then
    cp -a "$place/kept/$file" "/$file.rollback-tmp" && mv -f "/$file.rollback-tmp" "/$file"
  done <"$place/changed"
}

rules() {
  for name in forwards:edge_gateway inbound:edge_gateway_inbound; do
    if [ -f "/etc/edge-gateway/${name%:*}.nft" ]; then
      nft -f "/etc/edge-gateway/${name%:*}.nft"
    elif command -v nft >/dev/null; then
      nft delete table inet "${name#*:}" 2>/dev/null
    fi
  done
  if [ -f /etc/edge-gateway/forwards.rules ]; then
    /bin/sh /etc/edge-gateway/forwards.rules
  else
    for tool in iptables ip6tables; do
      command -v "$tool" >/dev/null || continue
      for table in nat filter mangle; do
        "$tool-save" -t "$table" 2>/dev/null | sed -n 's/^-A \(.* -j EDGE-GATEWAY.*\)$/\1/p' | while read -r rule; do
          echo "$rule" | xargs "$tool" -t "$table" -D
        done
      done
    done
  fi
  [ ! -f /etc/edge-gateway/openings ] || /bin/sh /etc/edge-gateway/openings
}

# what is first in this list lets people in again first
restore() {
  [ -e "$place/armed" ] || [ "${1:-}" = again ] || exit 0
  [ -e "$place/complete" ] || { echo "nothing is kept to go back to" >&2; exit 1; }
  take_lock
  tunnel=; web=
  compare
  differs "etc/wireguard/$interface\." && tunnel=changed
  differs "etc/traefik/traefik\|etc/systemd/system/traefik" && web=changed
  standing | grep -qxF "$(grep "^wg-quick@" "$place/units")" || tunnel=changed
  # down by the files that it came up with
  [ -z "$tunnel" ] || systemctl stop "wg-quick@$interface.service" 2>/dev/null || wg-quick down "$interface" 2>/dev/null
  put_back
  rules
  while read -r switch value; do echo "$value" >"$switch"; done <"$place/switches"
  systemctl daemon-reload
  standing >"$place/stands"
  # only what differs: each call costs a tenth of a second
  grep -vxFf "$place/stands" "$place/units" | while read -r unit enabled active; do
    [ "$enabled" = enabled ] && systemctl enable --quiet "$unit" || systemctl disable --quiet "$unit"
    [ "$active" = active ] && systemctl start --no-block "$unit" || systemctl stop --no-block "$unit"
  done 2>/dev/null
  [ -z "$web" ] || systemctl try-restart --no-block traefik.service
  # only now: what is interrupted before runs again after the next boot
  date -u +%Y-%m-%dT%H:%M:%SZ >"$place/taken-back"
  rm -f "$place/armed"
  sync
  echo "a change that nobody has confirmed was taken back"
}

case ${1:-} in
  keep) keep ;;
  restore) restore "${2:-}" ;;
  forget) rm -rf "$place/complete" "$place/kept" ;;
  *) echo "usage: rollback keep | restore [again] | forget" >&2; exit 2 ;;
esac
"""


def script(interface: str, dynamic_dir: str) -> str:
    """The script for a host with this mesh interface and directory of routes; both are plain names."""
    return _filled(_SCRIPT, {"@INTERFACE@": interface, "@DYNAMIC@": dynamic_dir.strip("/"), "@UNIT@": UNIT})


def unit(dynamic_dir: str, iptables: bool) -> str:
    """The unit for a host with this directory of routes, with or without rules of iptables, which need more than those of nft."""
    return _filled(_UNIT, {"@DYNAMIC@": dynamic_dir.strip("/"), "@CAPABILITIES@": " CAP_SYS_MODULE" if iptables else "",
                           "@FAMILIES@": " AF_INET AF_INET6" if iptables else "", "@CALLS@": " @module" if iptables else "",
                           "@MODULES@": "no" if iptables else "yes"})


def _filled(text: str, given: Dict[str, str]) -> str:
    for mark, value in {"@DIRECTORY@": DIRECTORY, **given}.items():
        text = text.replace(mark, value)
    return text
