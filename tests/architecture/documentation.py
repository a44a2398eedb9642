# SPDX-License-Identifier: Apache-2.0
"""What the documentation points to is there: relative links, tests that it names, paths of this repository. Usage: documentation.py
[ROOT]"""
import pathlib
import re
import sys
import tempfile

LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)")
TEST_CASE = re.compile(r"`(\w+Test)\.(\w+|\*)`")
PATH = re.compile(r"`((?:deploy|docs|tests|common|coordinator|worker|proto|cmake)/[\w./-]*[\w/])`")
GENERATED = re.compile(r"^deploy/demo/models/.*\.md$")


def pages(root: pathlib.Path) -> list[pathlib.Path]:
    found = [*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("deploy/**/*.md")]
    return sorted(page for page in found if not GENERATED.match(str(page.relative_to(root))))


def test_cases(root: pathlib.Path) -> set[tuple[str, str]]:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (root / "tests").rglob("*_test.cc"))
    return set(re.findall(r"TEST(?:_[FP])?\((\w+),\s*(\w+)\)", sources))


def problems(root: pathlib.Path) -> list[str]:
    cases = test_cases(root)
    suites = {suite for suite, _ in cases}
    found = []
    for page in pages(root):
        name = page.relative_to(root)
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            where = f"{name}:{number}"
            found += [f"{where}: the link {link} leads nowhere" for link in LINK.findall(line) if not (page.parent / link).exists()]
            found += [f"{where}: there is no test {suite}.{case}" for suite, case in TEST_CASE.findall(line)
                      if (suite, case) not in cases and not (case == "*" and suite in suites)]
            found += [f"{where}: there is no {path}" for path in PATH.findall(line) if not (root / path).exists()]
    return found


def find_planted_problems() -> None:
    """The check can fail: one planted dead link, missing test and missing path, each found; their sound counterparts are not."""
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        (root / "docs").mkdir()
        (root / "tests").mkdir()
        (root / "tests/a_test.cc").write_text("TEST(AddTest, Adds) {}\n")
        (root / "docs/a.md").write_text("[b](b.md#top) `SubTest.Subtracts` `AddTest.Fails` `tests/b_test.cc`\n")
        (root / "README.md").write_text("[a](docs/a.md) [web](https://a.b) `AddTest.Adds` `AddTest.*` `tests/a_test.cc`\n")
        assert len(problems(root)) == 4, problems(root)
        assert all(problem.startswith("docs/a.md:1:") for problem in problems(root)), problems(root)


def main() -> int:
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    find_planted_problems()
    found = problems(root)
    print("\n".join([*found, f"{len(pages(root))} pages, {len(found)} problems"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
