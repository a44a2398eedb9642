# SPDX-License-Identifier: Apache-2.0
"""The winner of a search, written by `worker merge`, gives in transformers the very answers that the database has for the sealed
test set; `best --format json` keeps its contract. Usage: export_loads_in_transformers.py BIN_FOLDER"""
import pathlib
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import run  # noqa: E402

import torch  # noqa: E402
import transformers  # noqa: E402


def check_contract(document: dict) -> dict:
    assert document["state"] == "done", document["state"]
    assert [parent["name"] for parent in document["parents"]] == ["ja", "math"], document["parents"]
    for parent in document["parents"]:
        assert all(0 <= parent[split] <= 1 for split in ("search", "validation", "test")), parent
    chosen = [row for row in document["genomes"] if row["chosen"]]
    assert len(chosen) == 1 and document["genomes"][0] is chosen[0], "the chosen genome comes first"
    wanted = {"trial", "phase", "generation", "fitness", "search", "validation", "test", "chosen", "genome", "recipe"}
    assert wanted <= chosen[0].keys(), wanted - chosen[0].keys()
    unsealed = {row["trial"] for row in document["genomes"] if row["test"] is not None}
    allowed = {chosen[0]["trial"], *(row["trial"] for row in document["baselines"])}
    assert unsealed == allowed, f"the test set was opened for trials {unsealed}, it should have been for {allowed}"
    return chosen[0]


def test_answers(db: pathlib.Path) -> list[tuple[str, str, int]]:
    query = """SELECT p.question, r.text, r.new_tokens FROM trials t JOIN genomes g ON g.genome = t.genome AND g.chosen = 1
               JOIN results r ON r.trial = t.trial JOIN problems p ON p.split = 'test' AND p.sample = r.sample
               WHERE t.split = 'test' ORDER BY r.sample"""
    connection = sqlite3.connect(db)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def generate(model, tokenizer, prompt: str, limit: int) -> str:
    inputs = tokenizer(prompt, return_tensors="pt")
    output = model.generate(**inputs, max_new_tokens=limit, do_sample=False)
    return tokenizer.decode(output[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True)


def main() -> None:
    bin_folder = sys.argv[1]
    torch.set_num_threads(1)
    template = run.demo_prompt().replace("\\n", "\n")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        run.run_to_end(bin_folder, run.write_config(folder, generations=3), folder / "run.db", 2)
        chosen = check_contract(run.best(bin_folder, folder / "run.db"))
        out = folder / "winner"
        subprocess.run([f"{bin_folder}/worker", "merge", "--db", str(folder / "run.db"), "--trial", str(chosen["trial"]), "--out", str(out)],
                       check=True, env=run.environment())
        model = transformers.AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32)
        tokenizer = transformers.AutoTokenizer.from_pretrained(out)
        answers = test_answers(folder / "run.db")
        assert len(answers) == 40, len(answers)
        for question, text, new_tokens in answers:
            reference = generate(model, tokenizer, template.replace("{input}", question), new_tokens)
            assert reference.strip() == text.strip(), f"{question}\n  transformers {reference!r}\n  database     {text!r}"
        print(f"transformers gives the same {len(answers)} answers; test score {chosen['test']:.3f}")


if __name__ == "__main__":
    main()
