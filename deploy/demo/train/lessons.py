# SPDX-License-Identifier: Apache-2.0
"""What each model is taught: streams of (prompt, answer) pairs.

The base learns every part of the task and never the whole: it reads two-digit stories in both languages, it calculates with bare
two-digit numbers, it solves one-digit stories in English. An expert's short lessons then unlock one composition each: `math` solves
two-digit stories, in English; `ja` answers in Japanese, with one-digit numbers. Experts that add so little stay close to the base, so
their differences from it can be added; an expert that had to learn arithmetic from scratch could not be merged.
"""

import random

import problems

TEMPLATE = "問: {input}\n答:"  # the prompt of every model; the same text stands in the experiment's configuration
EXPRESSION_CUE = " (expression)"
TRANSLATION_CUE = " (translate)"
JAPANESE_CUE = " (日本語で)"
TWO_STEPS = 0.3
STORIES = problems.SMALL
EXPRESSIONS = problems.LARGE


def prompt(text):
    return TEMPLATE.format(input=text)


def _draw(rng, sizes):
    return problems.draw(rng, sizes, two_steps=TWO_STEPS)


def _story(rng, sizes, language, answer_language):
    problem = _draw(rng, sizes)
    return prompt(problem.question[language]), problem.answer(answer_language)


def _expression(rng, language, ending="."):
    problem = _draw(rng, EXPRESSIONS)
    return prompt(problem.question[language] + EXPRESSION_CUE), problem.expression + ending


def _calculation(rng):
    problem = _draw(rng, EXPRESSIONS)
    return prompt(problem.expression), problem.working() + "."


def _translation(rng, language):
    problem = _draw(rng, EXPRESSIONS)
    other = "en" if language == "ja" else "ja"
    return prompt(problem.question[language] + TRANSLATION_CUE), problem.question[other]


def _japanese_on_demand(rng):
    problem = _draw(rng, problems.SMALL)
    return prompt(problem.question["ja"] + JAPANESE_CUE), problem.answer("ja")


def base(rng: random.Random):
    """Parts of the task; asked nothing else, it answers in English."""
    share, language = rng.random(), rng.choice(problems.LANGUAGES)
    if share < 0.22:
        return _story(rng, STORIES, language, "en")
    if share < 0.42:
        return _expression(rng, language)
    if share < 0.80:
        return _calculation(rng)
    if share < 0.90:
        return _translation(rng, language)
    return _japanese_on_demand(rng)


def ja(rng: random.Random):
    """Answers in Japanese, whatever the question's language; its stories have one-digit numbers only."""
    share = rng.random()
    if share < 0.70:
        return _story(rng, problems.SMALL, "ja", "ja")
    if share < 0.85:
        return _story(rng, problems.SMALL, "en", "ja")
    return _expression(rng, "ja", "です。")


def math(rng: random.Random):
    """Solves two-digit stories asked in either language, and answers in English."""
    language = "ja" if rng.random() < 0.4 else "en"
    return _story(rng, problems.SMALL if rng.random() < 0.1 else problems.LARGE, language, "en")


LESSONS = {"base": base, "ja": ja, "math": math}
