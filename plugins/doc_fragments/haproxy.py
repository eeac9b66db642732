# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options of every module that talks to HAProxy; they mirror haproxy/arguments.py."""

    DOCUMENTATION = r"""
options:
  socket:
    description:
      - HAProxy's master socket, the one of C(haproxy -S). It reaches the current worker and the ones a reload left behind.
    type: path
    default: /run/haproxy-master.sock
  timeout:
    description:
      - Seconds that one question to HAProxy may take. A socket that does not answer is an error, never a zero.
    type: float
    default: 5.0
"""
