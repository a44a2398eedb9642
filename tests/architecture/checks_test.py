# SPDX-License-Identifier: Apache-2.0
"""Tests the checks themselves: each finds a violation that is planted in a small sound tree, and nothing else. Usage: checks_test.py"""
import pathlib
import tempfile
import unittest

import checks
import rules

SPDX = "SPDX-License-Identifier: Apache-2.0"
HEADER = f"// {SPDX}\n// Adds numbers up.\n#pragma once\n"
SOURCE = f'// {SPDX}\n// Implements add.h.\n#include "common/base/add.h"\n'
TEST = f"// {SPDX}\n// Tests that numbers are added up.\n"

SOUND = {
    "common/base/add.h": HEADER,
    "common/base/add.cc": SOURCE,
    "common/CMakeLists.txt": f"# {SPDX}\n",
    "coordinator/store/store.cc": f'// {SPDX}\n// Keeps the sums.\n#include <sqlite3.h>\n\n#include "common/base/add.h"\n',
    "tests/unit/CMakeLists.txt": f"# {SPDX}\nheterosis_test(add_test add_test.cc)\n",
    "tests/unit/add_test.cc": TEST + '#include "common/base/add.h"\n// reads cases.json\n',
    "tests/testdata/cases.json": "[]",
    "tests/integration/CMakeLists.txt": f"# {SPDX}\nforeach(name adds_up)\n",
    "tests/integration/adds_up.py": f'# {SPDX}\n"""Adds up for real."""\n',
    "deploy/run": f"#!/bin/sh\n# {SPDX}\n",
    "deploy/demo/models/base/README.md": "No source of ours.\n",
}


class ChecksTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for path, text in SOUND.items():
            self.write(path, text)

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def expect(self, path, text, *parts):
        """Writing `text` to `path` makes exactly one violation, whose message has all `parts`."""
        self.write(path, text)
        found = checks.violations(self.root)
        self.assertEqual(len(found), 1, found)
        for part in (path + ":", *parts):
            self.assertIn(part, found[0])

    def test_a_sound_tree_has_no_violation(self):
        self.assertEqual(checks.violations(self.root), [])

    def test_an_include_that_the_table_forbids_is_found(self):
        self.expect("common/base/add.cc", SOURCE + '#include "coordinator/store/store.cc"\n', "common/base", "coordinator/store")

    def test_a_subfolder_follows_its_parents_row(self):
        self.expect("coordinator/store/deep/x.cc", f'// {SPDX}\n// Looks too far.\n#include "tests/unit/add_test.cc"\n', ":3:", "coordinator/store")

    def test_one_header_of_a_folder_may_be_allowed_alone(self):
        for name in ("trial_runner", "generator"):
            self.write(f"worker/evaluate/{name}.h", HEADER)
        self.write("worker/session/session.cc", f'// {SPDX}\n// Serves a coordinator.\n#include "worker/evaluate/trial_runner.h"\n')
        self.assertEqual(checks.violations(self.root), [])
        self.expect("worker/session/session.cc", f'// {SPDX}\n// Serves a coordinator.\n#include "worker/evaluate/generator.h"\n', "generator.h")

    def test_the_two_programs_do_not_include_each_other(self):
        self.write("worker/app.h", HEADER)
        self.expect("coordinator/app.cc", f'// {SPDX}\n// Runs it all.\n#include "worker/app.h"\n', "worker/app.h")

    def test_a_folder_without_a_row_is_found(self):
        self.expect("common/magic/wand.h", HEADER, "no row")

    def test_a_library_that_comes_in_by_another_door_is_found(self):
        for header in ("sqlite3.h", "grpcpp/grpcpp.h", "torch/torch.h", "ATen/ops/cat.h", "yaml-cpp/yaml.h", "fasttext/fasttext.h", "spdlog/spdlog.h"):
            with self.subTest(header):
                self.expect("common/base/add.cc", SOURCE + f"#include <{header}>\n", header)

    def test_an_include_that_leads_nowhere_is_found(self):
        self.expect("common/base/add.cc", SOURCE + '#include "add.h"\n', '"add.h"', "root")

    def test_a_header_without_pragma_once_is_found(self):
        self.expect("common/base/add.h", HEADER.replace("#pragma once\n", ""), "#pragma once")

    def test_using_namespace_in_a_header_is_found(self):
        self.expect("common/base/add.h", HEADER + "using namespace std;\n", ":4:", "using namespace")

    def test_a_missing_licence_line_is_found(self):
        for path in ("common/base/add.cc", "common/CMakeLists.txt", "deploy/run", "tests/integration/adds_up.py", "deploy/x.yaml", "cmake/y.cmake"):
            with self.subTest(path):
                before = SOUND.get(path)
                first = "#!/bin/sh\n" if path == "deploy/run" else ""
                self.expect(path, first + (SOURCE.split("\n", 1)[1] if path.endswith(".cc") else "\n"), SPDX)
                self.write(path, before or f"# {SPDX}\n")

    def test_a_missing_sentence_of_purpose_is_found(self):
        self.expect("common/base/add.h", f"// {SPDX}\n#pragma once\n", "sentence")

    def test_a_source_may_point_to_its_header_but_not_to_one_that_is_not_there(self):
        self.expect("common/base/add.cc", SOURCE.replace("add.h.", "sub.h."), "sentence")

    def test_a_long_file_is_found_unless_it_is_listed(self):
        text = HEADER + "\n" * rules.LINES_MAX
        self.expect("common/base/add.h", text, f"{rules.LINES_MAX + 3} lines")
        rules.LONG_FILES["common/base/add.h"] = "for this test"
        self.addCleanup(rules.LONG_FILES.clear)
        self.assertEqual(checks.violations(self.root), [])

    def test_a_test_that_no_target_has_is_found(self):
        self.expect("tests/unit/sub_test.cc", TEST, "never runs")

    def test_a_name_within_another_name_does_not_count_as_named(self):
        self.expect("tests/unit/dd_test.cc", TEST, "never runs")

    def test_a_script_that_ctest_does_not_know_and_nothing_imports_is_found(self):
        self.expect("tests/integration/subtracts.py", f'# {SPDX}\n"""Subtracts for real. Usage: subtracts.py"""\n', "never runs")

    def test_a_script_may_be_imported_by_another(self):
        self.write("tests/support/numbers.py", f'# {SPDX}\n"""Numbers to add up."""\n')
        self.expect("tests/support/letters.py", f'# {SPDX}\n"""Letters, not to add up."""\nimport numbers\n', "never runs")

    def test_a_golden_file_that_nothing_reads_is_found(self):
        self.expect("tests/testdata/forgotten.json", "[]", "no test reads")


class RulesTest(unittest.TestCase):
    """The table itself: no cycles, so that folders really are floors."""

    def test_no_folder_can_reach_itself(self):
        graph = {row: [entry for entry in allowed if entry in rules.INCLUDES] for row, allowed in rules.INCLUDES.items() if "/" in row}

        def reachable(row, seen):
            for following in graph.get(row, []):
                if following not in seen:
                    seen.add(following)
                    reachable(following, seen)
            return seen

        for row in graph:
            self.assertNotIn(row, reachable(row, set()))


if __name__ == "__main__":
    unittest.main()
