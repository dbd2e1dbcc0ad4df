"""Settings of Plugtill. Every value that an installation may choose comes from an environment variable.

Two profiles: without DATABASE_URL and REDIS_URL everything runs embedded in one process on SQLite, with both
Plugtill is clustered on PostgreSQL and Redis. `config.checks` refuses what lies between.
"""

import warnings
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import environ
from cryptography.fernet import Fernet
from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.core.management.utils import get_random_secret_key

from config import keyfiles, navigation

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent

# Profile

DATABASE_URL = env.str("DATABASE_URL", default="")
REDIS_URL = env.str("REDIS_URL", default="")
EMBEDDED = not DATABASE_URL and not REDIS_URL
DATA_DIR = Path(env.str("DATA_DIR", default="") or BASE_DIR / "data").resolve()

DEBUG = env.bool("DEBUG", default=False)
PORT = env.int("PORT", default=8000)
# The base of every absolute URL that peers and drivers get from us.
PUBLIC_URL = env.str("PUBLIC_URL", default=f"http://127.0.0.1:{PORT}").rstrip("/")
HAS_HTTPS = PUBLIC_URL.startswith("https://")

# Secrets: an embedded installation makes its own, a cluster must share the ones it is given.

SECRET_KEY = env.str("SECRET_KEY", default="")
# Keys of before: what was signed or hashed with them stays good, and is hashed anew when it is used.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
FIELD_ENCRYPTION_KEYS = env.list("FIELD_ENCRYPTION_KEYS", default=[])
if EMBEDDED:
    DATA_DIR.mkdir(parents=True, exist_ok=True)
    SECRET_KEY = SECRET_KEY or keyfiles.read_or_create(DATA_DIR / "secret_key", get_random_secret_key)
    FIELD_ENCRYPTION_KEYS = FIELD_ENCRYPTION_KEYS or [
        keyfiles.read_or_create(DATA_DIR / "field_encryption_key", lambda: Fernet.generate_key().decode())
    ]

# Web

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
HAS_PUBLIC_HOST = bool(ALLOWED_HOSTS) or "PUBLIC_URL" in env.ENVIRON
# The loopback names serve health checks; they open nothing to an attacker of a public site.
ALLOWED_HOSTS += [urlsplit(PUBLIC_URL).hostname or "", "localhost", "127.0.0.1", "[::1]"]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if "://" in PUBLIC_URL else []
# Addresses of the reverse proxies whose X-Forwarded-* headers count; "*" trusts every client.
FORWARDED_ALLOW_IPS = env.list("FORWARDED_ALLOW_IPS", default=[])

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HAS_HTTPS
SESSION_COOKIE_HTTPONLY = True
SECURE_HSTS_SECONDS = 31_536_000 if HAS_HTTPS else 0
# Only where a proxy tells us what the visitor used; else every answer would lead back to the same address.
SECURE_SSL_REDIRECT = HAS_HTTPS and bool(FORWARDED_ALLOW_IPS)
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
# Other names below the same domain, and browsers' lists of domains, are not for this software to decide on.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
# Tiles of the map on the home page, for example https://tiles.example/{z}/{x}/{y}.png; empty: a plain ground.
MAP_TILES_URL = env.str("MAP_TILES_URL", default="")
MAP_ATTRIBUTION = env.str("MAP_ATTRIBUTION", default="")
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"


def _origin(address: str) -> list[str]:
    """Where a URL with placeholders comes from, as a policy names it."""
    parts = urlsplit(address)
    return [f"{parts.scheme}://{parts.netloc.replace('{s}', '*')}"] if parts.netloc else []


# Everything comes from ourselves. The admin's templates (unfold with Alpine) have scripts and styles in the page
# and compute expressions, hence the unsafe words; the map's tiles are the one thing from elsewhere.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, UNSAFE_INLINE, UNSAFE_EVAL],
        "style-src": [SELF, UNSAFE_INLINE],
        "img-src": [SELF, "data:", *_origin(MAP_TILES_URL)],
        "font-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
# Reads /metrics with this bearer token; empty: no metrics.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

