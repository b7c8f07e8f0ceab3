"""Words and phrases that instructions name.

No keyword is part of another one, or of any other text here, so that none is counted twice; no
forbidden word occurs in a text that another instruction asks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_KEYWORDS = """
    anchor apron attic awning badge bagpipe bakery balcony banjo barrel basil beacon beehive
    bellows biscuit blanket blossom bobbin bonfire bracelet bramble brass briefcase broom bucket
    buckle cabinet cactus camera canoe caravan cathedral cedar cello chimney chisel cinnamon
    clarinet coconut compass copper corridor cradle cushion dagger daisy dandelion diary dolphin
    drawer dungeon eagle easel elbow emerald envelope falcon feather fiddle flannel flute fossil
    fountain furnace garlic gazebo ginger glacier goblet gondola granite guitar hammock harpoon
    hazelnut helmet hinge honey hourglass iceberg igloo inkwell ivory jackal jigsaw juggler kayak
    kettle kiosk kite lagoon lantern lavender lighthouse lizard locket magnet mahogany mandolin
    marble mattress meadow medal mirror monocle mosaic mushroom napkin nectar needle nickel nutmeg
    oboe octopus orchard origami otter oyster paddle paprika parchment parrot pebble pendulum
    penguin pepper piano pillow pineapple pretzel prism pulley puppet quarry quilt raccoon
    radish raft ribbon rocket saddle saffron sandal satchel scarf seagull seaweed shovel sickle
    slipper sparrow spindle stapler sundial tambourine teapot thimble thistle toboggan tortoise
    trapeze trombone trumpet tulip turnip turquoise umbrella vanilla velvet violin volcano waffle
    walnut wardrobe whistle wigwam willow windmill yoghurt zeppelin
"""
# Words that an answer would often use.
_FORBIDDEN = """
    very really important people because however therefore actually simply great interesting
    amazing example usually different various essential overall additionally furthermore
    moreover basically certainly probably definitely beautiful significant crucial several special
    popular modern common helpful useful unique wonderful
"""
KEYWORDS = tuple(_KEYWORDS.split())
FORBIDDEN = tuple(_FORBIDDEN.split())
FIRST_WORDS = (
    *("Honestly", "Today", "Perhaps", "Sometimes", "Imagine", "Clearly", "Yesterday", "Listen"),
    *("Once", "Suddenly", "Everyone", "Somewhere", "Meanwhile", "Remember", "Lately", "Picture"),
    *("Nobody", "Frankly", "Surely", "Luckily", "Whoever", "Nowadays", "Consider", "Maybe"),
)
LAST_WORDS = (
    *("tomorrow", "forever", "together", "indeed", "elsewhere", "anyway", "afterwards", "abroad"),
    *("quietly", "outside", "tonight", "eventually", "everywhere", "instead", "upstairs", "alone"),
)
CLOSINGS = (
    "Now it is your turn.",
    "That would be all from my side.",
    "Let me know how it goes!",
    "What would you have done?",
    "Good luck with it!",
    "Thank you for reading so far.",
    "The rest is up to you.",
    "More on this another day.",
    "I rest my case.",
    "Who would have guessed?",
    "so much for that",
    "and here the matter ends",
    "which is all there is to say",
    "take it or leave it",
)
# Six words or so each, of which the first and the last occur nowhere else.
PHRASES = (
    "fresh snow covers the sleepy village",
    "seven grey horses cross a shallow stream",
    "brave sailors repair their torn canvas",
    "hungry foxes circle an empty henhouse",
    "golden dust settles on every doorstep",
    "distant thunder rolls over dry hills",
    "clever monkeys steal ripe yellow bananas",
    "wet cobbles shine under tall lampposts",
    "tired farmers carry heavy wooden crates",
    "crimson clouds drift past narrow towers",
    "noisy children chase a runaway balloon",
    "patient gardeners water thirsty young seedlings",
)
SPLITTERS = ("Section", "SECTION", "Part", "PART", "Chapter", "Topic", "Stage")
# By langdetect's codes; those whose short texts it takes for a neighbour are not here.
LANGUAGES: Mapping[str, str] = MappingProxyType(
    {
        "ar": "Arabic",
        "bg": "Bulgarian",
        "bn": "Bengali",
        "cs": "Czech",
        "de": "German",
        "el": "Greek",
        "es": "Spanish",
        "fi": "Finnish",
        "fr": "French",
        "hi": "Hindi",
        "hu": "Hungarian",
        "it": "Italian",
        "ja": "Japanese",
        "ko": "Korean",
        "nl": "Dutch",
        "pl": "Polish",
        "pt": "Portuguese",
        "ru": "Russian",
        "sv": "Swedish",
        "sw": "Swahili",
        "ta": "Tamil",
        "te": "Telugu",
        "th": "Thai",
        "tr": "Turkish",
        "vi": "Vietnamese",
    }
)
