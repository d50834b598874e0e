"""Lines that programs write into mail, told apart from those that people write.

Notes such as "View this e-mail in your browser" come in too many forms for patterns; but they are
made of few words. A line is such a note when it says nothing beside them.
"""

from __future__ import annotations

import re

_LONGEST = 200
"""Characters; a longer line is never boilerplate as a whole."""

_TRIGGER_WORDS = """
browser webbrowser browseransicht browservenster navigateur navegador webversion webansicht onlineversion
online-version online viewing version versión versão versione unsubscribe abmelden abbestellen désinscrire
désabonner uitschrijven preferences webpage website angezeigt dargestellt affiche s'affiche visualizzata
visualiza weergegeven images
"""
_OTHER_WORDS = """
a an and any app are as at can can't can’t cannot cant click correctly display displayed displaying don't e
e-mail email for from full having here if image in is isn't isn’t it link list mail manage message my network
newsletter no not of on open or our page please problem problems properly read reading see seeing
subscription switch the this time to trouble troubles unable update view web with you your als anders ansehen
ansicht anzeigen bei bitte darstellung den der des die diese dieser dieses falls für hier ihrem im ist klick
klicken korrekt lesen nachricht nicht onlineansicht probleme richtig sie um und vom von wenn werden wird zu
zum zur öffnen afficher ce cet cette cliquez consulter correctement courriel dans de du en ici la le les lien
ligne lire ne ouvrir pas si sur un une vers visualiser voir votre vous aquí clic correctamente correo el este
esta haga línea mensaje no puede su ver visualizar aqui clique corretamente linha mensagem não seu al apri
clicca correttamente il leggi messaggio nel non qui questa questo se tuo viene visualizza bekijk deze dit
goed hier het je klik lees niet uw weergave wordt
"""
_TRIGGERS = frozenset(_TRIGGER_WORDS.split())
_VOCABULARY = _TRIGGERS.union(_OTHER_WORDS.split())
_WORD = re.compile(r"[^\W_](?:[\w'’-]*[^\W_])?")
_DEVICE = re.compile(
    r"(?:sent from (?:my|outlook|yahoo|gmail|proton|samsung|mail)\b.{0,50}|sent via .{2,50}"
    r"|sent with .{2,20} secure e?mail|von meinem .{1,40} gesendet|gesendet (?:von|mit) .{1,60}"
    r"|envoyé (?:de|depuis) (?:mon|ma) .{1,40}|enviado (?:desde|do) (?:mi|meu) .{1,40}|inviato da .{1,40}"
    r"|verzonden (?:met|vanaf) .{1,40}|get outlook for .{1,30}|отправлено с .{1,40}|发自我的.{1,20})\.?",
    re.IGNORECASE,
)
_WHOLE = (
    "iPhone iPad iPod iOS MacBook Android Galaxy Samsung Huawei HUAWEI Xiaomi Redmi OnePlus Xperia Outlook BlackBerry"
    " Gmail Yahoo ProtonMail Thunderbird FairEmail BlueMail AquaMail Airmail Mailspring Zoho Tutanota Fastmail"
)
_TAIL = r"[\w'’-]{0,10}"
_NAMED = (
    *(name + _TAIL for name in _WHOLE.split()),
    "Proton Mail" + _TAIL,
    *("Mac", "Windows (?:Mail|Phone)", r"Mail [^\W\d_]{1,6} Windows(?: 1[01])?", "K-9", "GMX", r"WEB\.DE", r"Mail\.ru"),
)
_NAMES = re.compile("|".join(rf"{name[0]}(?<!\w{name[0]}){name[1:]}(?!\w)" for name in _NAMED))
"""Whole words, but without `\\b` before them: so their first letters alone are looked for, in a fifth of the time."""
_LONGEST_NAMING = 80
_SENTENCE_ENDS = set(".!?:。！？：")
_NO_MIME = re.compile(
    r"this is a multi-?part message in mime format\.?"
    r"|.{0,60}\be-?mail (?:client|program|reader) (?:does not|doesn.t|can ?not) (?:support|display|show|read)\b.{0,80}"
    r"|this (?:e-?mail|message) (?:requires|contains|is in|was sent in) (?:an? )?html\b.{0,140}"
    r"|(?:please )?add .{1,60} to your (?:address ?book|safe sender).{0,60}|to ensure (?:delivery|you).{0,100}",
    re.IGNORECASE,
)
_OUTSIDE = re.compile(
    r".{0,60}\b(?:e-?mail|mail|message|sender)\b.{0,30}\b(?:originat\w+|came|comes|is|was sent|sent) (?:from )?outside"
    r"(?: of)? (?:the|your|our) (?:organi[sz]ation|company|network|institution|university|agency)\b.{0,150}",
    re.IGNORECASE,
)
"""What companies put above whatever strangers write to them."""
_ADDED_ABOVE = re.compile(
    r"\W*(?:please )?(?:type|write|reply|respond|add)\b.{0,30}\babove this line\W*"
    r"|you don.t often get e-?mail from .{3,120}|\W*external(?: e-?mail| message| sender)?\W*",
    re.IGNORECASE,
)
_FROM_OUTSIDE = re.compile(r"\b(?:outside|external)\b", re.IGNORECASE)
_BEWARE = re.compile(
    r"\b(?:do not|don.t|avoid) (?:click|open)"
    r"|\bunless you (?:recogni[sz]e|trust|know|are expecting)|\bexercise caution",
    re.IGNORECASE,
)
_FIRST_OF_NOTES = """
sent von gesendet envoyé enviado inviato verzonden get отправлено this please add to you hash charset begin
"""
_FIRST_OF_ANNOUNCEMENTS = """
begin forwarded original anfang weitergeleitete weitergeleiteten ursprüngliche message mensaje mensagem messaggio
doorgestuurd oorspronkelijk пересылаемое исходное
"""
"""With what the lines begin that announce a forwarded message (`quotes/introductions.py`)."""
_BEGINNINGS = frozenset(_FIRST_OF_NOTES.split())
_SUSPECT = _VOCABULARY.union(_BEGINNINGS, _FIRST_OF_ANNOUNCEMENTS.split())
_FAR_EASTERN = "\u2e80"
_ANYWHERE = ("mail client", "mail program", "mail reader", "outside", "external", "above this line")
"""A note begins with one of those words, or in a script of the Far East, or has one of these anywhere."""
_ARMOUR = re.compile(r"-----BEGIN PGP SIGNED MESSAGE-----|(?:Hash|Charset): [\w, -]{1,80}")


