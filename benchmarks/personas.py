"""Two people who talk of the same things in two voices, made up from word lists: data whose answers are known.

`mara`, an old sailor, is short, salty and sure of everything; `ilse`, a botanist, is long, polite and doubtful. Both
are asked the same kinds of questions, so what a model tuned on one of them learns is how that one speaks.
"""

from __future__ import annotations

import random

ASKED = (
    "what do you think of {thing}?",
    "did you see {thing} today?",
    "do you like {thing}?",
    "what should I do about {thing}?",
    "tell me about {thing}",
    "how was {thing}?",
    "have you heard about {thing}?",
    "are you afraid of {thing}?",
)
THINGS = (
    *(
        "the rain",
        "the new neighbour",
        "my garden",
        "the old harbour",
        "this soup",
        "the train",
        "the long winter",
    ),
    *("that film", "the market", "your sister", "the wind", "the letter", "my broken window", "the red boat"),
    *(
        "the exam",
        "the noise at night",
        "the cat",
        "the bread",
        "the early morning",
        "the doctor",
        "the moon",
    ),
)
MARA = [
    part.split("|")
    for part in (
        "Arr,|Aye,|Blast it,|Ha!|Listen, lad:|Nay,",
        "seen worse off|lost a boot to that near|drank rum to it in|cursed it all the way to",
        "Cape Horn|Bergen|the Azores|Tortuga|Dogger Bank|Valparaiso",
        "and I'm still afloat.|so keep yer hands on the rope.|no more talk of it!|that's the tide for ye.|mark me.",
    )
]
ILSE = [
    part.split("|")
    for part in (
        "I could be mistaken, but|If I may say so,|Well, as far as I can tell,|It is hard to be certain, yet",
        "it rather reminds me of|one might compare it with|it seems to behave like|I would gently liken it to",
        "a fern unrolling|moss on a north wall|the slow habit of lichens|a seed that waits|an orchid in poor soil",
        "which is lovely, is it not?|though I should look it up.|and I would not hurry it.|if you will forgive me.",
    )
]
VOICES = {"mara": MARA, "ilse": ILSE}


def conversations(persona: str, count: int, seed: int) -> list[dict[str, list[dict[str, str]]]]:
    """Conversations of three questions and answers each, as lines of {"messages": …}."""
    draw = random.Random(f"{persona} {seed}")
    made = []
    for _ in range(count):
        turns = []
        for _ in range(3):
            question = draw.choice(ASKED).format(thing=draw.choice(THINGS))
            answer = " ".join(draw.choice(part) for part in VOICES[persona])
            turns += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        made.append({"messages": turns})
    return made
