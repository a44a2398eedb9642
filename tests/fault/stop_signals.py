# SPDX-License-Identifier: Apache-2.0
"""SIGTERM ends a run in order with exit status 0 and everything on disk, a second one at once; the same command then goes on to the
result of an undisturbed run. Usage: stop_signals.py BIN_FOLDER"""
import pathlib
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import run  # noqa: E402


def wait_for_results(db: pathlib.Path, wanted: int) -> None:
    """Until the run has that many answers, so that the signal comes in its midst."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if len(run.contents(db)["results"]) >= wanted:
                return
        except run.sqlite3.OperationalError:
            pass  # not yet created
        time.sleep(0.02)
    raise AssertionError(f"not {wanted} answers after a minute")


def running(pids: list[int]) -> list[int]:
    return [pid for pid in pids if pathlib.Path(f"/proc/{pid}").exists()]


def stop(bin_folder: str, config: pathlib.Path, db: pathlib.Path, answers: int, signals: int) -> tuple[int, float, str, list[int]]:
    """(exit status, seconds from the last signal to the end, output, workers that ran before)."""
    process = run.start_coordinator(bin_folder, config, db, 2)
    wait_for_results(db, answers)
    workers = run.children(process.pid)
    for _ in range(signals):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.05 if signals > 1 else 0)
    start = time.monotonic()
    output, _ = process.communicate(timeout=30)
    return process.returncode, time.monotonic() - start, output, workers


def main() -> None:
    bin_folder = sys.argv[1]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        config = run.write_config(folder)
        run.run_to_end(bin_folder, config, folder / "undisturbed.db", 2)
        expected = run.contents(folder / "undisturbed.db")

        db = folder / "stopped.db"
        status, seconds, output, workers = stop(bin_folder, config, db, answers=150, signals=1)
        assert status == 0, f"exit status {status} after SIGTERM:\n{output}"
        assert "goes on from there" in output, output
        answers = len(run.contents(db)["results"])
        assert 150 <= answers < len(expected["results"]), answers
        assert len(workers) == 2, workers
        assert not running(workers), "workers outlived the coordinator"
        print(f"SIGTERM: exit 0 after {seconds:.2f} s with {answers} answers on disk")

        status, seconds, output, _ = stop(bin_folder, config, db, answers=answers + 100, signals=2)
        # The first signal may be obeyed before the second one comes.
        assert status in (0, 130), f"exit status {status} after two signals:\n{output}"
        print(f"two signals: exit {status} after {seconds:.2f} s")

        run.run_to_end(bin_folder, config, db, 2)
        run.assert_same(expected, run.contents(db), "the run that was stopped twice")
        print("the same database as an undisturbed run")


if __name__ == "__main__":
    main()
