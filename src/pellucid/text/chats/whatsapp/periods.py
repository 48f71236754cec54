"""The half of the day by its words: a.m. and p.m. in the languages that write them, and 下午, in the evening …"""

from __future__ import annotations

import functools
import re
from typing import Literal

Period = Literal["morning", "noon", "afternoon", "night"]

# As the locales of telephones write them (CLDR, dayPeriods), without dots and spaces, in lower case.
WORDS: dict[Period, str] = {
    "morning": """
        am midnight inthemorning vorm vormittags morgens früh dumatin matin delamañana delamadrugada madrugada
        damanhã dimattina vm fm fh dop rano de ap priekšp priešpiet paradites eparadites
        prijepodne prepodne prepodneva препладне претпладне препладнето преподне прподне проб дп ранку утра ночи
        πμ öö öncesi sabah to тң таңертеңгі үө կա
        לפנהצ לפנותבוקר בוקר בבוקר ص صباحًا صباحا فجرا فجرًا قظ قبلازظهر صبح قبلدوپہر غم
        पूर्वाह्न सुबह सवेरे मपू পূর্বাহ্ণ পূর্বাহ্ন সকাল ভোর ਪੂਦੁ પૂર્વાહ્ન முற்பகல் காலை అమ ఉదయం ಪೂರ್ವಾಹ್ನ ಬೆಳಗ್ಗೆ
        രാവിലെ පෙව ก่อนเที่ยง ເຊົ້າ ກ່ອນທ່ຽງ ព្រឹក នံနက် နံနက် pagi pg sa sáng asubuhi ጥዋት subaxnimo gh
        претпл mat safiya bn таңкы priekšpusdienā prp то صبحمنجهند апн
        moies pd goöň isuk subh safe sf rn yb atm ам пријеподне преподне ib ut эи
        भोर सवेर ቅቀ ጽባሕ ማለዶ بن چب àárọ̀ ụtụtụ nụtụtụ
        dopołdnja פֿאַרמיטאָג নুমাং
        上午 凌晨 清晨 早上 早晨 上晝 午前 오전 새벽 아침 午夜
    """,
    "noon": "noon 中午 正午 정오 mittags mediodía delmediodía meiodia दोपहर দুপুর siang mchana tengahhari",
    "afternoon": """
        pm intheafternoon intheevening nachm nachmittags abends aprèsmidi delaprèsmidi dusoir soir delatarde
        datarde datardinha delpomeriggio dipomeriggio disera nm em eh odp pop du ip pēcp popiet pasdites epasdites
        poslijepodne poslepodne послеподне попладне попладнето слоб пп дня вечера вечора поподне
        μμ ös sonrası akşam öğledensonra tk тк түстенкейінгі үх կհ
        אחהצ אחרהצהריים בערב صباحابعد م مساء مساءً عصرا ظهرا ظهرًا بظ بعدازظهر عصر بعددوپہر غو
        अपराह्न शाम मउ অপরাহ্ণ অপরাহ্ন বিকাল সন্ধ্যা ਬਾਦੁ અપરાહ્ન பிற்பகல் மாலை సాయంత్రం ಅಪರಾಹ್ನ ಸಂಜೆ
        വൈകുന്നേരം  หลังเที่ยง පව ແລງ ຫຼັງທ່ຽງ ល្ងាច ညနေ sore petang ptg ch chiều tối alasiri jioni
        ከሰዓት galabnimo gn
        popodne послијеподне popołdnju попл pn gd түштөнкийинки pēcpusdienā شاممنجهند منجهندشام апд
        nomëttes md gm gosoň wengi yamma ym in yh ptm пм поподне eb uk эк wótp wótpołdnja सांझ सञ
        ድቀ ምሴት ቃማ دن چك ọ̀sán abalị nabalị נאָכמיטאָג
        下午 下晝 傍晚 午後 夕方 오후 저녁
    """,
    "night": """
        night atnight nachts nuit delanuit delanoche danoite noite dinotte nocy ночі gece رات ليلا ليلًا شب
        रात রাত இரவு రాత్రి ರಾತ್ರಿ രാത്രി malam usiku đêm בלילה 晚上 夜晚 半夜 深夜 夜 밤
    """,
}
# Of small languages. A person may be called so, so that they count only where no author can stand: before `]` or ` - `.
# Inari Sami's are left out: its morning is Finnish's afternoon.
SMALL_WORDS: dict[Period, str] = {
    "morning": """
        saaku ag icheheavo ibikɛ̂glà апоўначы uluchelo pg/sg pamilau སྔ་དྲོ་ फुं ፋዱስጃብ ᏌᎾᎴ ᐊᒼ
        lumalwak subbaahi idiɓa སྔ་ཆ་ ŋdi 𐐰𐑋 𐑨𐑥 kíkíríg subaka 𞤢𞤰 i/m ꎸꄑ mbamba utuko ntufat
        ĩyakwakya muhi adduha kiroko تد krn makeo sárúwá एएम ଏଏମ ఎఎమ్ ntɔ́ngɔ́ dinda ɛnkakɛnyá rũ
        wichishu ǁgoagas maná mbaámba ߛ rw wd zmu kangama tesiran lwamilawu صبح،منجهند nd tifawt
        ⵜⵉⴼⴰⵡⵜ soodo ܩܛ dopołedniŏ taparachu zdatazal भ्यागा munkyo kiɛmɛ́ɛm àárɔ̀ amvormittag an lb hh od
        sub ma too comme
    """,
    "afternoon": """
        carra ak ew ichamthi iɓugajɔp апоўдні akasuba sr/mlm pamunyi ཕྱི་དྲོ་ बेलासे ፋዱስደምቢ ᏒᎯᏱᎢ ᐲᒼ
        lumalwap zaarikayb ebyámu ཕྱི་ཆ་ ɣetrɔ 𐐹𐑋 𐑐𐑥 ngəgógəle kikiiɗe 𞤩𞤰 e/m ꁯꋒ ŋkambɔ́tnji
        kyiukonyi ntmeddit ĩyawĩoo chilo aluula hwaĩ-inĩ تك koosk nyiaghuo cɛɛ́nko पीएम ପିଏମ పిఎమ్
        mpókwa dilolo ɛndámâ ũg mchochill ǃuias kugú ncwònzém ߥ tŋ wb zmw kingoto teipa
        pashamihe شام،منجهند lk tadggʷat ⵜⴰⴷⴳⴳⵯⴰⵜ hawwaro ܒܛ popołedniu ebongi ḍeffiraza दपेहरा/संजा
        eigulo kisɛ́ndɛ ɔ̀sán amnamittag namittag nam desira sira anw sn ea ot ngo mo muu lilli fi
    """,
}
PERIODS: dict[str, Period] = {word: period for period, words in WORDS.items() for word in words.split()}
SMALL_PERIODS: dict[str, Period] = {
    word: period for period, words in SMALL_WORDS.items() for word in words.split() if word not in PERIODS
}
UNSPACED = tuple(
    sorted((word for word in PERIODS if re.search("[\u3040-\u9fff\uac00-\ud7af]", word)), key=len)
)
# Words beside a time that name no half of the day: at, o'clock, the year's.
FILLERS = frozenset((
    "", "um", "uhr", "um uhr", "klo", "kl", "à", "at", "г", "ч", "г ч", "o", "v", "om", "be", "las", "น", "ê",
))  # fmt: skip
PUNCTUATION = re.compile(r"[.,'\"`´’‘״׳ʼꞌ\u200c\u070f·()]+")


