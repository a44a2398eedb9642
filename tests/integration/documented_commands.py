# SPDX-License-Identifier: Apache-2.0
"""docs/cli.md has every command and option that `--help` prints, and no other; commands that the page shows have no unknown option.
Usage: documented_commands.py BIN_FOLDER"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
EVERYWHERE = {"--help"}


def help_of(program: str, *command: str) -> str:
    result = subprocess.run([f"{sys.argv[1]}/{program}", *command, "--help"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def commands_of(help_text: str) -> list[str]:
    listing = help_text.split("Subcommands:")[1] if "Subcommands:" in help_text else ""
    return re.findall(r"^  (\w+) ", listing, flags=re.MULTILINE)


def known_options() -> dict[str, set[str]]:
    """Per "program" and "program command" its options; a program's own options may follow each of its commands."""
    known = {}
    for program in ("coordinator", "worker"):
        text = help_of(program)
        known[program] = set(OPTION.findall(text))
        for command in commands_of(text):
            known[f"{program} {command}"] = set(OPTION.findall(help_of(program, command)))
    return known


def check_page(known: dict[str, set[str]], page: str) -> None:
    documented = set(OPTION.findall(page)) | EVERYWHERE
    for command, options in known.items():
        assert re.search(rf"^### `{command}[ `]", page, flags=re.MULTILINE), f"`{command}` has no heading in docs/cli.md"
        assert options <= documented, f"options of `{command}` that docs/cli.md lacks: {options - documented}"
    everything = set().union(*known.values()) | EVERYWHERE
    assert documented <= everything, f"docs/cli.md has options that no command knows: {documented - everything}"


def check_shown_commands(known: dict[str, set[str]], path: pathlib.Path) -> int:
    """The command lines in the page's ```sh blocks."""
    count = 0
    for block in re.findall(r"```sh\n(.*?)```", path.read_text(encoding="utf-8"), flags=re.DOTALL):
        for line in block.splitlines():
            words = re.split(r"\s#|\s&|>", line)[0].split()
            words = words[1:] if words[:1] == ["time"] else words
            if not words or words[0] not in ("coordinator", "worker"):
                continue
            program, command = words[0], " ".join(words[:2])
            allowed = known[program] | known.get(command, set())
            assert command in known or words[1].startswith("-"), f"{path}: no such command: {line}"
            unknown = set(OPTION.findall(" ".join(words))) - allowed
            assert not unknown, f"{path}: {unknown} in: {line}"
            count += 1
    return count


def main() -> None:
    known = known_options()
    assert len(known) >= 9, known.keys()
    check_page(known, (ROOT / "docs/cli.md").read_text(encoding="utf-8"))
    shown = [check_shown_commands(known, ROOT / page) for page in ("README.md", "docs/getting-started.md")]
    assert all(count >= 5 for count in shown), shown
    print(f"{len(known)} commands are documented, {sum(shown)} shown command lines are sound")


if __name__ == "__main__":
    main()
