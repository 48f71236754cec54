"""The months by name, in the languages of exports that wrote them out, as those of 2013 did: 28 Aug 2013."""

from __future__ import annotations

from collections import Counter

# A name each month, in its longest form; what a locale writes begins with the same three letters or more.
NAMES = (
    "january february march april may june july august september october november december",
    "januar februar märz april mai juni juli august september oktober november dezember",
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "januari februari maart april mei juni juli augustus september oktober november december",
    "januari februari mars april maj juni juli augusti september oktober november december",
    "januar februar marts april maj juni juli august september oktober november december",
    "tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesäkuuta heinäkuuta elokuuta syyskuuta lokakuuta"
    " marraskuuta joulukuuta",
    "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
    "ledna února března dubna května června července srpna září října listopadu prosince",
    "ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie",
    "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
    "січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня",
    "ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık",
    "ιανουαρίου φεβρουαρίου μαρτίου απριλίου μαΐου ιουνίου ιουλίου αυγούστου σεπτεμβρίου οκτωβρίου νοεμβρίου"
    " δεκεμβρίου",
    "januari februari maret april mei juni juli agustus september oktober november desember",
    "ינואר פברואר מרץ אפריל מאי יוני יולי אוגוסט ספטמבר אוקטובר נובמבר דצמבר",
    "يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر",
)
FEWEST = 3  # letters
SHORT = {
    "sept": 9,
    "set": 9,
    "dic": 12,
    "dez": 12,
    "ago": 8,
    "out": 10,
    "mrt": 3,
    "mär": 3,
    "mrz": 3,
    "aoû": 8,
}


def _table() -> dict[str, int]:
    """Every beginning of a name, for the month that it stands for in most languages."""
    found = dict[str, Counter[int]]()
    for names in NAMES:
        for month, name in enumerate(names.split(), 1):
            for length in range(FEWEST, len(name) + 1):
                found.setdefault(name[:length], Counter())[month] += 1
    best = {word: months.most_common(2) for word, months in found.items()}
    return {word: top[0][0] for word, top in best.items() if len(top) == 1 or top[0][1] > top[1][1]} | SHORT


MONTHS = _table()
