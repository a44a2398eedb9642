# SPDX-License-Identifier: Apache-2.0
"""Word problems about counted things, of one step or two, each in Japanese and in English, with operands held out for testing."""

import dataclasses
import hashlib
import random

LANGUAGES = ("ja", "en")
ONE_STEP = ("+", "-")
TWO_STEPS = ("++", "+-")
LIMIT = 99  # of every number

# Digits of the first two operands; a third has as many as the shorter of them.
SMALL = ((1, 1),)
MIXED = ((1, 1), (1, 2), (2, 1))
LARGE = ((2, 2),)
ANY = SMALL + MIXED[1:] + LARGE * 3
TRAINING = "training"
HELD_OUT_SHARE = 0.12  # of the operand pairs of two digits; no training text ever contains them
SPLITS = (("search", 0.35), ("validation", 0.25), ("test", 0.40))  # shares of the held-out pairs; no two splits share a pair

NAMES = (("蓮", "Ren"), ("葵", "Aoi"), ("湊", "Minato"), ("結衣", "Yui"), ("大和", "Yamato"), ("陽菜", "Hina"))

# The thing, its Japanese counter, and its English plural.
THINGS = (
    ("桃", "個", "peaches"),
    ("団子", "個", "dumplings"),
    ("石", "個", "stones"),
    ("絵本", "冊", "storybooks"),
    ("手帳", "冊", "diaries"),
    ("筆", "本", "brushes"),
    ("傘", "本", "umbrellas"),
    ("皿", "枚", "dishes"),
    ("写真", "枚", "photos"),
    ("葉書", "枚", "postcards"),
    ("金魚", "匹", "goldfish"),
    ("自転車", "台", "bicycles"),
)

# Per operation, pairs that tell the same story: {p} and {q} are people, {t} the thing, {c} its counter, {x}, {y} and {z} the operands.
STORIES = {
    "+": (
        ("{x}{c}の{t}を持つ{p}に、{q}が{y}{c}渡しました。{p}の{t}は何{c}になりましたか。",
         "{q} hands {y} {t} to {p}, who already had {x}. How many {t} has {p} got now?"),
        ("棚に{t}が{x}{c}並んでいます。{p}は{y}{c}追加しました。今、棚には何{c}ありますか。",
         "A shelf holds {x} {t}. {p} adds {y}. How many {t} are on the shelf?"),
        ("{p}は朝に{t}を{x}{c}、夜に{y}{c}見つけました。一日で何{c}見つけましたか。",
         "{p} finds {x} {t} in the morning and {y} at night. How many in the whole day?"),
        ("{p}の{t}は{x}{c}、{q}の{t}は{y}{c}です。二人の分を足すと何{c}ですか。",
         "{p} owns {x} {t} and {q} owns {y}. How many {t} do the two own?"),
    ),
    "-": (
        ("{p}は{t}を{x}{c}持っていましたが、{q}に{y}{c}渡しました。{p}には何{c}残りますか。",
         "{p} had {x} {t} and handed {y} to {q}. How many {t} does {p} keep?"),
        ("棚に{t}が{x}{c}並んでいます。{p}は{y}{c}取り出しました。棚には何{c}残りますか。",
         "A shelf holds {x} {t}. {p} takes out {y}. How many {t} stay on the shelf?"),
        ("{p}は{t}を{x}{c}用意し、そのうち{y}{c}が売れました。売れ残りは何{c}ですか。",
         "{p} brought {x} {t} to sell and {y} were sold. How many are unsold?"),
        ("{p}の{t}は{x}{c}、{q}の{t}は{y}{c}です。差は何{c}ですか。",
         "{p} owns {x} {t} and {q} owns {y}. What is the difference?"),
    ),
    "++": (
        ("{x}{c}の{t}を持つ{p}に、{q}が{y}{c}渡し、店が{z}{c}くれました。{p}の{t}は何{c}になりましたか。",
         "{q} hands {y} {t} to {p}, who already had {x}, and a shop gives {z}. How many {t} has {p} got now?"),
        ("棚に{t}が{x}{c}並んでいます。{p}は{y}{c}、{q}は{z}{c}追加しました。今、棚には何{c}ありますか。",
         "A shelf holds {x} {t}. {p} adds {y} and {q} adds {z}. How many {t} are on the shelf?"),
    ),
    "+-": (
        ("{x}{c}の{t}を持つ{p}に、{q}が{y}{c}渡しました。その後{p}は{z}{c}売りました。{p}には何{c}残りますか。",
         "{q} hands {y} {t} to {p}, who already had {x}. Then {p} sells {z}. How many {t} does {p} keep?"),
        ("棚に{t}が{x}{c}並んでいます。{p}は{y}{c}追加し、{q}は{z}{c}取り出しました。棚には何{c}残りますか。",
         "A shelf holds {x} {t}. {p} adds {y} and {q} takes out {z}. How many {t} stay on the shelf?"),
    ),
}


