# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove what a killed run leaves: the test lab, and Molecule's belief that it stands."""

from __future__ import annotations

import os
import shutil
import sys

from tests.lab.containers import Lab
from tests.lab.settings import LabError

if __name__ == "__main__":
    shutil.rmtree(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], ignore_errors=True)
    try:
        Lab.from_env().down()
    except LabError as error:
        sys.exit(f"lab: {error}")
