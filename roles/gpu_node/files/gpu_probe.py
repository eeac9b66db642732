# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The GPU probe's program: gpu_probe.py --help tells how it is used."""

import sys

from steadfast_platform.gpu.probe import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
