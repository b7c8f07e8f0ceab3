"""The project's own questions: topics of several sorts, and the tasks that suit each sort."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_THINGS = """
    a bicycle bell; a broken clock; a camping stove; a chess set; a city map; a cooking pot;
    a fishing net; a front door; a garden shed; a glass of water; a hearing aid; a hot air balloon;
    a kitchen knife; a ladder; a leaking tap; a letterbox; a loaf of bread; a night train;
    a pair of boots; a park bench; a passport; a pencil; a piggy bank; a rain jacket;
    a rowing boat; a school bus; a sewing machine; a shopping trolley; a snow globe;
    a solar panel; a spare key; a street lamp; a suitcase; a swimming pool; a telescope; a tent;
    a toothbrush; a traffic light; a typewriter; a vending machine; a wedding ring;
    a weather map; a wheelbarrow; a wooden spoon; an alarm clock; an electric car;
    an elevator; an old photograph; an oven; an umbrella stand; a recycling bin; a bus stop;
    a library card; a doorbell; a birdhouse; a tape measure; a coffee machine; a hospital bed;
    a jar of jam; a chalkboard
"""
_ACTIVITIES = """
    baking bread; bird watching; budgeting for a month; building a treehouse; camping in the rain;
    changing a tyre; cleaning windows; climbing a hill; collecting stamps; cooking for ten guests;
    cycling to work; dancing in public; debating with strangers; drawing portraits;
    driving at night; fasting for a day; fixing a fence; flying with a baby; gardening on a balcony;
    getting up early; giving a speech; growing tomatoes; haggling at a market; hiking alone;
    hosting a quiz night; ice skating; interviewing a neighbour; jogging before breakfast;
    keeping a diary; keeping bees; knitting a scarf; learning a language; learning to swim;
    making soup; meditating; mending clothes; moving house; negotiating a salary;
    organising a festival; packing light; painting a wall; planning a picnic; playing chess;
    reading aloud; repairing a radio; riding a horse; running a marathon; saving electricity;
    selling old books; sharing a flat; sharpening knives; singing in a choir; sketching trees;
    studying for an exam; teaching grammar; travelling by train; trying to sleep on a plane;
    volunteering at a shelter; walking a dog; writing postcards
"""
_IDEAS = """
    ambition; optimism; boredom; bravery; bureaucracy; calm; charity; common sense; compromise;
    confidence; courtesy; creativity; criticism; curiosity; punctuality; debt; democracy;
    discipline; doubt; envy; fairness; fame; fashion; forgiveness; free will; friendship;
    generosity; gossip; gravity; routine; homesickness; honesty; hope; humour; inflation; intuition;
    jealousy; justice; kindness; laziness; leadership; loneliness; loyalty; luck; memory; modesty;
    mourning; nostalgia; patience; perfectionism; politeness; privacy; probability; procrastination;
    recycling; responsibility; silence; supply and demand; teamwork; tradition
"""
_NATURE = """
    a coral reef; a drought; a full moon; a glacier lake; a heat wave; a meteor shower;
    a mountain pass; a pine forest; a rainbow; a river delta; a salt marsh; a sandstorm;
    a solar eclipse; a thunderstorm; a tidal pool; a volcanic island; an earthquake; autumn leaves;
    bats; beavers; bumblebees; butterflies; cactus plants; camels; crows; deep sea fish;
    dragonflies; earthworms; elephants; fireflies; fog; frogs; geysers; hail; hedgehogs;
    hermit crabs; house cats; jellyfish; lichens; lightning; migrating geese; moss; mushrooms;
    oak trees; octopuses; owls; permafrost; polar bears; rain clouds; sea turtles; seahorses;
    seeds; snails; spiders; squirrels; sunflowers; the northern lights; tides; tree rings; whales
"""
_PEOPLE = """
    a bus driver; a carpenter; a chemist; a children's author; a choir conductor; a clockmaker;
    a comedian; a cook on a ship; a court reporter; a dairy farmer; a dentist; a detective;
    a diplomat; a firefighter; a fisherman; a florist; a football referee; a game designer;
    a geologist; a goalkeeper; a lifeguard; a hairdresser; a historian; a hotel porter;
    a judge; a street juggler; a landscape gardener; a librarian; a lighthouse keeper; a locksmith;
    a magician; a mail carrier; a mayor; a midwife; a miner; a museum guard; a night nurse;
    a park ranger; a pastry chef; a pilot; a plumber; a potter; a puppeteer; a maths teacher;
    a sailor; a sculptor; a shepherd; a shoemaker; a stage actor; a surgeon; a tailor;
    a tax adviser; a taxi driver; a tour guide; a translator; a tree surgeon; a truck driver;
    a vet; a beekeeper; a window cleaner
"""


def _listed(text: str) -> tuple[str, ...]:
    return tuple(" ".join(topic.split()) for topic in text.split(";"))


TOPICS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "things": _listed(_THINGS),
        "activities": _listed(_ACTIVITIES),
        "ideas": _listed(_IDEAS),
        "nature": _listed(_NATURE),
        "people": _listed(_PEOPLE),
    }
)
# Each sort has questions that yes or no answers: an instruction asks for that.
TASKS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "things": (
            "Describe {} to somebody who has never seen one.",
            "Write an advertisement for {}.",
            "Tell the story of {} from its own point of view.",
            "Compose a short review by a customer who has bought {}.",
            "How did people get by before there was such a thing as {}?",
            "What would you look at before you buy or build {}?",
            "Write a riddle whose solution is {}.",
            "Draft a complaint about {} that does not do what it should.",
            "Is it a good idea to give somebody {} as a present?",
            "Could a person do without {} for a year?",
        ),
        "activities": (
            "Give a beginner some advice on {}.",
            "What can go wrong with {}, and what helps then?",
            "Write a diary entry about a first attempt at {}.",
            "Argue that {} should be taught at school.",
            "Write an invitation to a weekend course in {}.",
            "Compare {} with staying on the sofa.",
            "List what one needs for {} and say why.",
            "Tell an anecdote about {} that ends badly.",
            "Is {} worth the effort?",
            "Can {} be learnt from a book?",
        ),
        "ideas": (
            "Explain {} to a child of eight.",
            "Write a fable about {}.",
            "Give two arguments about {} that contradict each other.",
            "Where does one meet {} in everyday life?",
            "Write a dialogue on {} between two friends on a train.",
            "Compose a poem about {}.",
            "Describe a day on which {} vanished from the earth.",
            "Which proverb says something wrong about {}, and why?",
            "Is there such a thing as too much {}?",
            "Can a computer understand {}?",
        ),
        "nature": (
            "Explain {} for the notice board of a nature reserve.",
            "Write a postcard from somebody who has just seen {}.",
            "What are three facts about {} that surprise most visitors?",
            "Compose the opening of a documentary about {}.",
            "Invent a legend on how {} came to be.",
            "Describe {} by sounds and smells alone.",
            "Prepare a short talk on {} for a class of teenagers.",
            "How might a painter go about {} as a subject?",
            "Would a town be right to use {} as its emblem?",
            "Are stories about {} good for children before they sleep?",
        ),
        "people": (
            "Describe a working day of {}.",
            "Write an application for the job of {}.",
            "Invent a conversation between {} and a visitor from the future.",
            "What does {} know that others do not?",
            "Write a toast to {} who is about to retire.",
            "Tell a tale about {} who loses something important.",
            "Draft an interview with {} for a local newspaper.",
            "What would annoy {} on a rainy Monday?",
            "Should {} be paid more than a manager?",
            "Would {} make a good neighbour?",
        ),
    }
)
