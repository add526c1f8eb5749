# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shell script that keeps how an edge stands and brings that back, and the unit that runs it, also after a reboot.

A script, and not our own code: it has to work when everything that a run has just installed does not.
"""

from __future__ import annotations

DIRECTORY = "/var/lib/edge-gateway/rollback"
UNIT = "edge-gateway-rollback.service"

UNIT_TEXT = f"""# Written by edge.gateway.gateway_confirm.
[Unit]
Description=Take back a change of edge.gateway that nobody has confirmed
# after a reboot in the middle of a change nobody will come to confirm it
ConditionPathExists={DIRECTORY}/armed
After=network.target edge-gateway-forwards.service

[Service]
Type=oneshot
ExecStart=/bin/sh {DIRECTORY}/rollback restore
TimeoutStartSec=300

[Install]
WantedBy=multi-user.target
"""

_SCRIPT = r"""#!/bin/sh
# Written by edge.gateway.gateway_confirm.
# rollback keep: keep the files of edge.gateway, and which of its units are enabled and run.
# rollback restore: bring all that back. Running it twice does no harm.
set -u
umask 077
place=@DIRECTORY@
interface=@INTERFACE@
units="edge-gateway-forwards.service edge-gateway-forwards-watch.timer edge-gateway-inbound.service edge-gateway-expire.timer \
edge-gateway-metrics.timer traefik.service edge-gateway-mesh@$interface.timer wg-quick@$interface.service"
switches="/proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding"

files() {
  cd / || exit 1
  {
    find etc/edge-gateway var/lib/edge-gateway etc/traefik usr/local/lib/edge-gateway ! -type d
    ls -d etc/wireguard/"$interface".* etc/sysctl.d/60-edge-gateway.conf etc/systemd/system/traefik.service
    ls -d etc/systemd/system/edge-gateway-* etc/systemd/system/*.service.d/edge-gateway.conf
  } 2>/dev/null | grep -v -e '^var/lib/edge-gateway/rollback/' -e '^var/lib/edge-gateway/history.json$' -e '/@UNIT@$' \
    -e '/__pycache__/' | sort
}

keep() {
  files >"$place/files"
  rm -rf "$place/kept"
  mkdir "$place/kept"
  tar --create --file=- --directory=/ --files-from="$place/files" | tar --extract --file=- --directory="$place/kept" --same-permissions
  for unit in $units; do
    echo "$unit $(systemctl is-enabled "$unit" 2>/dev/null || :) $(systemctl is-active "$unit" 2>/dev/null || :)"
  done | awk '{ print $1, (NF > 2 ? $2 : "none"), $NF }' >"$place/units"
  for switch in $switches; do
    [ -e "$switch" ] && echo "$switch $(cat "$switch")"
  done >"$place/switches"
  # all of it has to be on the disk before anything is changed
  sync
}

same() {
  [ -f "/$1" ] && cmp -s "$place/kept/$1" "/$1" && [ "$(stat -c '%a %u %g' "$place/kept/$1")" = "$(stat -c '%a %u %g' "/$1")" ]
}

# whether a file whose name begins so has become another, come or gone
differs() {
  { files; cat "$place/files"; } | grep "^$1" | sort -u | while read -r file; do
    same "$file" || echo differs
  done | grep -q differs
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
  files | grep -vxFf "$place/files" | while read -r file; do rm -f "/$file"; done
  while read -r file; do
    same "$file" && continue
    mkdir -p "/${file%/*}"
    # renamed into place, since Traefik reads what it sees; a name that it does not read until then
    cp -a "$place/kept/$file" "/$file.rollback-tmp" && mv -f "/$file.rollback-tmp" "/$file"
  done <"$place/files"
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

state_of() {
  awk -v unit="$1" -v column="$2" '$1 == unit { print $column }' "$place/units"
}

# what is first in this list lets people in again first
restore() {
  [ -e "$place/armed" ] || [ "${1:-}" = again ] || exit 0
  take_lock
  tunnel=; web=
  differs "etc/wireguard/$interface\." && tunnel=changed
  differs "etc/traefik/traefik\|etc/systemd/system/traefik" && web=changed
  [ "$(state_of "wg-quick@$interface.service" 3)" = "$(systemctl is-active "wg-quick@$interface.service")" ] || tunnel=changed
  # down by the files that it came up with
  [ -z "$tunnel" ] || systemctl stop "wg-quick@$interface.service" 2>/dev/null || wg-quick down "$interface" 2>/dev/null
  put_back
  rules
  while read -r switch value; do echo "$value" >"$switch"; done <"$place/switches"
  systemctl daemon-reload
  while read -r unit enabled active; do
    case $enabled in
      enabled) systemctl enable --quiet "$unit" 2>/dev/null ;;
      *) systemctl disable --quiet "$unit" 2>/dev/null ;;
    esac
    case $active in
      active) systemctl start --no-block "$unit" ;;
      *) systemctl stop --no-block "$unit" 2>/dev/null ;;
    esac
  done <"$place/units"
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
  *) echo "usage: rollback keep | restore [again]" >&2; exit 2 ;;
esac
"""


def script(interface: str) -> str:
    """The script for a host with this mesh interface."""
    return _SCRIPT.replace("@DIRECTORY@", DIRECTORY).replace("@INTERFACE@", interface).replace("@UNIT@", UNIT)