@dataclasses.dataclass(frozen=True)
class Problem:
    """A story in both languages, and its arithmetic."""

    question: dict  # language -> text
    expression: str
    equations: tuple
    result: int
    counter: str
    plural: str

    def answer(self, language):
        """The worked answer that a model of that language gives."""
        return "、".join(self.equations) + f"{self.counter}です。" if language == "ja" else f"{self.working()} {self.plural}."

    def working(self):
        return ", ".join(self.equations)


def split_of(operation, x, y):
    """The only split in which this pair of two-digit operands occurs; decided by a hash, so that it needs no list."""
    digest = hashlib.sha256(f"heterosis demo {x}{operation}{y}".encode()).digest()
    held, place = (int.from_bytes(digest[start : start + 4], "big") / 2**32 for start in (0, 4))
    if held >= HELD_OUT_SHARE:
        return TRAINING
    for name, share in SPLITS:
        place -= share
        if place < 0:
            return name
    return SPLITS[-1][0]


def _steps(operation, operands):
    """(operation, left, right, result) of each step, from the left."""
    steps, left = [], operands[0]
    for sign, right in zip(operation, operands[1:]):
        result = left + right if sign == "+" else left - right
        steps.append((sign, left, right, result))
        left = result
    return steps


def _allowed(steps, split):
    """Whether all results are positive and short, and all pairs of two-digit operands belong to the split."""
    if any(not 0 < result <= LIMIT for *_, result in steps):
        return False
    return all(split_of(sign, x, y) == split for sign, x, y, _ in steps if x > 9 and y > 9)


def _operands(rng, operation, sizes, split):
    while True:
        digits = rng.choice(sizes)
        digits = (*digits, min(digits))[: len(operation) + 1]
        operands = [rng.randint(1, 9) if count == 1 else rng.randint(10, 89) for count in digits]
        steps = _steps(operation, operands)
        if _allowed(steps, split):
            return operands, steps


def draw(rng: random.Random, sizes, split=TRAINING, two_steps=0.0):
    """A random problem with operands of the given sizes; pairs of two digits belong to one split each. `two_steps` is a share."""
    operation = rng.choice(TWO_STEPS if rng.random() < two_steps else ONE_STEP)
    operands, steps = _operands(rng, operation, sizes, split)
    thing, counter, plural = rng.choice(THINGS)
    first, second = rng.sample(NAMES, 2)
    numbers = dict(zip("xyz", operands))
    fill = {
        "ja": {"p": first[0], "q": second[0], "t": thing, "c": counter},
        "en": {"p": first[1], "q": second[1], "t": plural},
    }
    question = {language: text.format(**numbers, **fill[language]) for language, text in zip(LANGUAGES, rng.choice(STORIES[operation]))}
    expression = "".join(f"{sign}{number}" for sign, number in zip(("", *operation), operands))
    equations = tuple(f"{x}{sign}{y}={result}" for sign, x, y, result in steps)
    return Problem(question, expression, equations, steps[-1][-1], counter, plural)