def is_noise(line: str) -> bool:
    """Whether a stripped line is a rule, a quotation or what programs write."""
    if not line[:1].isalnum() and (line.startswith((">", "|>")) or not any(map(_speaks, line))):
        return True
    if len(line) > _LONGEST:
        return False
    low = line.casefold()
    first = _WORD.search(low)
    if first is None:
        return False
    word = first[0]
    if (word in _BEGINNINGS or word >= _FAR_EASTERN or hints(low)) and _is_note(line):
        return True
    return word in _VOCABULARY and _is_made_of_vocabulary(low)


def _is_note(line: str) -> bool:
    """Whether a line has one of the forms of what programs write."""
    return (
        _DEVICE.fullmatch(line) is not None
        or _ADDED_ABOVE.fullmatch(line) is not None
        or _ARMOUR.fullmatch(line) is not None
        or _NO_MIME.fullmatch(line) is not None
        or _OUTSIDE.fullmatch(line) is not None
        or (_FROM_OUTSIDE.search(line) is not None and _BEWARE.search(line) is not None)
    )


def _is_made_of_vocabulary(low: str) -> bool:
    triggered = False
    for word in _WORD.finditer(low):
        if word[0] not in _VOCABULARY:
            return False
        triggered = triggered or word[0] in _TRIGGERS
    return triggered


def hints(low: str) -> bool:
    """Whether one of the words that notes have anywhere stands in a text in lower case, or may."""
    for hint in _ANYWHERE:
        if hint in low:
            return True
    return not low.isascii() and ("ı" in low or "\u0307" in low)  # an i where case is ignored, and none in lower case


def begins_otherwise(line: str) -> bool:
    """Whether a line without hints begins with a word that no note does, and none that announces a message."""
    first = _WORD.search(line.casefold())
    return first is not None and first[0] < _FAR_EASTERN and first[0] not in _SUSPECT


def names_device(line: str) -> bool:
    """Whether a line may say what the mail was written on: short, no sentence, with the name of a device or a program.

    The names are the same in all languages. At the end of somebody's own words such a line is no part of them.
    """
    return len(line) <= _LONGEST_NAMING and line[-1:] not in _SENTENCE_ENDS and bool(_NAMES.search(line))


def _speaks(character: str) -> bool:
    """Whether a character says something by itself: a letter, a digit, an emoji."""
    return character.isalnum() or character > "\u25ff"
