"""Writes a conversation as WhatsApp would on many a telephone: locale, platform, clock, marks, line ends."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence

LRM = "\u200e"
THIN, FIXED = "\u202f", "\u00a0"
ARABIC_DIGITS = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
PERSIAN_DIGITS = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
HINDI_DIGITS = str.maketrans("0123456789", "०१२३४५६७८९")


@dataclasses.dataclass(frozen=True)
class Locale:
    """How a telephone writes the date and time of a message.

    In `stamp`, d m y are the numbers of the date as they are, dd mm of two digits, yy and yyyy the year, b that of
    the Buddhist calendar; H and h the hour of 24 and 12, HH hh of two digits, mi the minute, ss the seconds with the
    sign before them (left out on Android), p the half of the day.
    """

    name: str
    stamp: str
    halves: tuple[str, str] = ("AM", "PM")
    second_sign: str = ":"
    media: str = "<Media omitted>"
    image: str = "image omitted"
    digits: dict[int, int] | None = None
    bounds: str = ""  # a mark before and behind each number, as in Arabic

    def write(self, time: datetime.datetime, with_seconds: bool) -> str:
        hour = time.hour % 12 or 12
        seconds = f"{self.second_sign}{time.second:02}" if with_seconds else ""
        text = self.stamp.format(
            d=time.day, m=time.month, dd=f"{time.day:02}", mm=f"{time.month:02}",
            yy=f"{time.year % 100:02}", yyyy=time.year, b=time.year + 543, bb=f"{(time.year + 543) % 100:02}",
            H=time.hour, h=hour, HH=f"{time.hour:02}", hh=f"{hour:02}",
            mi=f"{time.minute:02}", ss=seconds, p=self.half(time),
        )  # fmt: skip
        text = text.replace("/", f"{self.bounds}/") if self.bounds else text
        return text.translate(self.digits) if self.digits else text

    def half(self, time: datetime.datetime) -> str:
        if len(self.halves) == 2:
            return self.halves[time.hour >= 12]
        ends = (5, 8, 12, 13, 18, 24)  # of 凌晨 早上 上午 中午 下午 晚上
        return next(half for half, end in zip(self.halves, ends, strict=True) if time.hour < end)


SPANISH = (f"a.{FIXED}m.", f"p.{FIXED}m.")
CHINESE = ("凌晨", "早上", "上午", "中午", "下午", "晚上")
LOCALES = (
    Locale("en-US", "{m}/{d}/{yy}, {h}:{mi}{ss} {p}"),
    Locale("en-US new", "{m}/{d}/{yy}, {h}:{mi}{ss}" + THIN + "{p}"),
    Locale("en-US 24", "{m}/{d}/{yy}, {HH}:{mi}{ss}"),
    Locale("en-GB", "{dd}/{mm}/{yyyy}, {HH}:{mi}{ss}"),
    Locale("en-GB 12", "{dd}/{mm}/{yyyy}, {h}:{mi}{ss} {p}", ("am", "pm")),
    Locale("en-IN", "{dd}/{mm}/{yy}, {h}:{mi}{ss}" + THIN + "{p}", ("am", "pm")),
    Locale("en-AU", "{d}/{m}/{yy}, {h}:{mi}{ss} {p}", ("am", "pm")),
    Locale("en-ZA", "{yyyy}/{mm}/{dd}, {HH}:{mi}{ss}"),
    Locale("en-CA", "{yyyy}-{mm}-{dd}, {h}:{mi}{ss} {p}", ("a.m.", "p.m.")),
    Locale("en morning", "{dd}/{mm}/{yyyy}, {h}:{mi}{ss} {p}", ("in the morning", "in the afternoon")),
    Locale("de", "{dd}.{mm}.{yy}, {HH}:{mi}{ss}", media="<Medien ausgeschlossen>", image="Bild weggelassen"),
    Locale("de um", "{dd}.{mm}.{yy} um {HH}:{mi}{ss} Uhr", media="<Medien ausgeschlossen>", image="Bild weggelassen"),
    Locale("de-CH", "{dd}.{mm}.{yyyy}, {HH}:{mi}{ss}", image="Video weggelassen"),
    Locale("fr", "{dd}/{mm}/{yyyy}, {HH}:{mi}{ss}", media="<Médias omis>", image="image absente"),
    Locale("fr old", "{dd}/{mm}/{yyyy} à {HH}:{mi}{ss}", media="<Médias omis>", image="vidéo absente"),
    Locale("fr-CA", "{yyyy}-{mm}-{dd} {HH} h {mi}{ss}", second_sign=" min ", media="<Médias omis>"),
    Locale("es", "{d}/{m}/{yy}, {H}:{mi}{ss}", media="<Multimedia omitido>", image="imagen omitida"),
    Locale("es-MX", "{dd}/{mm}/{yy}, {h}:{mi}{ss}" + THIN + "{p}", SPANISH, image="audio omitido"),
    Locale("es-AR", "{d}/{m}/{yyyy}, {HH}:{mi}{ss}", media="<Multimedia omitido>", image="sticker omitido"),
    Locale("pt-BR", "{dd}/{mm}/{yyyy} {HH}:{mi}{ss}", media="<Mídia oculta>", image="imagem ocultada"),
    Locale("pt-PT", "{dd}/{mm}/{yy}, {HH}:{mi}{ss}", media="<Ficheiro não revelado>", image="imagem não revelada"),
    Locale("it", "{dd}/{mm}/{yy}, {HH}:{mi}{ss}", media="<Media omessi>", image="immagine omessa"),
    Locale("nl", "{dd}-{mm}-{yyyy} {HH}:{mi}{ss}", media="<Media weggelaten>", image="afbeelding weggelaten"),
    Locale("af", "{yyyy}-{mm}-{dd}, {HH}:{mi}{ss}", media="<Media weggelaat>"),
    Locale("fi", "{d}.{m}.{yyyy} klo {H}.{mi}{ss}", second_sign=".", media="<Media jätettiin pois>", image="ei kuvaa"),
    Locale("sv", "{yyyy}-{mm}-{dd} {HH}:{mi}{ss}", media="<Media har utelämnats>", image="bild utesluten"),
    Locale("nb", "{dd}.{mm}.{yyyy}, {HH}:{mi}{ss}", media="<Media utelatt>", image="video utelatt"),
    Locale("da", "{dd}.{mm}.{yyyy} kl. {HH}.{mi}{ss}", second_sign=".", media="<Mediefil udeladt>"),
    Locale("pl", "{dd}.{mm}.{yyyy}, {HH}:{mi}{ss}", media="<pliki pominięto>", image="obraz pominięty"),
    Locale("cs", "{d}. {m}. {yyyy} {H}:{mi}{ss}", media="<Média vynechány>", image="obrázek vynechán"),
    Locale("sk", "{d}. {m}. {yyyy}, {H}:{mi}{ss}", media="<Médiá vynechané>"),
    Locale("hr", "{d}. {m}. {yyyy}. {HH}:{mi}{ss}", media="<Medijski zapis izostavljen>"),
    Locale("hu", "{yyyy}. {mm}. {dd}. {H}:{mi}{ss}", media="<Hiányzó médiafájl>"),
    Locale("hu 12", "{yyyy}. {mm}. {dd}. {p} {h}:{mi}{ss}", ("de.", "du.")),
    Locale("ro", "{dd}.{mm}.{yyyy}, {HH}:{mi}{ss}", media="<Conținut media omis>"),
    Locale("bg", "{dd}.{mm}.{yy} г., {HH}:{mi}{ss} ч.", media="<Без файл>"),
    Locale("ru", "{dd}.{mm}.{yyyy}, {HH}:{mi}{ss}", media="<Без медиафайлов>", image="изображение отсутствует"),
    Locale("uk", "{dd}.{mm}.{yy}, {HH}:{mi}{ss}", media="<Медіа пропущено>", image="зображення відсутнє"),
    Locale("tr", "{dd}.{mm}.{yyyy} {HH}:{mi}{ss}", media="<Medya dahil edilmedi>", image="görüntü dahil edilmedi"),
    Locale("tr 12", "{d}.{mm}.{yyyy} {p} {h}:{mi}{ss}", ("ÖÖ", "ÖS"), media="<Medya dahil edilmedi>"),
    Locale("el", "{d}/{m}/{yy}, {h}:{mi}{ss} {p}", ("π.μ.", "μ.μ."), media="<Εξαίρεση πολυμέσων>"),
    Locale("he", "{d}.{m}.{yyyy}, {H}:{mi}{ss}", media="<המדיה לא נכללה>", image="תמונה הושמטה"),
    Locale("ar", "{d}/{m}/{yyyy}، {h}:{mi}{ss}" + FIXED + "{p}", ("ص", "م"), digits=ARABIC_DIGITS, bounds="\u200f"),
    Locale("ar latin", "{d}/{m}/{yyyy}، {HH}:{mi}{ss}", bounds="\u200f", media="<تم استبعاد الوسائط>"),
    Locale("fa", "{yyyy}/{m}/{d},\u200f {H}:{mi}{ss}", digits=PERSIAN_DIGITS, media="<رسانه حذف شد>"),
    Locale("hi", "{d}/{m}/{yy}, {h}:{mi}{ss} {p}", ("पूर्वाह्न", "अपराह्न"), media="<मीडिया के बिना>"),
    Locale("mr", "{d}/{m}/{yy}, {h}:{mi}{ss} {p}", ("म.पू.", "म.उ."), digits=HINDI_DIGITS),
    Locale("bn", "{d}/{m}/{yy}, {h}:{mi}{ss} {p}", media="<মিডিয়া বাদ দেওয়া হয়েছে>"),
    Locale("ta", "{d}/{m}/{yy}, {p} {h}:{mi}{ss}", ("முற்பகல்", "பிற்பகல்")),
    Locale("th", "{d}/{m}/{b} {HH}:{mi}{ss}", media="<สื่อถูกลบ>", image="ไม่มีรูปภาพ"),
    Locale("th short", "{d}/{m}/{bb} {HH}:{mi}{ss} น."),
    Locale("vi", "{dd}/{mm}/{yyyy}, {HH}:{mi}{ss}", media="<Bỏ qua Media>", image="đã bỏ qua hình ảnh"),
    Locale("vi time first", "{HH}:{mi}{ss}, {dd}/{mm}/{yyyy}", image="đã bỏ qua hình ảnh"),
    Locale("vi 12", "{h}:{mi}{ss} {p}, {d}/{m}/{yyyy}", ("SA", "CH")),
    Locale("id", "{dd}/{mm}/{yy} {HH}.{mi}{ss}", second_sign=".", image="gambar tidak disertakan"),
    Locale("ms", "{d}/{mm}/{yyyy}, {h}:{mi}{ss} {p}", ("PG", "PTG")),
    Locale("ko", "{yyyy}. {m}. {d}. {p} {h}:{mi}{ss}", ("오전", "오후"), image="이미지 생략됨"),
    Locale("ko long", "{yyyy}년 {m}월 {d}일 {p} {h}:{mi}{ss}", ("오전", "오후")),
    Locale("ko short", "{yy}. {m}. {d}. {p} {h}:{mi}{ss}", ("오전", "오후")),
    Locale("ja", "{yyyy}/{mm}/{dd} {H}:{mi}{ss}", media="<メディアは含まれていません>", image="画像は含まれていません"),
    Locale("ja 12", "{yyyy}/{mm}/{dd} {p}{h}:{mi}{ss}", ("午前", "午後")),
    Locale("zh-CN", "{yyyy}/{m}/{d} {HH}:{mi}{ss}", media="<省略多媒体文件>", image="图像已省略"),
    Locale("zh-CN 12", "{yyyy}/{m}/{d} {p}{h}:{mi}{ss}", CHINESE),
    Locale("zh-CN long", "{yyyy}年{m}月{d}日 {p}{h}:{mi}{ss}", ("上午", "下午")),
    Locale("zh-TW", "{yyyy}/{m}/{d} {p}{h}:{mi}{ss}", CHINESE, image="圖片已略去"),
    Locale("zh-HK", "{d}/{m}/{yyyy} {p}{h}:{mi}{ss}", ("上午", "下午")),
    Locale("sq", "{d}.{m}.{yy}, {h}:{mi}{ss} {p}", ("e paradites", "e pasdites")),
    Locale("eu", "{yy}/{m}/{d} {HH}:{mi}{ss}"),
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Line:
    """A message to write; `body` None is a photo, and an author None a notice."""

    time: datetime.datetime
    author: str | None
    body: str | None


@dataclasses.dataclass(frozen=True)
class Platform:
    """Where a chat is exported: brackets, seconds and marks as the telephone's program has them."""

    name: str
    before: str
    after: str
    seconds: bool
    end: str = "\n"
    mark: str = ""  # before WhatsApp's own words
    line_mark: str = ""  # before every line


