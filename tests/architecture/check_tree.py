# SPDX-License-Identifier: Apache-2.0
"""Checks the source tree against its rules and prints every violation. Usage: check_tree.py [ROOT]"""
import pathlib
import sys

import checks


def main() -> int:
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
    root = root if root.is_dir() else root.parents[2]
    found = checks.violations(root)
    for violation in found:
        print(violation)
    print(f"{len(checks.files(root))} files, {len(checks.ALL)} checks, {len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
