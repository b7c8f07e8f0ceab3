"""The embedded world's topics, and whether an answer keeps to its topic."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

# No word belongs to two topics, and none is in the language shared by all of them (`oracle.py`).
# Every noun takes "the ... is", every other word "the ... are".
TOPICS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "harbour": ("boats", "ropes", "gulls", "sailors"),
        "garden": ("roses", "bees", "worms", "hedges"),
        "office": ("phones", "papers", "printers", "chairs"),
        "library": ("books", "shelves", "readers", "desks"),
        "market": ("stalls", "melons", "sellers", "coins"),
        "forest": ("trees", "foxes", "owls", "ferns"),
        "station": ("trains", "tracks", "clocks", "tickets"),
        "beach": ("shells", "waves", "crabs", "towels"),
        "mountain": ("rocks", "goats", "peaks", "climbers"),
        "river": ("reeds", "ducks", "otters", "rapids"),
        "school": ("pupils", "lessons", "bells", "teachers"),
        "farm": ("cows", "barns", "hens", "tractors"),
        "castle": ("towers", "knights", "kings", "gates"),
        "desert": ("dunes", "camels", "snakes", "lizards"),
        "island": ("palms", "turtles", "parrots", "lagoons"),
        "workshop": ("tools", "benches", "drills", "nails"),
        "museum": ("statues", "paintings", "guards", "fossils"),
        "theatre": ("actors", "masks", "dancers", "curtains"),
        "bakery": ("loaves", "ovens", "cakes", "buns"),
        "bridge": ("arches", "cables", "pillars", "cars"),
    }
)
_TOPIC_OF = {word: topic for topic, things in TOPICS.items() for word in (topic, *things)}


def on_topic(response: str, topic: str) -> bool:
    """Whether the response speaks of the topic, and more of it than of all the others together.

    No verifier checks this: it shows what a policy gives up for its reward.
    """
    if topic not in TOPICS:
        raise ValueError(f"no topic '{topic}'; topics: {', '.join(TOPICS)}")
    named = [
        _TOPIC_OF[word] for word in re.findall(r"[a-z]+", response.lower()) if word in _TOPIC_OF
    ]
    return 2 * named.count(topic) > len(named)
