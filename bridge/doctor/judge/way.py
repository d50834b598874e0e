"""A mail's way from mail server and listener to device and back, judged by what a probe met on it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.doctor.judge.check import Check
from bridge.doctor.judge.finding import Finding, broken, fine, unknown

OF_WAY = (Check.HANDED, Check.ACCEPTED, Check.PUBLISHED, Check.DEVICE_LOGIN, Check.TOLD, Check.SEEN, Check.CLEARED)


@dataclass(frozen=True, slots=True)
class Letter:
    """A probe mail: the listener it was handed to, whether that took it, and what it said."""

    listener: str
    accepted: bool
    reply: str


@dataclass(frozen=True, slots=True)
class Handed:
    """A probe mail that a mail server was given. `refusal` is why it did not take it, empty if it did.

    `arrived` says whether Postbell has it. If not, `queued` says whether it is in the server's queue, None when that
    cannot be known, and `reason` why it waits there, as the server says.
    """

    server: str
    refusal: str = ""
    arrived: bool = False
    queued: bool | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class WaySeen:
    """What the probe met; what is None was not come to. `url` is where the device came in.

    `unhanded` says why no mail server was given a mail, and `late` that there was no time for what was not come to.
    `refusal` says why the broker did not let the device in, and `unknown_login` that it may not know of throw-away
    logins, being another's. `told` says whether the device heard of each accepted mail; `answer` what the
    request to mark them as seen came to, 0 being right; `vanished` whether they then went away; `left` what may
    still be there of the accounts.
    """

    handed: tuple[Handed, ...] = ()
    unhanded: str = ""
    letters: tuple[Letter, ...] = ()
    published: bool | None = None
    url: str = ""
    refusal: str | None = None
    unknown_login: bool = False
    told: bool | None = None
    answer: int | None = None
    asked: bool = False
    vanished: bool | None = None
    left: str = ""
    late: str = ""


def judge(way: WaySeen) -> list[Finding]:
    """All findings of the hop `way`."""
    return [*_handed(way), *_accepted(way), _published(way), _login(way), _told(way), _seen(way), _cleared(way)]


def nothing(reason: str) -> list[Finding]:
    """The findings when there was no probe."""
    return [unknown(check, reason) for check in OF_WAY]


def _handed(way: WaySeen) -> list[Finding]:
    if not way.handed:
        return [unknown(Check.HANDED, way.unhanded or way.late)]
    return [found for each in way.handed if (found := _on_its_way(each)) is not None] or [fine(Check.HANDED)]


def _on_its_way(handed: Handed) -> Finding | None:
    """What is wrong with the way from one mail server, None if nothing is."""
    if handed.arrived:
        return None
    server = handed.server
    if handed.refusal:
        return broken(
            Check.HANDED,
            f"{server} did not take a mail from a program of this machine: {handed.refusal}",
            "the log of the mail server says why; is it running?",
        )
    if handed.reason:
        return broken(
            Check.HANDED,
            f"{server} took a mail, and cannot hand it over: {handed.reason}",
            "mend what it says; mta.recipe, mta.socket, listener.lmtp and way.accepted say more",
        )
    if handed.queued:
        return unknown(Check.HANDED, f"{server} took a mail, and it is still on its way", "ask again")
    where = "it is not in its queue, either" if handed.queued is False else "its queue cannot be asked by this user"
    return broken(
        Check.HANDED,
        f"{server} took a mail, and it did not come; {where}",
        "the log of the mail server says where it went; something else in its configuration may overrule the recipe",
    )


def _accepted(way: WaySeen) -> list[Finding]:
    if not way.letters:
        return [unknown(Check.ACCEPTED, way.late or "neither SMTP nor LMTP listens")]
    found = []
    for letter in way.letters:
        if letter.accepted:
            continue
        if letter.reply.startswith(("530", "554 5.7.1")):
            told = f"{letter.listener}: this machine may not hand in mail there ({letter.reply})"
            found.append(unknown(Check.ACCEPTED, told, "smtp.networks says who may"))
        else:
            told = f"{letter.listener} did not take a mail for a user: {letter.reply}"
            found.append(
                broken(Check.ACCEPTED, told, "the log says why: journalctl -u postbell; look at the hop store")
            )
    if not found and way.late and way.published is None:
        return [unknown(Check.ACCEPTED, way.late)]
    return found or [fine(Check.ACCEPTED)]


def _published(way: WaySeen) -> Finding:
    if way.published is None:
        return unknown(Check.PUBLISHED, way.late or "no mail was taken")
    if way.published:
        return fine(Check.PUBLISHED)
    return broken(
        Check.PUBLISHED,
        "the mail is kept, and the broker has not acknowledged it",
        "look at the hop broker; what waits is published as soon as it can be",
    )


def _login(way: WaySeen) -> Finding:
    if way.refusal is None:
        return unknown(Check.DEVICE_LOGIN, way.late or "it was not tried") if not way.url else fine(Check.DEVICE_LOGIN)
    if way.unknown_login:
        return unknown(
            Check.DEVICE_LOGIN,
            f"the broker at {way.url} does not know the throw-away login ({way.refusal})",
            "let it know the logins of the doctor, and give their password: --password-file FILE",
        )
    return broken(
        Check.DEVICE_LOGIN,
        f"a new device is not let in at {way.url}: {way.refusal}",
        "look at the hops broker and listener; with another broker, its logins are not kept current",
    )


def _told(way: WaySeen) -> Finding:
    if way.told is None:
        return unknown(Check.TOLD, way.late or "no device was there to be told")
    if way.told:
        return fine(Check.TOLD)
    return broken(
        Check.TOLD,
        "the broker took the mail's header, and did not give it to the device that subscribed",
        "let devices read <root>/<user>/msg/+ at the broker; look at broker.queue",
    )


def _seen(way: WaySeen) -> Finding:
    if not way.asked:
        return unknown(Check.SEEN, way.late or "no device was there to ask")
    if way.answer is None:
        return broken(
            Check.SEEN,
            "a device asked, and got no answer: requests do not reach the bridge, or answers do not reach the device",
            "let devices write <root>/<user>/do/<device> and read <root>/<user>/re/<device>, the bridge the reverse",
        )
    if way.answer != 0:
        return broken(
            Check.SEEN,
            f"a device asked to have its mail marked as seen, and was refused (status {way.answer})",
            "the log says why: journalctl -u postbell; look at the hop store",
        )
    if way.vanished:
        return fine(Check.SEEN)
    return broken(
        Check.SEEN,
        "a mail that was seen does not go away on the device",
        "look at broker.retained: postbell reconcile repairs what the broker holds",
    )


def _cleared(way: WaySeen) -> Finding:
    if not way.left:
        return fine(Check.CLEARED)
    return broken(
        Check.CLEARED, way.left, "ask again, as root for a queue: the next doctor removes what the last one left"
    )
