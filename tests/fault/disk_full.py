# SPDX-License-Identifier: Apache-2.0
"""A real disk that is full: the database on a small tmpfs. The coordinator pauses with one line, goes on with one line when the disk has
grown, and ends with the database of an undisturbed run; so does one that another program keeps from writing. What the coordinator leaves
beside the database is for its owner only, and a killed coordinator's lock is free at once. Usage: disk_full.py BIN_FOLDER"""
import contextlib
import os
import pathlib
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import fake_run  # noqa: E402
import run  # noqa: E402

BIN = sys.argv[1]
PAUSED, AGAIN = "nothing can be written, work is paused", "writing works again"


@contextlib.contextmanager
def small_disk(folder: pathlib.Path):
    """A tmpfs in `folder`, or None where this user may not mount one."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)], capture_output=True).returncode == 0
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def wait_until(what: str, condition) -> None:
    end = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < end, f"not within 300 s: {what}"
        time.sleep(0.05)


def results(db: pathlib.Path) -> int:
    try:
        return len(run.contents(db)["results"])
    except sqlite3.OperationalError:
        return 0  # not yet created


def full_disk(config: pathlib.Path, disk: pathlib.Path, expected: dict) -> None:
    db, ballast = disk / "run.db", disk / "ballast"
    # The log is beside the database, and must not fill up with it: what it says is what is looked at.
    log = config.with_name("full.log")
    os.symlink(log, f"{db}.log")
    process = fake_run.start(BIN, config, db, delay_ms=100)
    try:
        wait_until("some results", lambda: results(db) >= 4)
        with open(ballast, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1024))
        wait_until("a pause", lambda: PAUSED in log.read_text())
        acknowledged = results(db)
        time.sleep(3)  # for a flood of messages to show itself
        assert results(db) == acknowledged and process.poll() is None, fake_run.log_of(db)
        ballast.unlink()
        assert process.wait(timeout=600) == 0, fake_run.log_of(db)
        text = log.read_text()
        assert text.count(PAUSED) == 1 and text.count(AGAIN) == 1, text
        assert text.count("disk is full") == 1, text
        run.assert_same(expected, run.contents(db), "the run on a full disk")
        print(f"disk full with {acknowledged} answers: one line, then the same database as an undisturbed run")
    finally:
        process.kill()
        process.wait()


def locked_database(config: pathlib.Path, db: pathlib.Path, expected: dict) -> None:
    process = fake_run.start(BIN, config, db, delay_ms=100)
    try:
        wait_until("some results", lambda: results(db) >= 4)
        other = sqlite3.connect(db, isolation_level=None, timeout=60)
        other.execute("BEGIN IMMEDIATE")
        wait_until("a pause", lambda: PAUSED in fake_run.log_of(db))
        other.execute("ROLLBACK")
        other.close()
        assert process.wait(timeout=600) == 0, fake_run.log_of(db)
        text = fake_run.log_of(db)
        assert text.count(PAUSED) == 1 and text.count(AGAIN) == 1 and "database is locked" in text, text
        run.assert_same(expected, run.contents(db), "the run with a locked database")
        print("another program's lock: one line, then the same database")
    finally:
        process.kill()
        process.wait()


def private_files_and_the_lock(config: pathlib.Path, folder: pathlib.Path, expected: dict) -> None:
    db = folder / "run.db"
    folder.mkdir()
    process = fake_run.start(BIN, config, db, delay_ms=3000)  # it must last while the second one waits for the lock
    wait_until("some results", lambda: results(db) >= 4)
    second = fake_run.start(BIN, config, db)
    assert second.wait(timeout=60) == 2, fake_run.log_of(db)
    assert "another coordinator is running on this database" in fake_run.log_of(db)
    beside = sorted(path.name for path in folder.iterdir() if not path.name.endswith("run.db.log"))  # the test's own
    assert {"run.db", "run.db-shm", "run.db-wal", "run.db.lock", "run.db.worker-0.log"} <= set(beside), beside
    for name in beside:
        mode = stat.S_IMODE((folder / name).stat().st_mode)
        assert mode == 0o600, f"{name} has mode {mode:o}"
    process.send_signal(signal.SIGKILL)
    process.wait()
    third = fake_run.start(BIN, config, db)  # at once: the kernel has freed the lock, workers do not hold it
    assert third.wait(timeout=600) == 0, fake_run.log_of(db)
    run.assert_same(expected, run.contents(db), "the run that was killed")
    for command in (["export", "--trial", "3", "--format", "recipe", "--out", str(folder / "recipe.json")],):
        subprocess.run([f"{BIN}/coordinator", *command, "--db", str(db)], check=True)
    assert stat.S_IMODE((folder / "recipe.json").stat().st_mode) == 0o600
    print(f"0600: {', '.join(beside)}, recipe.json; the lock of a killed coordinator is free at once")


def main() -> None:
    os.umask(0)  # whatever the user's is
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        config = fake_run.write_inputs(folder)
        expected = fake_run.undisturbed(BIN, config, folder / "undisturbed.db")
        locked_database(config, folder / "locked.db", expected)
        private_files_and_the_lock(config, folder / "private", expected)
        with small_disk(folder / "disk") as disk:
            if disk is None:
                print("skipped: no right to mount a tmpfs; disk_test (unit) tries the same with a VFS that fails")
            else:
                full_disk(config, disk, expected)


if __name__ == "__main__":
    main()