@functools.lru_cache(maxsize=4096)
def read_period(text: str, small: bool = True) -> tuple[Period | None, str]:
    """The half of the day named in `text`, which stood beside a time, and the words that are left.

    Args:
        text: as " p. m." or " um ": at most some dozen characters.
        small: whether to know SMALL_WORDS.
    """
    words = PUNCTUATION.sub("", text.casefold()).split()
    for size in (3, 2, 1, 4):  # "in the morning", "p m", "pm"; two words before one: "a m" is not "a"
        for start in range(len(words) - size + 1):
            word = "".join(words[start : start + size])
            period = PERIODS.get(word) or (SMALL_PERIODS.get(word) if small else None)
            if period is not None:
                return period, " ".join(words[:start] + words[start + size :])
    for index, word in enumerate(words):  # 日下午
        for ending in UNSPACED:
            if word.endswith(ending):
                rest = [*words[:index], word.removesuffix(ending), *words[index + 1 :]]
                return PERIODS[ending], " ".join(part for part in rest if part)
    return None, " ".join(words)


def hour_of_day(hour: int, period: Period | None) -> int:
    """The hour from 0 to 23; one above 12 is of a clock of 24 hours whatever stands beside it."""
    if period is None or hour > 12:
        return hour
    if period == "morning":
        return hour % 12
    if period == "afternoon":
        return hour % 12 + 12
    if period == "noon":
        return hour if hour >= 10 else hour + 12
    return hour % 12 if hour % 12 < 5 else hour + 12
