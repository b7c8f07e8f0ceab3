"""Answers made by rule to composed rows: what shows that a row's instructions go together."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import cycle, islice
from typing import Any

from uniapl_cli.composing import KINDS

# Words of four letters at most, without the letters that some rows bound, and no one's keyword.
FILLER = (
    "the sun is hot and the sea is calm",
    "her dear son ran to the near door",
    "she sat in the hall and ate rice",
    "this is the old road to the hill",
    "the rain came and the land is lush",
    "it is time to set out and see more",
    "the cat sat on the mat in the sun",
    "in the end it all came out all the same",
)
NOT_ODD = "this is not so odd as that"
DISTINCT = "the sun is hot and sea calm so he sat in hall"
IN = {
    "ar": "الكتاب على الطاولة والطفل يلعب في الحديقة مع أصدقائه كل يوم بعد المدرسة",
    "bg": "Книгата е на масата и детето играе всеки ден в градината с приятелите си след училище",
    "bn": "বইটি টেবিলের উপর আছে এবং শিশুটি প্রতিদিন স্কুলের পরে বন্ধুদের সাথে বাগানে খেলা করে",
    "cs": "Kniha leží na stole a dítě si každý den po škole hraje na zahradě se svými přáteli",
    "de": "Das Buch liegt auf dem Tisch und das Kind spielt jeden Tag nach der Schule im Garten",
    "el": "Το βιβλίο είναι πάνω στο τραπέζι και το παιδί παίζει κάθε μέρα στον κήπο",
    "es": "El libro está sobre la mesa y el niño juega todos los días en el jardín con sus amigos",
    "fi": "Kirja on pöydällä ja lapsi leikkii joka päivä koulun jälkeen puutarhassa",
    "fr": "Le livre est sur la table et l'enfant joue tous les jours dans le jardin avec ses amis",
    "hi": "किताब मेज पर है और बच्चा हर दिन स्कूल के बाद अपने दोस्तों के साथ बगीचे में खेलता है",
    "hu": "A könyv az asztalon van és a gyerek minden nap iskola után a kertben játszik",
    "it": "Il libro è sul tavolo e il bambino gioca ogni giorno nel giardino con i suoi amici",
    "ja": "本は机の上にあります。子どもは毎日学校のあとで友だちと庭で遊んでいます",
    "ko": "책은 책상 위에 있고 아이는 매일 학교가 끝난 뒤에 친구들과 함께 마당에서 놀아요",
    "nl": "Het boek ligt op de tafel en het kind speelt elke dag na school in de tuin met vrienden",
    "pl": "Książka leży na stole i dziecko codziennie po szkole bawi się w ogrodzie",
    "pt": "O livro está sobre a mesa e a criança brinca todos os dias no jardim com seus amigos",
    "ru": "Книга лежит на столе и ребёнок каждый день после школы играет в саду со своими друзьями",
    "sv": "Boken ligger på bordet och barnet leker varje dag efter skolan i trädgården",
    "sw": "Kitabu kiko juu ya meza na mtoto anacheza kila siku baada ya shule katika bustani",
    "ta": "புத்தகம் மேசையின் மீது உள்ளது குழந்தை தினமும் பள்ளிக்குப் பிறகு தோட்டத்தில் விளையாடுகிறது",
    "te": "పుస్తకం బల్ల మీద ఉంది పిల్లవాడు ప్రతి రోజు బడి తర్వాత తోటలో స్నేహితులతో ఆడుకుంటాడు",
    "th": "หนังสืออยู่บนโต๊ะและเด็กเล่นในสวนกับเพื่อนทุกวันหลังเลิกเรียน",
    "tr": "Kitap masanın üzerinde ve çocuk her gün okuldan sonra bahçede arkadaşlarıyla oynuyor",
    "vi": "Quyển sách ở trên bàn và đứa trẻ chơi trong vườn với bạn bè mỗi ngày sau giờ học",
}
Row = Mapping[str, Any]


def answer(row: Row) -> str:
    """An answer that follows all instructions of a row."""
    asked = dict(zip(row["instruction_id_list"], row["kwargs"], strict=True))
    if len(asked) == 1:
        ((id, kwargs),) = asked.items()
        if id in GIVEN:
            return GIVEN[id](**kwargs)
    return _Answer(asked, row["question"]).text()


GIVEN = {
    "copy:copy": lambda prompt_to_repeat: prompt_to_repeat,
    "copy:copying_simple": lambda prompt_to_repeat: prompt_to_repeat,
    "copy:copying_multiple": lambda prompt_to_repeat, N: "\n******\n".join([prompt_to_repeat] * N),
    "new:copy_span_idx": lambda prompt_to_repeat, n_start, n_end: prompt_to_repeat[n_start:n_end],
    "detectable_format:constrained_response": lambda: "My answer is no.",
}


class _Answer:
    def __init__(self, asked: Row, question: str) -> None:
        self.asked, self.question = asked, question
        self.needs = [KINDS[id].need(kwargs) for id, kwargs in asked.items()]
        self.bans = "".join(need.bans for need in self.needs)
        self.upper = self.has("change_case:english_capital", "count:lowercase_counting")

    def has(self, *ids: str) -> bool:
        return any(id in self.asked for id in ids)

    def get(self, id: str) -> Any:
        return self.asked.get(id, {})

    def text(self) -> str:
        form = next((form for id, form in FORMS.items() if id in self.asked), None)
        return form(self) if form else self.whole()

    def case(self, text: str) -> str:
        if self.upper:
            return text.upper()
        if self.has("change_case:english_lowercase"):
            return text.lower()
        return text[:1].upper() + text[1:]

    @property
    def mark(self) -> str:
        bound = self.get("length_constraints:number_sentences").get("relation")
        if "." in self.bans or bound == "less than" or self.has("count:count_unique"):
            return ""
        return "?" if bound else "."

    def sentence(self, text: str) -> str:
        first = self.get("first_word:first_word_sent").get("first_word")
        last = self.get("last_word:last_word_sent").get("last_word")
        return self.case(" ".join(filter(None, (first, text, last)))) + self.mark

    def named(self) -> list[str]:
        """Every word that has to occur, as often as it has to."""
        words = list(self.get("keywords:existence").get("keywords", ()))
        for id in ("keywords:frequency", "keywords:word_count_different_numbers"):
            if self.get(id).get("relation") == "at least":
                words += [self.get(id)["keyword"]] * self.get(id)["frequency"]
        words += [w for w in [self.get("keywords:word_once").get("keyword")] if w]
        if twice := self.get("count:count_increment_word"):
            words += [twice["keyword1"], twice["keyword2"], twice["keyword2"]]
        return words

    def sentences(self) -> list[str]:
        """What is said: keywords, whatever else is counted, and filler until it is enough."""
        placed = self.get("keywords:keyword_specific_position")
        said = [self.sentence(text) for text in islice(cycle(FILLER), placed.get("n", 1) - 1)]
        if placed:
            before = NOT_ODD.split()[: placed["m"] - 1]
            said.append(self.sentence(" ".join([*before, placed["keyword"], "here"])))
        said += [self.sentence(f"here is a {word}") for word in self.named()]
        if self.has("keywords:palindrome"):
            said.append(self.sentence("it is noon here"))
        if self.get("change_case:capital_word_frequency").get("capital_relation") == "at least":
            count = self.get("change_case:capital_word_frequency")["capital_frequency"]
            said.append(self.sentence(" ".join(["HALL"] * count)))
        if not said or self.has("change_case:english_capital", "change_case:english_lowercase"):
            said += map(self.sentence, FILLER[: 3 if self.roomy() else 1])  # to tell the language
        wanted = "".join(kwargs.get("letter", "") for kwargs in self.asked.values())
        rich = cycle(sorted(FILLER, key=lambda text: -sum(map(text.count, wanted)))[:4])
        while not self.enough(said):
            said.append(self.sentence(next(rich)))
        return said

    def roomy(self) -> bool:
        return min((need.most for need in self.needs if need.most is not None), default=60) >= 60

    def enough(self, said: list[str]) -> bool:
        text = " ".join(said).lower()
        if len(text.split()) < max(need.least for need in self.needs):
            return False
        sentences = self.get("length_constraints:number_sentences")
        if sentences.get("relation") == "at least" and len(said) < sentences["num_sentences"]:
            return False
        letters = self.get("letters:letter_counting")
        if letters.get("relation") == "at least" and len(re.findall("[a-z]", text)) < letters["N"]:
            return False
        return all(
            text.count(one["letter"]) >= one["let_frequency"]
            for id in ("keywords:letter_frequency", "letters:letter_counting2")
            if (one := self.get(id)).get("let_relation") == "at least"
        )

    def chunks(self) -> tuple[int, str]:
        """How many paragraphs there are, and what parts them."""
        if count := self.get("length_constraints:number_paragraphs").get("num_paragraphs"):
            return count, "\n***\n"
        if count := self.get("length_constraints:nth_paragraph_first_word").get("num_paragraphs"):
            return count, "\n\n"
        if self.has("paragraphs:paragraphs"):
            return 2, "\n***\n"
        return (2, "\n\n") if self.has("paragraphs:paragraphs2") else (1, "")

    def whole(self) -> str:
        body = ("\n" if not self.mark else " ").join(self.sentences())
        if first := self.get("first_word:first_word_answer").get("first_word"):
            body = self.case(f"{first} ") + body
        if self.has("keywords:start_end"):
            body = self.case("here ") + body
        if self.has("detectable_format:title"):
            body = f"<<{self.case('the sun')}>>\n{body}"
        count, divider = self.chunks()
        parts = [body, *(self.sentence("it is so") for _ in range(count - 1))]
        if nth := self.get("length_constraints:nth_paragraph_first_word"):
            at = nth["nth_paragraph"] - 1
            parts[at] = f"{self.case(nth['first_word'])} {parts[at]}"
        parts[-1] = "\n".join([parts[-1], *self.lines()])
        text = divider.join(parts)
        return f'"{text}"' if self.has("startend:quotation") else text

    def lines(self) -> list[str]:
        """What stands below the sentences."""
        lines = []
        sections = self.get("detectable_format:multiple_sections")
        for number in range(1, sections.get("num_sections", 0) + 1):
            lines += [f"{sections['section_spliter']} {number}", self.sentence("it is so")]
        if phrase := self.get("copy:repeat_phrase"):
            first, _, *rest = phrase["phrase"].split()
            lines += [" ".join([first, "odd", *rest])] * phrase["small_n"]
        count = self.get("detectable_format:number_bullet_lists").get("num_bullets", 0)
        lines += [f"* {self.case('the sea')}"] * count
        count = self.get("detectable_format:number_highlighted_sections").get("num_highlights", 0)
        lines += [f"{self.case('see')} *{self.case('the sea')}*"] * count
        count = self.get("detectable_content:number_placeholders").get("num_placeholders", 0)
        lines += [f"{self.case('in')} [{self.case('hall')}]"] * count
        if marker := self.get("detectable_content:postscript").get("postscript_marker"):
            lines.append(self.case(f"{marker} it is so"))
        if self.has("keywords:start_end"):
            lines.append(self.case("here"))
        lines += [self.case(w) for w in self.get("last_word:last_word_answer").values()]
        return lines + [self.case(text) for text in self.get("startend:end_checker").values()]

    def said(self) -> str:
        return " ".join(self.sentences())

    def unique(self) -> str:
        return " ".join([DISTINCT, *self.named()])

    def apart(self) -> str:
        """Words whose first letters have the one before and after them nowhere near."""
        words = ["the", "tall", "tree"]
        for keyword in self.named():
            words += ["more", keyword, "more"] if keyword[0] in "su" else ["the", keyword, "the"]
        return " ".join(words)

    def composed(self) -> str:
        counts = self.get("count:counting_composition")
        words = " ".join(islice(cycle(FILLER[0].split()), counts["n_words"] - 1))
        paragraph = " ".join([self.case(words) + "."] * counts["n_sent"])
        return "\n***\n".join([paragraph] * 3)

    def foreign(self) -> str:
        own = IN[self.get("language:response_language")["language"]]
        lines = [f"<<{own}>>"] if self.has("detectable_format:title") else []
        count, divider = self.chunks()
        parts = ["\n".join([*lines, own]), *[own] * (count - 1)]
        bullets = self.get("detectable_format:number_bullet_lists").get("num_bullets", 0)
        marked = self.get("detectable_format:number_highlighted_sections").get("num_highlights", 0)
        parts[-1] = "\n".join([parts[-1], *[f"* {own}"] * bullets, *[f"{own} *{own}*"] * marked])
        text = divider.join(parts)
        return f'"{text}"' if self.has("startend:quotation") else text


def _pairs(text: str) -> str:
    words = text.split()
    return " ".join(f"<<{' '.join(words[at : at + 2])}>>" for at in range(0, len(words), 2))


FORMS: Mapping[str, Any] = {
    "detectable_format:json_format": lambda own: json.dumps({"text": own.said()}),
    "detectable_format:square_brackets": lambda own: " ".join(f"[{w}]" for w in own.said().split()),
    "detectable_format:bigram_wrapping": lambda own: _pairs(own.said()),
    "detectable_format:sentence_hyphens": lambda own: "-".join([*own.sentences(), "It is so."]),
    "combination:two_responses": lambda own: f"{own.said()}\n******\n{own.said()} It is so",
    "combination:repeat_prompt": lambda own: f"{own.question}\n{own.said()}",
    "count:count_unique": _Answer.unique,
    "count:counting_composition": _Answer.composed,
    "keywords:no_adjacent_consecutive": _Answer.apart,
    "language:response_language": _Answer.foreign,
}
