"""Write children's tales from the grammar in `grammar/`, the same ones for the same seed.

    python training/tales.py --count 3 --seed 1

A tale is an opening, now and then the weather, and the beats of one plot.
Every tale is a function of (seed, index) alone, so a held-out set is a range of indices.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

GRAMMAR = Path(__file__).with_name("grammar")
WEATHER_PROBABILITY = 0.3

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_RULE = re.compile(r"<(\w+)>")
_SLOT = re.compile(r"\{(\w+(?:\.\w+)?)\}")
_CAPITAL = re.compile(r"(^|\n|[.!?] |\.\" |\^)(\"?)([a-z])")
_ARTICLE = re.compile(r"\b([Aa]) (?=[aeiou])")
_PRONOUNS = {
    "she": {"he": "she", "his": "her", "him": "her"},
    "he": {"he": "he", "his": "his", "him": "him"},
}

Slots = dict[str, str]


@dataclass(frozen=True)
class Plot:
    """A short story: word lists to draw from, and the ways to tell each of its beats.

    `weather` is false where the plot brings its own. Ways that begin with `a: ` never meet those
    that begin with `b: `, so that what happens first and what follows belong together.
    """

    name: str
    bind: dict[str, str]
    weather: bool
    beats: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Grammar:
    """All words, phrases and plots; `tale` turns them into text."""

    words: dict[str, Any]
    phrases: dict[str, tuple[str, ...]]
    plots: tuple[Plot, ...]

    @classmethod
    def load(cls, folder: Path = GRAMMAR) -> Grammar:
        """Read `words.yaml`, `phrases.yaml` and every `plots_*.yaml` of a folder."""
        plots: list[Plot] = []
        for path in sorted(folder.glob("plots_*.yaml")):
            for name, plot in _read(path).items():
                beats = tuple(tuple(beat.splitlines()) for beat in plot["beats"])
                plots.append(Plot(name, plot["bind"], plot.get("weather", True), beats))
        phrases = {
            name: tuple(p.splitlines()) for name, p in _read(folder / "phrases.yaml").items()
        }
        return cls(_read(folder / "words.yaml"), phrases, tuple(plots))

    def tale(self, seed: int, index: int) -> str:
        """The tale with this index: one paragraph of about 850 characters."""
        rng = random.Random(f"{seed}/{index}")
        plot = rng.choice(self.plots)
        slots = self._cast(rng)
        for slot, words in plot.bind.items():
            slots[slot] = _draw(rng, self.words[words], avoid=slots)
        parts = ["<opening>"]
        if plot.weather and rng.random() < WEATHER_PROBABILITY:
            parts[0] += " <weather>"
        other_thread = rng.choice(("a: ", "b: "))
        for beat in plot.beats:
            told = rng.choice([way for way in beat if not way.startswith(other_thread)])
            parts.append(told.removeprefix("a: ").removeprefix("b: "))
        return _polish(_SLOT.sub(lambda m: slots[m[1]], self._expand("\n".join(parts), rng)))

    def tales(self, seed: int, start: int, count: int) -> Iterator[str]:
        """Tales `start` … `start + count - 1` of a seed."""
        return (self.tale(seed, index) for index in range(start, start + count))

    def _expand(self, text: str, rng: random.Random) -> str:
        """Resolve choices from the innermost outwards, then rules, until neither is left."""
        while True:
            text, choices = _CHOICE.subn(lambda m: rng.choice(m[1].split("|")), text)
            if choices:
                continue
            text, rules = _RULE.subn(lambda m: rng.choice(self.phrases[m[1]]), text)
            if not rules:
                return text

    def _cast(self, rng: random.Random) -> Slots:
        """A hero with a home, a friend and an elder."""
        hero = self._character(rng, "heroes")
        friend = self._character(rng, "friends", avoid=hero["kind"])
        gender = rng.choice(("she", "he"))
        elder = {"name": rng.choice(self.words["elders"][gender]), **_PRONOUNS[gender]}
        slots = {"hero" if key == "name" else key: value for key, value in hero.items()}
        for role, character in (("friend", friend), ("elder", elder)):
            slots[role] = character["name"]
            slots |= {f"{role}.{key}": value for key, value in character.items()}
        return slots

    def _character(self, rng: random.Random, names: str, avoid: str = "") -> Slots:
        """A child or an animal of another kind than `avoid`, with a home and pronouns."""
        gender = rng.choice(("she", "he"))
        if rng.random() < 0.5:
            pool = kind = "girl" if gender == "she" else "boy"
            home = rng.choice(self.words["child_homes"])
        else:
            pool = gender
            kind = rng.choice([kind for kind in self.words["animals"] if kind != avoid])
            home = self.words["animals"][kind]
        name = rng.choice(self.words[names][pool])
        return {"name": name, "kind": kind, **home, **_PRONOUNS[gender]}


def _read(path: Path) -> dict[str, Any]:
    loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(loaded, dict), f"{path} must hold a mapping"
    return loaded


def _draw(rng: random.Random, words: list[str], avoid: Slots) -> str:
    """A word that no other slot of this tale holds, so that two roles stay apart."""
    taken = set(avoid.values())
    return rng.choice([word for word in words if word not in taken])


def _polish(text: str) -> str:
    """Join the parts; capitals at the beginning of sentences, and `an` before a vowel."""
    text = _CAPITAL.sub(lambda m: m[1].replace("^", "") + m[2] + m[3].upper(), text)
    return _ARTICLE.sub(r"\1n ", text.replace("^", "").replace("\n", " "))


def main() -> None:
    """Print tales, one blank line between them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=3, help="how many tales (default 3)")
    parser.add_argument("--seed", type=int, default=1, help="seed of all tales (default 1)")
    parser.add_argument("--start", type=int, default=0, help="index of the first (default 0)")
    args = parser.parse_args()
    print("\n\n".join(Grammar.load().tales(args.seed, args.start, args.count)))


if __name__ == "__main__":
    main()
