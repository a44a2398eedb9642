# SPDX-License-Identifier: Apache-2.0
"""Every SQL query of docs/database.md runs on a real finished database and gives rows with the columns that the page names; every
table and view is on the page; the picture of the README can be drawn. Usage: documented_sql.py BIN_FOLDER"""
import pathlib
import re
import sqlite3
import subprocess
import sys
import tempfile
import xml.dom.minidom

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import run  # noqa: E402

PAGE = run.ROOT / "docs" / "database.md"
MAY_BE_EMPTY = "-- may give no rows"


def documented_queries(page: str) -> list[str]:
    blocks = re.findall(r"```sql\n(.*?)```", page, flags=re.DOTALL)
    return [query.strip() for block in blocks for query in block.split(";") if query.strip()]


def check_queries(connection: sqlite3.Connection, page: str) -> int:
    queries = documented_queries(page)
    assert len(queries) >= 8, f"only {len(queries)} queries in {PAGE}"
    for query in queries:
        try:
            rows = connection.execute(query).fetchall()
        except sqlite3.Error as error:
            raise AssertionError(f"{error} in the documented query:\n{query}") from error
        assert rows or MAY_BE_EMPTY in query, f"no rows from the documented query:\n{query}"
    return len(queries)


def check_tables(connection: sqlite3.Connection, page: str) -> int:
    """The page has a heading `name` for each table and view, with a row for each of its columns but `checksum`, which all tables have."""
    assert "each table also has a column `checksum`" in page.lower(), f"{PAGE} does not tell of the checksums"
    names = connection.execute("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'").fetchall()
    sections = dict(re.findall(r"^### `(\w+)`.*?\n(.*?)(?=^##|\Z)", page, flags=re.DOTALL | re.MULTILINE))
    for (name,) in names:
        assert name in sections, f"{name} has no section in {PAGE}"
        for column in connection.execute(f"SELECT name FROM pragma_table_info('{name}') WHERE name <> 'checksum'").fetchall():
            assert f"`{column[0]}`" in sections[name], f"the column {name}.{column[0]} is not in {PAGE}"
    stale = set(sections) - {name for (name,) in names}
    assert not stale, f"{PAGE} documents what is not there: {stale}"
    return len(names)


def check_picture(db: pathlib.Path, out: pathlib.Path) -> None:
    subprocess.run([sys.executable, str(run.ROOT / "docs/images/plot_progress.py"), str(db), str(out)], check=True)
    document = xml.dom.minidom.parse(str(out))
    assert len(document.getElementsByTagName("polyline")) == 2, "one phase: the best and the mean"
    bars = document.getElementsByTagName("rect")
    assert len(bars) >= 1 + 2 + 1, "a background, two parents and a winner at least"


def main() -> None:
    bin_folder = sys.argv[1]
    page = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        db = folder / "run.db"
        run.run_to_end(bin_folder, run.write_config(folder, generations=2), db, 2)
        connection = sqlite3.connect(f"file:{db}?mode=ro", uri=True)
        try:
            queries, tables = check_queries(connection, page), check_tables(connection, page)
        finally:
            connection.close()
        check_picture(db, folder / "picture.svg")
    print(f"{queries} queries run, {tables} tables and views are documented")


if __name__ == "__main__":
    main()
