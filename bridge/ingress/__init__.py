"""The ingress: SMTP and LMTP listeners that turn a conversation into an envelope for the intake."""

from bridge.ingress.limits import Limits
from bridge.ingress.listeners import SocketFile
from bridge.ingress.port import Intake
from bridge.ingress.server import Ingress, IngressSettings
from bridge.ingress.trust import Trust

__all__ = ["Ingress", "IngressSettings", "Intake", "Limits", "SocketFile", "Trust"]
