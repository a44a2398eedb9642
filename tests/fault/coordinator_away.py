# SPDX-License-Identifier: Apache-2.0
"""The coordinator is killed while a worker decodes. The worker finishes the shard, cannot deliver it, keeps it in its spool, and delivers
it to the coordinator that was started again; or is killed too, and its successor delivers it. Either way the shard is not computed again,
counts once, and the run ends as an undisturbed one. Usage: coordinator_away.py BIN_FOLDER FAULTY_EVALUATION"""
import pathlib
import signal
import stat
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import run  # noqa: E402

BIN, FAULTY = sys.argv[1:3]
ATTEMPTS_PER_EPOCH = 1000  # Scheduler::kAttemptsPerEpoch: an attempt's number tells which start of the coordinator handed it out


def coordinator(config: pathlib.Path, db: pathlib.Path, address: str) -> subprocess.Popen:
    return run.start([f"{BIN}/coordinator", "--config", config, "--db", db, "--listen", address])


def away(config: pathlib.Path, folder: pathlib.Path, expected: dict, how: str) -> None:
    """`how`: what becomes of the worker that holds the result: it lives, is killed (-9), or is stopped in order."""
    folder.mkdir()
    db, spool, gate, address = folder / "run.db", folder / "state" / "spool", folder / "gate", f"127.0.0.1:{run.free_port()}"
    processes = [coordinator(config, db, address)]
    try:
        worker = run.start_worker(BIN, address, "first", "--spool", spool, "--evaluation-program", FAULTY, HETEROSIS_FAULT=f"gate:{gate}")
        processes.append(worker)
        trial, shard = run.shard_at_gate(gate)
        processes[0].kill()
        processes[0].communicate()
        gate.touch()
        run.wait_until(lambda: list(spool.glob("*.result")), "a result in the spool")
        [kept] = spool.glob("*.result")
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600 and stat.S_IMODE(spool.stat().st_mode) == 0o700, kept
        if how != "lives":
            worker.send_signal(signal.SIGKILL if how == "killed" else signal.SIGTERM)
            output, _ = worker.communicate(timeout=120)
            assert worker.returncode == (-signal.SIGKILL if how == "killed" else 0), output
            assert list(spool.glob("*.result")) == [kept], "the result is gone"
            processes.append(run.start_worker(BIN, address, "second", "--spool", spool))
        processes.append(coordinator(config, db, address))
        run.ends_well(processes[-1])
        output = run.ends_well(processes[1] if how == "lives" else processes[2])
        assert how == "lives" or "delivered 1 spooled results, of which 1 count" in output, output
        assert not list(spool.iterdir()), "something is left in the spool"
        [(attempt,)] = run.query(db, "SELECT attempt FROM shards WHERE trial = ? AND shard = ?", trial, shard)
        assert attempt < 2 * ATTEMPTS_PER_EPOCH, f"attempt {attempt}: computed again"
        run.assert_same(expected, run.contents(db), f"the run whose worker {how}")
        print(f"the coordinator killed while a worker decodes, which {how}: its shard was not computed again, the same end")
    finally:
        for process in processes:
            process.kill()
            process.wait()


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        config = run.write_config(folder, generations=1)
        run.run_to_end(BIN, config, folder / "undisturbed.db", 1)
        expected = run.contents(folder / "undisturbed.db")
        for how in ["lives", "killed", "stopped"]:
            away(config, folder / how, expected, how)


if __name__ == "__main__":
    main()