# Guessing passwords of staff: five failures of a name from one address lock that pair out for a quarter of an hour.
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
# Where a sign-in leads whose `next` leads out of here.
LOGIN_REDIRECT_URL = "admin:index"
AXES_FAILURE_LIMIT = env.int("LOGIN_FAILURE_LIMIT", default=5)
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
AXES_LOCKOUT_TEMPLATE = "locked_out.html"
# Different wrong tokens of partners or programs from one address in ten minutes, or passwords of one charger; ten times
# as many of all chargers behind one address. Then it waits, apart from who has proved himself there. 0: no limit.
GUESS_LIMIT = env.int("GUESS_LIMIT", default=20)
# The address is the connection's own; `serve` has already put in what a trusted proxy says.
AXES_CLIENT_IP_CALLABLE = "config.middleware.address_of"

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.import_export",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "channels",
    "import_export",
    "django_celery_beat",
    "simple_history",
    "config.apps.ConfigConfig",
    "payments",
    "roaming",
    "chargers",
    "tariffs",
    "infrastructure",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "config.middleware.StaffLanguageMiddleware",
    "roaming.middleware.OcpiMiddleware",
    "config.middleware.KeepableAddressMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "infrastructure.live.KeepMessagesMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "config.middleware.SiteZoneMiddleware",
    "config.middleware.OddFilterMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "config.middleware.ActsMiddleware",
    "axes.middleware.AxesMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
            ]
        },
    }
]

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

REST_FRAMEWORK = {
    # Closed unless a view says otherwise: OCPI views bring the authentication of their platform.
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "chargers.api.schema.ApiSchema",
}

# The operator API (its views name their own classes). Requests per token: a number per second, minute, hour or day.
API_RATE = env.str("API_RATE", default="600/minute")
SPECTACULAR_SETTINGS = {
    "TITLE": "Plugtill operator API",
    "DESCRIPTION": "Charge points, commands, transactions and id tokens of the operators that a token is for.",
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "PREPROCESSING_HOOKS": ["chargers.api.schema.only_ours"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "chargers.api.schema.add_errors",
    ],
    "ENUM_NAME_OVERRIDES": {"AuthorizationStatusEnum": ["Accepted", "Blocked", "Expired", "Invalid"]},
    # From our own files: an installation may have no way out, and nobody learns who reads this.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
}

# Database, cache, channel layer

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

if DATABASE_URL:
    DATABASES = {"default": env.db_url("DATABASE_URL")}
    # A connection out of the pool is looked at first: after a restart of the server each of them would fail once.
    DATABASES["default"].update(ATOMIC_REQUESTS=False, CONN_MAX_AGE=0, CONN_HEALTH_CHECKS=True)
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATA_DIR / "plugtill.sqlite3",
            "ATOMIC_REQUESTS": False,
            "OPTIONS": {
                # A transaction that reads first and writes later would fail at once with "database is locked"
                # instead of waiting its turn.
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            },
            # A file: threads of a test cannot wait for each other on Django's in-memory test database.
            "TEST": {"NAME": DATA_DIR / "test.sqlite3"},
        }
    }
if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    DATABASES["default"]["ENGINE"] = "infrastructure.postgresql"
    # Threads share the connections of their process; waiting longer than this is an outage, not a queue.
    # A server allows 100 connections unless told otherwise, for all processes together.
    DATABASE_OPTIONS = DATABASES["default"].setdefault("OPTIONS", {})
    DATABASE_OPTIONS["pool"] = {
        "min_size": 1,
        "max_size": env.int("DATABASE_POOL_SIZE", default=20),
        "timeout": 15,
        "max_idle": 60,
    }
    if env.bool("DATABASE_PREPARE", default=True):
        # Only what asks for it (`infrastructure.prepared`): Django itself prepares nothing.
        DATABASE_OPTIONS["prepare_threshold"] = 5
        DATABASE_OPTIONS["options"] = f"{DATABASE_OPTIONS.get('options', '')} -c plan_cache_mode=force_generic_plan"

if REDIS_URL:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
            # Nothing in it is worth waiting for.
            "OPTIONS": {"socket_timeout": 2, "socket_connect_timeout": 2},
        }
    }
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "config.channel_layer.PatientRedisChannelLayer",
            # channels_redis waits for messages longer than redis-py's default time-out for any answer.
            "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": None}], "prefix": "plugtill"},
        }
    }
else:
    # Room for the counts of strangers: what is thrown out for want of room is no limit any more.
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "OPTIONS": {"MAX_ENTRIES": 50_000},
        }
    }
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

# Background work. Long waits live in rows (`not_before`), never in the broker.

