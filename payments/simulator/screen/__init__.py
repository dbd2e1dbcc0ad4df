"""A terminal to touch, in the browser: it acts through the control API."""

import io
from pathlib import Path
from urllib.parse import parse_qs

import segno

TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FILES = {path.name: path for path in Path(__file__).parent.iterdir() if path.suffix in TYPES}


def serve(path: str, query: str) -> tuple[int, bytes, str]:
    """Status, content and content type of what lies under /terminal."""
    name = path.removeprefix("/terminal").strip("/") or "screen.html"
    if name == "qr.svg":
        return 200, _code(parse_qs(query).get("text", [""])[0]), TYPES[".svg"]
    if name not in FILES:
        return 404, b"", TYPES[".html"]
    return 200, FILES[name].read_bytes(), TYPES[FILES[name].suffix]


def _code(text: str) -> bytes:
    """A QR code, black on white also where the page is dark: that is what cameras expect."""
    drawing = io.BytesIO()
    segno.make(text or "-", error="m", micro=False).save(drawing, kind="svg", border=4, light="#fff", omitsize=True)
    return drawing.getvalue()
