# SPDX-License-Identifier: Apache-2.0
"""Compares docs/config.md with the config schema: every key and every value of an enum has a row in the table of its message, with
its default; no row is left over. Usage: config_keys.py [ROOT]"""
import pathlib
import re
import sys

FIELD = re.compile(r"^\s*(?:optional|repeated)\s+(\w+)\s+(\w+)\s*=\s*\d+(.*)$")


def schema(text: str):
    """Per message its fields as (name, type, default or None), and per message's enum its values, in lower case."""
    messages, enums, stack = {}, {}, []
    for line in text.splitlines():
        line = line.split("//")[0]
        opened = re.match(r"\s*message (\w+) \{", line)
        enum = re.match(r"\s*enum (\w+) \{(.*)\}", line)
        field = FIELD.match(line)
        if opened:
            stack.append(opened.group(1))
            messages[stack[-1]] = []
        elif enum:
            enums[stack[-1], enum.group(1)] = [value.lower() for value in re.findall(r"(\w+)\s*=", enum.group(2))]
        elif field:
            default = re.search(r'default = "?([^,"\]]+)', field.group(3))
            messages[stack[-1]].append((field.group(2), field.group(1), default and default.group(1)))
        elif line.strip() == "}" and stack:
            stack.pop()
    return messages, enums


def tables(text: str):
    """Per message (the heading "## `key` ... <!-- Message -->") the rows of its table: key -> row."""
    found, message = {}, None
    for line in text.splitlines():
        heading = re.match(r"##+ .*<!-- (\w+) -->", line)
        row = re.match(r"\| `(\w+)` \|(.*)\|$", line)
        if heading:
            message = heading.group(1)
            found[message] = {}
        elif row and message:
            found[message][row.group(1)] = row.group(2)
    return found


def differences(proto: str, docs: str) -> list[str]:
    messages, enums = schema(proto)
    documented = tables(docs)
    wrong = []
    for message, fields in messages.items():
        rows = documented.get(message, {})
        names = [name for name, _, _ in fields]
        wrong += [f"{message}.{name}: documented, but not in the schema" for name in rows if name not in names]
        for name, kind, default in fields:
            if name not in rows:
                wrong.append(f"{message}.{name}: not documented (a row | `{name}` | ... below the heading of {message})")
                continue
            for value in enums.get((message, kind), []):
                if f"`{value}`" not in rows[name]:
                    wrong.append(f"{message}.{name}: the value `{value}` is not in its row")
            if default is not None and default.lower() not in rows[name]:
                wrong.append(f"{message}.{name}: its default {default.lower()} is not in its row")
    wrong += [f"{message}: documented, but not in the schema" for message in documented if message not in messages]
    return wrong


def find_planted_differences() -> None:
    """The comparison itself can fail: a forgotten key, a changed default, a new value and a stale row are all found."""
    proto = "message Shop {\n  enum Kind { SMALL = 0; LARGE = 1; }\n  optional int32 rooms = 1 [default = 3];\n  optional Kind kind = 2 [default = SMALL];\n}\n"
    docs = "## `shop` <!-- Shop -->\n| `rooms` | number | 3 |\n| `kind` | `small` or `large` | small |\n"
    assert not differences(proto, docs), differences(proto, docs)
    for old, new in (("| `rooms` | number | 3 |\n", ""), ("| 3 |", "| 4 |"), (" or `large`", ""), ("`kind`", "`sort`")):
        assert differences(proto, docs.replace(old, new)), (old, new)


def main() -> int:
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    find_planted_differences()
    proto = (root / "proto/heterosis/v1/experiment.proto").read_text(encoding="utf-8")
    docs = (root / "docs/config.md").read_text(encoding="utf-8")
    wrong = differences(proto, docs)
    for line in wrong:
        print(f"docs/config.md: {line}")
    count = sum(len(fields) for fields in schema(proto)[0].values())
    print(f"{count} keys, {len(wrong)} differences")
    return 1 if wrong or count < 50 else 0


if __name__ == "__main__":
    sys.exit(main())