CELERY_BROKER_URL = REDIS_URL or "memory://localhost/"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_EXPIRES = None
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TIMEZONE = "UTC"
# Tasks wait for peers and the database, they do not compute: threads serve them with less memory.
CELERY_WORKER_POOL = "threads"
WORKER_CONCURRENCY = CELERY_WORKER_CONCURRENCY = env.int("WORKER_CONCURRENCY", default=4)
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Whatever waits for partners has workers of its own: sessions, limits and sweeps never wait behind it.
PEER_CONCURRENCY = env.int("PEER_CONCURRENCY", default=12)
CELERY_TASK_DEFAULT_QUEUE = "work"
CELERY_TASK_QUEUES: dict[str, dict[str, str]] = {"work": {}, "peers": {}}
CELERY_TASK_ROUTES = {
    task: {"queue": "peers"}
    for task in (
        "roaming.tasks.deliver_pushes",
        "roaming.tasks.probe_platform",
        "roaming.tasks.run_pull",
        "config.tasks.send_alerts",
        "infrastructure.tasks.note_peers_pulse",
    )
}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_BEAT_SCHEDULER = "config.beat:Scheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 1

# What happens when, by task name. Sweeps are the guarantee behind every wake-up.
CELERY_BEAT_SCHEDULE = {
    task: {
        "task": task,
        "schedule": timedelta(seconds=seconds),
        # A run that could not begin before the next is due is no longer wanted.
        "options": {"expires": max(seconds, 10)},
    }
    for task, seconds in {
        "infrastructure.tasks.drain_outbox": 2,
        "infrastructure.tasks.note_pulse": 10,
        "infrastructure.tasks.note_peers_pulse": 10,
        "infrastructure.tasks.delete_processed_events": 24 * 3600,
        "chargers.tasks.expire_calls": 2,
        "chargers.tasks.sweep_calls": 2,
        "chargers.tasks.expire_pending_sessions": 10,
        "chargers.tasks.end_lost_sessions": 10,
        "chargers.tasks.settle_held_events": 20,
        "chargers.tasks.expire_reservations": 10,
        "chargers.tasks.price_active_sessions": 10,
        "chargers.tasks.mark_silent_chargers": 20,
        "chargers.tasks.delete_old_messages": 3600,
        "chargers.tasks.watch_certificates": 3600,
        "payments.tasks.sweep_payment_issues": 60,
        "payments.tasks.render_invoices": 30,
        "roaming.tasks.sweep_pushes": 5,
        # Often: a pull that found its partner's share of the workers taken waits for the next look.
        "roaming.tasks.wake_due_pulls": 5,
        "roaming.tasks.watch_deliveries": 30,
        "config.tasks.send_alerts": 30,
        "config.tasks.delete_old_alerts": 24 * 3600,
        "config.tasks.forget_old_rows": 24 * 3600,
        "roaming.tasks.reevaluate_tariff_validity": 60,
        "roaming.tasks.refresh_all_documents": 24 * 3600,
        "roaming.tasks.delete_finished_pushes": 24 * 3600,
        "roaming.tasks.delete_old_messages": 24 * 3600,
    }.items()
}

# What happens after what: topic -> consumers in the order in which they run. They only write rows.
OUTBOX_CONSUMERS: dict[str, list[str]] = {
    "location": ["roaming.services.documents.refresh_locations"],
    "status": ["roaming.services.statuses.tell_statuses"],
    "tariff": ["roaming.services.documents.refresh_tariff"],
    "settings": ["roaming.services.documents.refresh_all"],
    "platform": ["roaming.services.documents.refresh_platform"],
    "prices": ["payments.services.price_evidence.record_prices"],
    "session": ["roaming.services.session_documents.refresh_session", "payments.services.worklist.look_at_session"],
    # Of its energy and cost, and of nothing else.
    "progress": ["roaming.services.session_documents.refresh_sessions"],
    # The invoice number is on the CDR before the CDR leaves.
    "cdr": [
        "payments.services.invoices.open_invoice",
        "roaming.services.session_documents.freeze_cdr",
        "payments.services.worklist.look_at_cdr",
    ],
    "call": [
        "chargers.services.variables.store_answer",
        "chargers.services.local_lists.follow_call",
        "chargers.services.installed_certificates.store_answer",
        "chargers.services.device.store_answer",
        "roaming.services.commands.report_call",
        "roaming.services.profile_results.report_profile_call",
    ],
    "reservation": ["roaming.services.commands.report_reservation"],
    "terminal": ["payments.services.terminal_push.queue_assignment", "payments.services.worklist.look_at_terminal"],
    "terminal-report": ["payments.services.worklist.look_at_terminal"],
    "advice": ["payments.services.advices.match_advice", "payments.services.worklist.look_at_advice"],
}
# What follows from master data, in the order of its turns: a tariff's documents are written before those of areas that
# name it. All other topics never wait for these.
OUTBOX_RENDERING = ["tariff", "settings", "platform", "prices", "location", "status"]
# Of those others, what comes again anyway, and must not keep an end or a CDR waiting.
OUTBOX_LAST = ["progress"]
# Their consumers take many ids at once, in as many queries as for one.
OUTBOX_IN_BATCHES = ["location", "status", "progress"]

