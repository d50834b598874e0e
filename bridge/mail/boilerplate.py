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
_NAMES = re.compile(
    r"\b(?:(?:iPhone|iPad|iPod|iOS|MacBook|Android|Galaxy|Samsung|Huawei|HUAWEI|Xiaomi|Redmi|OnePlus|Xperia|Outlook"
    r"|BlackBerry|Gmail|Yahoo|Proton ?Mail|Thunderbird|FairEmail|BlueMail|AquaMail|Airmail|Mailspring|Zoho|Tutanota"
    r"|Fastmail)[\w'’-]{0,10}|Mac|Windows (?:Mail|Phone)|Mail [^\W\d_]{1,6} Windows(?: 1[01])?|K-9"
    r"|GMX|WEB\.DE|Mail\.ru)(?!\w)"
)
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
_OF_NOTES = ("mail", "message", "to your", "to ensure", "outside", "external")
_OF_THOSE_ABOVE = ("above this line", "often get", "external", "begin pgp", "hash: ", "charset: ")
_OF_DEVICES = ("sent ", "von meinem ", "gesendet ", "enviado ", "inviato da ", "verzonden ", "get outlook ")
"""Words of which each note has one, or begins with one; where a letter may be one beyond ASCII all are looked for."""
_ARMOUR = re.compile(r"-----BEGIN PGP SIGNED MESSAGE-----|(?:Hash|Charset): [\w, -]{1,80}")


def is_noise(line: str) -> bool:
    """Whether a stripped line is a rule, a quotation or what programs write."""
    if not line[:1].isalnum() and (line.startswith((">", "|>")) or not any(map(_speaks, line))):
        return True
    if len(line) > _LONGEST:
        return False
    low = line.casefold()
    if _is_note(line, low):
        return True
    triggered = False
    for word in _WORD.finditer(low):
        if word[0] not in _VOCABULARY:
            return False
        triggered = triggered or word[0] in _TRIGGERS
    return triggered


def _is_note(line: str, low: str) -> bool:
    """Whether a line, which is given in lower case as well, has one of the forms of what programs write."""
    if (not line.isascii() or low.startswith(_OF_DEVICES)) and _DEVICE.fullmatch(line):
        return True
    if _hinted(line, low, _OF_THOSE_ABOVE) and (_ADDED_ABOVE.fullmatch(line) or _ARMOUR.fullmatch(line)):
        return True
    return _hinted(line, low, _OF_NOTES) and (
        _NO_MIME.fullmatch(line) is not None
        or _OUTSIDE.fullmatch(line) is not None
        or (_FROM_OUTSIDE.search(line) is not None and _BEWARE.search(line) is not None)
    )


def _hinted(line: str, low: str, hints: tuple[str, ...]) -> bool:
    """Whether one of the hints stands in a line, or may."""
    if not line.isascii():
        return True
    for hint in hints:  # noqa: SIM110 - any() of a generator takes three times as long
        if hint in low:
            return True
    return False


def begins_otherwise(line: str) -> bool:
    """Whether a line in ASCII begins with a word that no note is made of, and not as those of devices do."""
    low = line.lower()
    word = _WORD.search(low)
    return word is not None and word[0] not in _VOCABULARY and not low.startswith(_OF_DEVICES)


def names_device(line: str) -> bool:
    """Whether a line may say what the mail was written on: short, no sentence, with the name of a device or a program.

    The names are the same in all languages. At the end of somebody's own words such a line is no part of them.
    """
    return len(line) <= _LONGEST_NAMING and line[-1:] not in _SENTENCE_ENDS and bool(_NAMES.search(line))


def _speaks(character: str) -> bool:
    """Whether a character says something by itself: a letter, a digit, an emoji."""
    return character.isalnum() or character > "\u25ff"