PLATFORMS = (
    Platform("Android", "", " - ", seconds=False),
    Platform("Android with marks", "", " - ", seconds=False, line_mark=LRM),
    Platform("iOS", "[", "] ", seconds=True, mark=LRM),
    Platform("iOS with CR LF", "[", "] ", seconds=True, end="\r\n", mark=LRM),
    Platform("iOS with BOM", "[", "] ", seconds=True, mark=LRM, line_mark="\ufeff"),
    Platform("old iOS", "", ": ", seconds=True, mark=LRM),
)


def write(lines: Sequence[Line], locale: Locale, platform: Platform, bom: bool = False) -> str:
    """The text of the export."""
    parts = []
    for line in lines:
        body = line.body
        if body is None:
            body = platform.mark + (locale.image if platform.mark else locale.media)
        elif line.author is None:
            body = platform.mark + body
        stamp = locale.write(line.time, platform.seconds)
        author = "" if line.author is None else f"{line.author}: "
        parts.append(
            f"{platform.line_mark}{platform.before}{stamp}{platform.after}{author}{body}{platform.end}"
        )
    return ("\ufeff" if bom else "") + "".join(parts)


def expected_time(line: Line, platform: Platform) -> datetime.datetime:
    """The time that an export tells."""
    return line.time if platform.seconds else line.time.replace(second=0)
