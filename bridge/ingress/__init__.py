"""The ingress: SMTP and LMTP listeners that turn a conversation into an envelope for the intake."""

from bridge.ingress.handed import HandedSockets
from bridge.ingress.interfaces import Intake
from bridge.ingress.limits import SessionLimits
from bridge.ingress.listeners import SocketFile
from bridge.ingress.passing import Elsewhere
from bridge.ingress.server import Ingress
from bridge.ingress.settings import IngressSettings
from bridge.ingress.trust import Trust

__all__ = [
    "Elsewhere",
    "HandedSockets",
    "Ingress",
    "IngressSettings",
    "Intake",
    "SessionLimits",
    "SocketFile",
    "Trust",
]
