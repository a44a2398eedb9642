# SPDX-License-Identifier: Apache-2.0
"""The checks of the source tree; each takes the root of a checkout and yields its violations as "file:line: what is wrong"."""
import os
import pathlib
import re

import rules

CODE = {".h", ".cc"}
SOURCES = {".h", ".cc", ".py", ".proto", ".sh"}  # what LINES_MAX holds for
OPENED = {*SOURCES, ".cmake", ".yaml", ".yml"}   # what opens with an SPDX line; CMakeLists.txt and scripts too
SPDX = "SPDX-License-Identifier: Apache-2.0"
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^">]+)[">]')


def files(root: pathlib.Path) -> list[str]:
    """All files of ours below the root's folders, and those in the root itself, as relative paths."""
    found = [entry.name for entry in root.iterdir() if entry.is_file()]
    for top in rules.TOP_FOLDERS:
        for folder, subfolders, names in os.walk(root / top):
            subfolders[:] = sorted(set(subfolders) - rules.SKIPPED_FOLDERS)
            found += [str((pathlib.Path(folder) / name).relative_to(root)) for name in names]
    return sorted(found)


def lines_of(root: pathlib.Path, path: str) -> list[str]:
    return (root / path).read_text(encoding="utf-8").splitlines()


def is_code(path: str) -> bool:
    return pathlib.PurePath(path).suffix in CODE


def is_production(path: str) -> bool:
    return path.startswith(("proto/", "common/", "coordinator/", "worker/"))


def is_script(root: pathlib.Path, path: str) -> bool:
    if pathlib.PurePath(path).suffix:
        return False
    with open(root / path, "rb") as file:
        return file.read(2) == b"#!"


def includes(root: pathlib.Path, path: str):
    for number, line in enumerate(lines_of(root, path), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1), '"' in line


def within(name: str, places: list[str]) -> bool:
    """Whether `name` is one of the places or stands in one of the folders among them."""
    return any(name == place or name.startswith(place + "/") for place in places)


def row_of(path: str) -> str | None:
    """The folder of rules.INCLUDES that a file belongs to. The programs' own rows count for the files directly in them only."""
    folder = str(pathlib.PurePosixPath(path).parent)
    if folder in rules.INCLUDES:
        return folder
    for parent in map(str, pathlib.PurePosixPath(folder).parents):
        if parent in rules.INCLUDES and parent not in ("coordinator", "worker"):
            return parent
    return None


def group_of(included: str) -> str:
    """The name by which a row allows a header: generated ones have none of their own."""
    if included in ("heterosis/v1/experiment.pb.h", "heterosis/v1/options.pb.h"):
        return "schema"
    return "protocol" if included.startswith("heterosis/v1/") else included


def check_include_table(root: pathlib.Path):
    for path in filter(is_code, files(root)):
        if not is_production(path):
            continue
        row = row_of(path)
        if row is None:
            yield f"{path}:1: its folder has no row in tests/architecture/rules.py (INCLUDES); add one"
            continue
        own = [] if row in ("coordinator", "worker") else [row]
        for number, included, _ in includes(root, path):
            if not included.startswith((*(top + "/" for top in rules.TOP_FOLDERS), "heterosis/v1/")):
                continue
            if not within(group_of(included), [*own, "common/base", *rules.INCLUDES[row]]):
                allowed = ", ".join(["common/base", *rules.INCLUDES[row]])
                yield f"{path}:{number}: {row} must not include {included} (it may include: {allowed})"


def check_doors(root: pathlib.Path):
    for path in filter(is_code, files(root)):
        for number, included, _ in includes(root, path):
            for header, places in rules.DOORS.items():
                if included.startswith(header) and is_production(path) and not within(path, places):
                    yield f"{path}:{number}: {included} may be included only in {', '.join(places) or 'no file at all'}"


def check_quoted_includes_exist(root: pathlib.Path):
    for path in filter(is_code, files(root)):
        for number, included, quoted in includes(root, path):
            if quoted and not included.startswith(rules.THIRD_PARTY_QUOTED) and not (root / included).is_file():
                yield f'{path}:{number}: "{included}" is no file of ours; includes start at the root of the repository'


def check_headers(root: pathlib.Path):
    for path in files(root):
        if not path.endswith(".h"):
            continue
        lines = lines_of(root, path)
        if "#pragma once" not in lines:
            yield f"{path}:1: #pragma once is missing"
        for number, line in enumerate(lines, 1):
            if re.match(r"\s*using namespace ", line):
                yield f"{path}:{number}: a header must not say `using namespace`"
            if re.match(r"\s*#\s*include\s*<(iostream|regex)>", line):
                yield f"{path}:{number}: a header must not include what makes all its users slow to start or to compile"


