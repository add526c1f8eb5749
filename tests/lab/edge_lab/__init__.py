# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds and runs the lab: systemd hosts in containers, in namespaces that lead nowhere."""