# Who decides on tags that chargers present and that belong to no session of ours.
START_AUTHORIZATION = "roaming.services.authorize.authorize_start"

# Charging

# How long an accepted start may wait for the cable; how long a partner's command may take.
PLUG_IN_TIMEOUT = timedelta(seconds=env.int("PLUG_IN_TIMEOUT_SECONDS", default=180))
# An outlet that is free for so long has ended its session, though its StopTransaction never came.
LOST_STOP_GRACE = timedelta(seconds=env.int("LOST_STOP_GRACE_SECONDS", default=60))
# A charger that was away tells the end from its queue, some time after it is back.
LOST_STOP_GRACE_OFFLINE = timedelta(seconds=env.int("LOST_STOP_GRACE_OFFLINE_SECONDS", default=15 * 60))
PLUG_IN_TIMEOUT_OFFLINE = timedelta(seconds=env.int("PLUG_IN_TIMEOUT_OFFLINE_SECONDS", default=15 * 60))
LOST_CHARGER_AFTER = timedelta(seconds=env.int("LOST_CHARGER_SECONDS", default=12 * 3600))
# 0: sessions may be as long as they like.
LONGEST_SESSION = timedelta(seconds=env.int("LONGEST_SESSION_SECONDS", default=48 * 3600))
COMMAND_TIMEOUT = timedelta(seconds=env.int("COMMAND_TIMEOUT_SECONDS", default=30))
# Mere progress of a session (energy, cost) is told to a partner at most this often.
SESSION_PROGRESS_INTERVAL = timedelta(seconds=env.int("SESSION_PROGRESS_SECONDS", default=30))

# Chargers

# Whether chargers whose security profile is 0 are let in without any proof.
CHARGERS_WITHOUT_PASSWORD = env.bool("CHARGERS_WITHOUT_PASSWORD", default=False)
# Whether unknown identities that knock are listed for staff to accept; refused they are until then either way.
PENDING_CHARGERS = env.bool("PENDING_CHARGERS", default=False)
# Seconds after which a charger that came back is asked for what it has not told by itself.
CHARGER_SETTLED_AFTER = env.float("CHARGER_SETTLED_AFTER_SECONDS", default=10.0)
# Where a proxy of FORWARDED_ALLOW_IPS writes the subject of the client certificate that it has verified.
CLIENT_CERTIFICATE_END_HEADER = env.str("CLIENT_CERTIFICATE_END_HEADER", default="X-SSL-Client-V-End")
CLIENT_CERTIFICATE_HEADER = env.str("CLIENT_CERTIFICATE_HEADER", default="X-SSL-Client-S-DN")
# The authority that signs chargers' client certificates (PEM; the key without a passphrase). Neither: staff do.
CHARGER_CA_CERTIFICATE_FILE = env.str("CHARGER_CA_CERTIFICATE_FILE", default="")
CHARGER_CA_KEY_FILE = env.str("CHARGER_CA_KEY_FILE", default="")
CERTIFICATE_WARNING_DAYS = env.int("CERTIFICATE_WARNING_DAYS", default=30)
CHARGER_CERTIFICATE_DAYS = env.int("CHARGER_CERTIFICATE_DAYS", default=730)
# How long the log of all frames is kept (0 keeps none), and what chargers tell of faults, security and firmware.
CHARGER_MESSAGE_LOG_DAYS = env.int("CHARGER_MESSAGE_LOG_DAYS", default=7)
CHARGER_MESSAGE_LOG_HEARTBEATS = env.bool("CHARGER_MESSAGE_LOG_HEARTBEATS", default=False)
CHARGER_EVENT_DAYS = env.int("CHARGER_EVENT_DAYS", default=365)

# Payments: when an exception is somebody's business.

