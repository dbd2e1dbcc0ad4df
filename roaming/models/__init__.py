from roaming.models.attempt import PushAttempt
from roaming.models.circuit import Circuit
from roaming.models.command import Command
from roaming.models.document import Document
from roaming.models.hub import ClientInfo
from roaming.models.message import Message
from roaming.models.platform import PlatformEndpoint, PlatformRole, RoamingPlatform
from roaming.models.profile import RoamingProfile
from roaming.models.profile_request import ProfileRequest
from roaming.models.pull import Pull
from roaming.models.push import Push

__all__ = [
    "Circuit",
    "ClientInfo",
    "Command",
    "Document",
    "Message",
    "PlatformEndpoint",
    "PlatformRole",
    "ProfileRequest",
    "Pull",
    "Push",
    "PushAttempt",
    "RoamingPlatform",
    "RoamingProfile",
]
