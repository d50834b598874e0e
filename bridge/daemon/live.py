"""The settings that may change while a bridge runs, as the values that its parts are given, at the start and later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.box.box import Terms
from bridge.box.live_set import Retention
from bridge.config.section import declared
from bridge.config.sections import Body, BridgeLimits, Push, Retain, Smtp, Spam
from bridge.daemon.listening import ingress_settings
from bridge.daemon.worker_settings import WorkerSettings
from bridge.intake import Beliefs
from bridge.push.allowing import Allowed
from bridge.push.delivery import PushOptions
from bridge.push.saying import Disclosure
from bridge.store.bodies import Keeping

if TYPE_CHECKING:
    from bridge.config.settings import Settings
    from bridge.ingress import IngressSettings

KEYS: Final = frozenset(
    {
        *(f"retain.{key}" for key in declared(Retain)),
        *(f"body.{key}" for key in declared(Body)),
        *(f"spam.{key}" for key in declared(Spam)),
        *(f"push.{key}" for key in declared(Push)),
        *(f"limits.{key}" for key in declared(BridgeLimits)),
        *(f"smtp.{key}" for key in declared(Smtp) if key not in {"listen", "tls_listen"}),
        *("http.networks", "http.tls_cert", "http.tls_key"),
        "log.level",
        *("broker.public_url", "http.public_url"),  # commands read them
    }
)
"""Dotted keys. What is not among them holds from the next start on. Those of HTTP reach `Seeing` as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustable:
    """What the parts are given. Nothing else in the daemon makes these of settings."""

    retention: Retention
    terms: Terms
    beliefs: Beliefs
    keeping: Keeping
    most_messages: int
    chunk: int
    request_rate: float
    ingress: IngressSettings
    push_options: PushOptions
    push_allowed: Allowed
    push_subject: str
    log_level: str

    @classmethod
    def of(cls, settings: Settings) -> Adjustable:
        """The values of these settings."""
        body, limits, web = settings.body, settings.limits, _web(settings)
        return cls(
            retention=Retention(settings.retain.count, settings.retain.days),
            terms=Terms(limits.payload, settings.spam.action),
            beliefs=Beliefs(frozenset(settings.smtp.authserv_ids), settings.spam.headers, limits.received),
            keeping=Keeping(body.days, body.quota, body.total, body.headers_days),
            most_messages=limits.messages,
            chunk=limits.chunk,
            request_rate=limits.request_rate,
            ingress=ingress_settings(settings),
            push_options=_push_options(settings),
            push_allowed=allowed(settings),
            push_subject=settings.push.subject or (web if web.startswith("https:") else ""),
            log_level=settings.log.level,
        )


def worker_settings(settings: Settings, name: str) -> WorkerSettings:
    """What a worker of that name is told."""
    given = Adjustable.of(settings)
    return WorkerSettings(
        name=name,
        ingress=given.ingress,
        beliefs=given.beliefs,
        spool_dir=settings.spool_dir,
        log_level=settings.log.level,
        log_style=settings.log.format,
    )


def allowed(settings: Settings) -> Allowed:
    """To which push services it may go."""
    listed = settings.push.allow
    hosts = frozenset(each for each in listed if isinstance(each, str))
    return Allowed(hosts, tuple(each for each in listed if not isinstance(each, str)))


def _push_options(settings: Settings) -> PushOptions:
    push = settings.push
    return PushOptions(enabled=push.enabled, content=Disclosure(push.content), ttl_s=push.ttl, web=_web(settings))


def _web(settings: Settings) -> str:
    """The origin of our page, where browsers see it."""
    url = settings.http.public_url
    return "" if url is None else str(url)