# A partner's financial advice that has not come by then is asked for in the work list.
ADVICE_TIMEOUT = timedelta(seconds=env.int("ADVICE_TIMEOUT_SECONDS", default=24 * 3600))
LOST_CHARGER_NOTICE = timedelta(seconds=env.int("LOST_CHARGER_NOTICE_SECONDS", default=900))

# Peers (payment terminal providers, eMSPs)

PEERS_ALLOW_PRIVATE_ADDRESSES = env.bool("PEERS_ALLOW_PRIVATE_ADDRESSES", default=EMBEDDED)
PEERS_REQUIRE_HTTPS = env.bool("PEERS_REQUIRE_HTTPS", default=not PEERS_ALLOW_PRIVATE_ADDRESSES)

# An address typed into a form without its scheme means https, as in Django 6; its own notice says only that.
warnings.filterwarnings("ignore", message="The FORMS_URLFIELD_ASSUME_HTTPS transitional setting")
FORMS_URLFIELD_ASSUME_HTTPS = True

# How long the log of all messages exchanged with them is kept; 0 keeps none.
MESSAGE_LOG_DAYS = env.int("MESSAGE_LOG_DAYS", default=30)

# How long the rest is kept, in days; 0: for ever. Money (sessions, CDRs, invoices) has no setting: it is kept, but
# without the driver from PERSONAL_DATA_DAYS on.
PERSONAL_DATA_DAYS = env.int("PERSONAL_DATA_DAYS", default=10 * 365 + 3)
TOKEN_DAYS = env.int("TOKEN_DAYS", default=365)
CALL_DAYS = env.int("CALL_DAYS", default=365)
METER_VALUE_DAYS = env.int("METER_VALUE_DAYS", default=3 * 365)
AUDIT_DAYS = env.int("AUDIT_DAYS", default=3 * 365)
LOGIN_LOG_DAYS = env.int("LOGIN_LOG_DAYS", default=90)

# Alerts: who is told of what needs a person, and how often at most. Without a target they stand in admin only.

ALERT_EMAILS = env.list("ALERT_EMAILS", default=[])
ALERT_WEBHOOK_URL = env.str("ALERT_WEBHOOK_URL", default="")
ALERT_INTERVAL = timedelta(minutes=env.int("ALERT_INTERVAL_MINUTES", default=5))
# A CDR that a partner has not confirmed for so long.
ALERT_CDR_AFTER = timedelta(minutes=env.int("ALERT_CDR_MINUTES", default=60))

# Mail: for example smtp+tls://user:password@mail.example.com:587.
globals().update(env.email_url("EMAIL_URL", default="smtp://localhost:25"))
EMAIL_TIMEOUT = 15
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str(
    "EMAIL_FROM", default=f"Plugtill <plugtill@{urlsplit(PUBLIC_URL).hostname or 'localhost'}>"
)

# Language and time

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
FORMAT_MODULE_PATH = "config.formats"

# Static files: the container sets STATIC_ROOT and collects them, otherwise they come straight from the apps.

# WhiteNoise streams as Django does itself; the warning that ASGI gives each time tells nothing new.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")

STATIC_URL = "/static/"
# The map's library out of its package, whose Django app would want GDAL.
STATICFILES_DIRS = [Path(str(find_spec("leaflet").origin)).parent / "static"]  # type: ignore[union-attr]
STATIC_ROOT = env.str("STATIC_ROOT", default="") or None
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if STATIC_ROOT
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# Admin

UNFOLD = navigation.UNFOLD

# Logging: one line per event on stderr, which systemd, Docker and a terminal all collect.

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
# "line" for people, "json" for collectors: one object per line.
LOG_FORMAT = env.str("LOG_FORMAT", default="line")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "config.logs.LineFormatter",
            "fmt": "{asctime} {levelname:<7} {name}:{correlation} {message}",
            "style": "{",
        },
        "json": {"()": "config.logs.json_formatter"},
    },
    "filters": {
        "refused_handshakes": {"()": "config.logs.RefusedHandshakes"},
        "broken_frames": {"()": "config.logs.BrokenFrames"},
        "correlation": {"()": "config.logs.Correlation"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["correlation"]}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "axes": {"level": "WARNING"},
        "django": {"level": LOG_LEVEL},
        "django.server": {"handlers": [], "propagate": True},
        "uvicorn.access": {"handlers": [], "propagate": False},
        "uvicorn.error": {"filters": ["refused_handshakes"]},
        "ocpp": {"filters": ["broken_frames"]},
        # Both report every task at INFO; what a task did is told by the services.
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "django_celery_beat": {"level": "WARNING"},
    },
}
