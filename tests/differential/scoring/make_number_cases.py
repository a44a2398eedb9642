# SPDX-License-Identifier: Apache-2.0
"""Prints what Python reads from many texts as the paper's authors do, and its decimal digits, as JSON.

Usage: make_number_cases.py RANDOM_TEXTS [ANSWERS.json]; the second is data/samples/gpt3.result.mgsm.json.
"""
import json
import random
import re
import sys
import unicodedata

NUMBER = re.compile(r"\d*\.?\d+")
ALPHABET = list("0123456789") * 2 + list("....,,-+^ \n%$xe_") + list("０１９．，−－٣۴१๕𝟎𝟗𝟘²½Ⅳ③〇五百個円です。・")


def case(text: str) -> dict:
    """The last number as float.hex writes it (an infinity too: "inf"), or null where there is none."""
    numbers = NUMBER.findall(text)
    return {"text": text, "value": float(numbers[-1].replace(",", "")).hex() if numbers else None}


def decimal_digits() -> list:
    return [[code, unicodedata.decimal(chr(code))] for code in range(sys.maxunicode + 1) if chr(code).isdecimal()]


def unassigned() -> list:
    """Ranges [first, last] without a character in this Python's Unicode; a newer version may have digits there."""
    ranges = []
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code)) != "Cn":
            continue
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return ranges


def main() -> None:
    stream = random.Random(20260611)
    texts = ["".join(stream.choices(ALPHABET, k=stream.randint(0, 14))) for _ in range(int(sys.argv[1]))]
    texts += ["9" * 308, "9" * 309, "0." + "0" * 322 + "5", "1." + "0123456789" * 100, "5" * 5000]
    if len(sys.argv) > 2:
        with open(sys.argv[2], encoding="utf-8") as file:
            details = json.load(file)["results"]["mgsm-1.0-0.0"]["details"]
        texts += [detail["completion"] for detail in details]
        texts += [detail["question"] for detail in details]
    result = {"cases": [case(text) for text in texts], "digits": decimal_digits(), "unassigned": unassigned()}
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
