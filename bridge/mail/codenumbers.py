"""What is written like a one-time code, and whose number it is when it is somebody else's."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import islice

from bridge.mail.codewords import COLON, IS
from bridge.mail.quotes.lines import BEGIN, END, HERE, LOOSE, SIGNED

_ELSE = "[A-Za-z0-9#$€£₹¥₽₺₩@_+/\\\\]"
WRITTEN = (
    rf"(?<!{_ELSE})(?<!{_ELSE}[-.])(?<!\d[ .,:/])"
    r"(?:(?P<plain>\d{4,10})|(?P<groups>\d{3}[ -]\d{3}|\d{4}[ -]\d{4}|\d\d(?:[ -]\d\d){2,3})"
    r"|(?P<spaced>\d(?:[ \n]{1,4}\d){3,7})|[A-Z]{1,3}-(?P<tagged>\d{4,8})"
    r"|(?P<mixed>(?=[A-Z]{0,7}\d)(?=\d{0,7}[A-Z])[A-Z0-9]{4,8}"
    r"|(?=[A-Z-]{0,8}\d)(?=[\d-]{0,8}[A-Z])[A-Z0-9]{3,4}-[A-Z0-9]{3,4}))"
    r"(?![A-Za-z0-9#%@_€$£₹₽₺₩/]|-[\w]|[.,:]\d| ?[%€]| \d)"
)
_WRITTEN = re.compile(WRITTEN)
_PERHAPS_WRITTEN = re.compile(r"\d(?:\d\d\d|-?[A-Z]|\d?\d?[ -]\d\d|[ \n]{1,4}\d[ \n])|[A-Z]-?\d")
"""What has no such figures has nothing that is written like a code."""
_PERHAPS_LETTERS = re.compile(r":\s{1,8}[A-Za-z0-9-]{5,10}[.\s]{0,3}(?:$|\n)")
"""Nor has it a code of letters, unless these stand behind a colon at the end of a line."""
_BLANKS = str.maketrans(
    dict.fromkeys("\u00a0\u2000\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u3000", " ")
    | dict.fromkeys(
        f"{BEGIN}{LOOSE}{END}{HERE}{SIGNED}\u200e\u200f\u061c\u2066\u2067\u2068\u2069\u202a\u202b\u202c\u200b\ufeff\r",
        " ",
    )
    | {"\t": "\n"}
)
_BLANK = re.compile(f"[{''.join(map(chr, _BLANKS))}]")
_DIGIT = re.compile(r"[^\D0-9]")
"""A digit of another script."""
_CLAIM = 48
_LONG = 5
_USUAL = 8
_MOST = 24
_DATE = re.compile(r"(?:19|20)\d\d(?:[01]\d[0-3]\d)?|[0-3]\d[ -](?:0\d|1[0-2])[ -]\d\d")
_NUMBER_OF = (
    r"order|bestell\w*|auftrag\w*|commande|pedido|encomenda|ordine|zam[oó]wieni\w*|objedn[aá]vk\w*|rendel[eé]s\w*"
    r"|comand[aă]\w*"
    r"|narudžb\w*|tilau\w*|beställning\w*|bestilling\w*|ordre|ordern\w*|sipari[şs]\w*|заказ\w*|замовлен\w*"
    r"|поръчк\w*|παραγγελ\w*"
    r"|(?:ال)?طلب\w*|سفارش|הזמנה|ऑर्डर|অর্ডার|đơn hàng|pesanan|คำสั่งซื้อ|注文|订单|訂單|주문"
    r"|tickets?|t[ií]quete|billet\w*|билет\w*|заявк\w*|обращен\w*|zgłoszeni\w*|bilet\w*|بلیط|تذكرة|תיק|工单|工單"
    r"|case|vorgang\w*|incident\w*"
    r"|customer|kunde\w*|client\w*|cliente|klient\w*|клиент\w*|клієнт\w*|müşteri|asiakas\w*|kund\w*|عميل|مشتری|לקוח"
    r"|会员|客户|客戶|お客様|고객"
    r"|member\w*|mitglied\w*"
    r"|invoice|rechnung\w*|facture|factura|fattura|fatura|faktur\w*|счет-фактур\w*|فاتورة|חשבונית|发票|發票|請求書"
    r"|청구서"
    r"|receipt|shipment|parcel|package|paket\w*|sendung\w*|colis|env[ií]o|paczk\w*|przesył\w*|посылк\w*"
    r"|отправлен\w*|balík\w*|kargo|شحنة|运单|快递"
    r"|track\w*|suivi|送り状|송장|booking|buchung\w*|r[ée]servation|reserva|prenotazione|rezerwac\w*|бронир\w*"
    r"|rezervas\w*|حجز|予約|예약"
    r"|ref\w{0,8}|referenz\w*|transaction|transaktion\w*|przelew\w*|vertrag\w*|contract|contrat\w*|договор\w*"
    r"|policy|police"
    r"|ending(?: in| with)?|card|karte|carte|tarjeta|kart\w*|карт\w*|کارت|بطاقة|卡|카드|last four|endziffer\w*"
    r"|phone|t[eé]l(?:[eé]?[fp]h?[oóôò]\w*)?|puhelin\w*|телефон\w*|тел|τηλ\w*|تلفن|هاتف|טלפון|फ़ोन|फोन|ফোন|فون"
    r"|தொலைபேசி|โทร\w*|điện thoại|โทร|电话|電話"
    r"|전화|mobile|handy|móvil|cell|hotline|call|fax|rufen|appelez|llame|llama\w*|ligue|chiama\w*|zadzwoń|звоните"
    r"|позвоните|line|room|zimmer|flight"
    r"|flug|vol|рейс|id|build|version|release|rfc|port|bug|issue|pr|serial\w*|lot|model\w*"
)
_PLACE = (
    r"user|benutzer|account|konto\w*|compte|cuenta|conta|conto|счет\w*|счёт\w*|аккаунт\w*|hesa[pb]\w*|حساب|帐号"
    r"|帳號|账号"
    r"|계좌|계정"
)
_MARK = (
    r"n[°ºr]|n|no|nro|nr|núm|num|№|number|num[ée]ro|número|numero|numer\w{0,3}|num[aă]rul|nummer|nomor|номер\w{0,2}"
    r"|număr|αριθμός|αρ|رقم|شماره|מספר"
    r"|מס|संख्या|क्रमांक|नंबर|নম্বর|எண்|సంఖ్య|నంబర్|ಸಂಖ್ಯೆ|നമ്പർ|નંબર|ਨੰਬਰ|نمبر|số|หมายเลข|番号|番號|号码|號碼|編號|编号"
    r"|单号|單號|号|번호|čísl\w{1,2}|č|szám\w{0,3}|numaras\w{0,4}|numaranız\w{0,3}"
    r"|number|broj\w{0,2}|id|\w{2,20}(?:nummer|nr|numero|numer|szám)\w{0,3}"
)
_NOUN = rf"(?<!\w)(?:{_NUMBER_OF})|注文|订单|訂單|주문|会员|客户|客戶|お客様|电话|電話|运单|快递"
_MARKED = rf"(?<!\w)(?:{_MARK})|番号|番號|号码|號碼|編號|编号|单号|單號|号|번호|#"
_GAP = r"[\s.#*x°º(\[「【-]{0,4}"
_SAYS = rf"[\s.]{{0,2}}(?:{COLON}|{IS})"
_ELSEWHOSE = re.compile(
    rf"(?:(?:(?:{_NOUN})[\s.:#\uff1a-]{{0,3}})?(?:{_MARKED})(?:{_SAYS})?{_GAP}|(?:{_NOUN})(?P<loose>{_SAYS})?{_GAP}"
    rf"|(?:(?<!\w)(?:{_PLACE})|帐号|帳號|账号){_GAP}|^\W*(?:{_PLACE}){_SAYS}{_GAP}"
    rf"|(?:{_NOUN}|{_MARKED})[^\n\d.,;!?:\uff1a]{{1,14}}{COLON}{_GAP}"
    r"|\b(?:until|by|at|seit|since|sent to|gesendet an|envoyée? au|enviado (?:al?|para)|inviato al?"
    r"|отправлен\w? на) |\+[\d ()-]{0,12}|\(\d{1,5}\)[ -]?|(?:[$€£₹¥₽₺₩]|\b(?:USD|EUR|GBP|CHF|INR|Rs|Rp"
    r"|kr|TWD|HKD|CNY|JPY)\.?) ?)\Z",
    re.IGNORECASE,
)
_MEASURED = re.compile(
    r" ?(?:[元円원฿₫]|EUR|USD|GBP|CHF|PLN|UAH|RUB|RON|HUF|CZK|SEK|NOK|DKK|TRY|TL|INR|IDR|VND|JPY|KRW|CNY|TWD|BRL"
    r"|euros?|dollars?|zł|kr\b|руб|р\.|грн"
    r"|Ft\b|Kč|лв|lei\b|ریال|ريال|تومان|درهم|دينار|جنيه|ש\"ח|บาท|đồng|रुपये|bytes?|(?-i:[kKMGT]i?B)\b|kWh|km\b|kg\b"
    r"|mAh"
    r"|min|sec\b|sek|мин|хв|сек|分|秒|분\b|초|분간|דק|دقي|دقیقه|मिनट|phút|นาที|λεπτ|perc\b|hours?|stunden|heures"
    r"|horas|часов"
    r"|numaralı|nolu|sayılı|számú|[号號番](?!码|碼)|번 )",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Number:
    """What is written like a code: where it stands, and how sure its form is.

    `claimed` is where the words begin that make it the number of something else, `loosely` says that only a colon or
    an "is" stands between it and that thing, `measured` that a unit stands behind it, `dated` that it could be a year
    or a day, `long` that it has more digits than most codes and as many as telephones, `sturdy` that it has the form
    of most codes, `mixed` that there are letters in it, `alone` that nothing else stands on its line.
    """

    start: int
    end: int
    claimed: int | None
    loosely: bool
    measured: bool
    dated: bool
    long: bool
    sturdy: bool
    mixed: bool
    alone: bool

    @property
    def brief(self) -> bool:
        """Whether it is as short as the names of many things, and has letters as they have."""
        return self.mixed and self.end - self.start < _LONG


def readable(text: str) -> str:
    """`text`, as long as before, with the digits of every script as those of ASCII and spaces for all that is blank."""
    if text.isascii():
        return text.replace("\r", " ").replace("\t", "\n")
    text = text.replace("\r", " ").replace("\t", "\n")
    if _BLANK.search(text):
        text = text.translate(_BLANKS)
    return _DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), text)


def unwritten(text: str) -> bool:
    """Whether nothing in a text in ASCII is written like a code at a glance, in figures or in letters."""
    return _PERHAPS_WRITTEN.search(text) is None and _PERHAPS_LETTERS.search(text) is None


def written(text: str) -> list[Number]:
    """The first 24 of a readable text that are written like a code."""
    return [_number(text, match) for match in islice(_WRITTEN.finditer(text), _MOST) if not _counts(match)]


def _number(text: str, match: re.Match[str]) -> Number:
    start, end = match.span()
    line = text.rfind("\n", 0, start) + 1
    claim = _ELSEWHOSE.search(text[max(line, start - _CLAIM) : start])
    line_end = text.find("\n", end)
    around = text[line:start] + text[end : len(text) if line_end < 0 else line_end]
    return Number(
        start,
        end,
        claimed=None if claim is None else max(line, start - _CLAIM) + claim.start(),
        loosely=claim is not None and claim["loose"] is not None,
        measured=_MEASURED.match(text, end) is not None,
        dated=_DATE.fullmatch(match[0]) is not None,
        long=match["plain"] is not None and len(match["plain"]) > _USUAL,
        sturdy=match["mixed"] is None and (len(match[0]) == 6 or match["plain"] is None),
        mixed=match["mixed"] is not None,
        alone=not any(map(str.isalnum, around)),
    )


def _counts(match: re.Match[str]) -> bool:
    """Whether digits on lines of their own are the numbers of those lines."""
    spaced = match["spaced"]
    if spaced is None or "\n" not in spaced:
        return False
    digits = [int(digit) for digit in spaced.split()]
    return digits == list(range(digits[0], digits[0] + len(digits)))