def opening_comment(lines: list[str], mark: str) -> str:
    """The text of the comment that begins at the first of `lines`."""
    text = []
    for line in lines:
        if not line.startswith(mark):
            break
        text.append(line[len(mark):].strip())
    return " ".join(text)


def docstring(lines: list[str]) -> str:
    return "\n".join(lines).split('"""')[1] if lines and lines[0].startswith('"""') else ""


def says_purpose(root: pathlib.Path, path: str, text: str) -> bool:
    """A sentence, or the name of the header (beside the file) that has it."""
    implements = re.match(r"Implements ([\w./]+\.h)\b", text)
    if implements:
        name = implements.group(1)
        return ((root / path).parent / name).is_file() or (root / name).is_file()
    return len(text.split()) >= 3 and "." in text


def check_openings(root: pathlib.Path):
    for path in files(root):
        suffix = pathlib.PurePath(path).suffix
        if suffix not in OPENED and not path.endswith("CMakeLists.txt") and not is_script(root, path):
            continue
        lines = lines_of(root, path)
        place = next((i for i, line in enumerate(lines[:2]) if SPDX in line), None)
        if place is None:
            yield f"{path}:1: the first lines lack `{SPDX}`"
            continue
        if suffix not in {".h", ".cc", ".py", ".proto"}:
            continue
        rest = lines[place + 1:]
        purpose = docstring(rest) or opening_comment(rest, "//" if suffix != ".py" else "#")
        if not says_purpose(root, path, purpose):
            yield f"{path}:{place + 2}: a sentence that says what the file is for must follow the SPDX line"


def check_lengths(root: pathlib.Path):
    for path in files(root):
        if pathlib.PurePath(path).suffix not in SOURCES or path in rules.LONG_FILES:
            continue
        count = len(lines_of(root, path))
        if count > rules.LINES_MAX:
            yield f"{path}:{rules.LINES_MAX + 1}: {count} lines, at most {rules.LINES_MAX} are allowed: split it by its jobs"


def check_tests_are_built(root: pathlib.Path):
    for path in files(root):
        if not path.endswith("_test.cc"):
            continue
        parents = [parent for parent in (root / path).parents if parent != root and root in parent.parents]
        lists = [parent / "CMakeLists.txt" for parent in parents]
        name = pathlib.PurePath(path).name
        if not any(re.search(rf"(?<![\w-]){re.escape(name)}\b", file.read_text()) for file in lists if file.is_file()):
            yield f"{path}:1: no CMakeLists.txt names this test, so it never runs"


def check_python_scripts_are_used(root: pathlib.Path):
    """A script of the tests is named by a CMakeLists.txt, imported by another script, or run by a test."""
    paths = [path for path in files(root) if path.startswith("tests/")]
    texts = {path: (root / path).read_text(encoding="utf-8") for path in paths if path.endswith((".py", ".cc", "CMakeLists.txt"))}
    for path in paths:
        name = pathlib.PurePath(path).stem
        if not path.endswith(".py"):
            continue
        listed = re.compile(rf"(?<![\w.]){re.escape(name)}(?![\w.])|(?<!\w){re.escape(name)}\.py\b")
        imported = re.compile(rf"^import {re.escape(name)}\b", flags=re.MULTILINE)
        run = re.compile(rf"(?<!\w){re.escape(name)}\.py\b")

        def uses(other: str, text: str) -> bool:
            if other.endswith("CMakeLists.txt"):
                return bool(listed.search(text))
            return other != path and bool(imported.search(text) or run.search(text))

        if not any(uses(other, text) for other, text in texts.items()):
            yield f"{path}:1: no CMakeLists.txt names this script and no test uses it, so it never runs"


def check_golden_files_are_read(root: pathlib.Path):
    paths = files(root)
    texts = [(root / path).read_text(encoding="utf-8") for path in paths if path.startswith("tests/") and path.endswith((".cc", ".h", ".py"))]
    for path in paths:
        if not path.startswith("tests/testdata/"):
            continue
        name, folder = pathlib.PurePath(path).name, str(pathlib.PurePath(path).parent)
        if not any(name in text or f'"{folder}"' in text for text in texts):
            yield f"{path}:1: no test reads this file"


ALL = [value for name, value in sorted(globals().items()) if name.startswith("check_")]


def violations(root: pathlib.Path) -> list[str]:
    return [violation for check in ALL for violation in check(root)]
