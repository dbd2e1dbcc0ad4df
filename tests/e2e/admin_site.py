"""The admin as a browser uses it: pages are read, their forms filled in and sent back whole."""

import re
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser

import requests

TYPES_NOT_SENT = {"submit", "button", "reset", "image", "file"}
Value = str | list[str]


@dataclass
class Form:
    """What a browser would send of a form that nobody touched, and the names of all its inputs."""

    is_post: bool
    fields: dict[str, list[str]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def beside(self, ending: str, value: str, sibling: str) -> str:
        """The input `sibling` of the inline row whose input `ending` has this value."""
        for name, values in self.fields.items():
            row, _, last = name.rpartition("-")
            if last == ending and values == [value]:
                return f"{row}-{sibling}"
        raise AssertionError(f"no row has {ending} {value!r}: {self.fields}")

    def new_row(self, inline: str, index: int, **values: str) -> dict[str, str]:
        """What the page adds for "Add another": the inputs of the empty row under the next number."""
        total, empty = f"{inline}-TOTAL_FORMS", f"{inline}-__prefix__-"
        assert int(self.fields[total][0]) <= index
        row = {name.removeprefix(empty): held[0] for name, held in self.fields.items() if name.startswith(empty)}
        return {total: str(index + 1)} | {f"{inline}-{index}-{name}": value for name, value in (row | values).items()}


class _Reader(HTMLParser):
    """Collects the forms of a page with what their inputs hold."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._name = ""
        self._is_multiple = False
        self._options: list[tuple[bool, str]] = []
        self._text: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(given.get("method", "").lower() == "post")
            self.forms.append(self._form)
        elif tag == "option":
            self._options.append(("selected" in given, given.get("value", "")))
        elif self._form and given.get("name") and "disabled" not in given:
            self._form.names.add(given["name"])
            self._open(self._form, tag, given)

    def _open(self, form: Form, tag: str, given: dict[str, str]) -> None:
        if tag == "select":
            self._name, self._is_multiple, self._options = given["name"], "multiple" in given, []
        elif tag == "textarea":
            self._name, self._text = given["name"], []
        elif tag == "input" and given.get("type") not in TYPES_NOT_SENT:
            is_box = given.get("type") in {"checkbox", "radio"}
            if not is_box or "checked" in given:
                self._add(form, given["name"], given.get("value", "on" if is_box else ""))

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select" and self._form and self._name:
            selected = [value for is_selected, value in self._options if is_selected]
            # A list to choose one from always has one chosen.
            first = [] if self._is_multiple else [value for _, value in self._options[:1]]
            for value in selected or first:
                self._add(self._form, self._name, value)
            self._name = ""
        elif tag == "textarea" and self._form and self._text is not None:
            # The line break after the opening tag is no part of the text.
            self._add(self._form, self._name, "".join(self._text).lstrip("\r").removeprefix("\n"))
            self._text = None

    def _add(self, form: Form, name: str, value: str) -> None:
        form.fields.setdefault(name, []).append(value)


def forms_of(page: str) -> list[Form]:
    reader = _Reader()
    reader.feed(page)
    return reader.forms


def text_of(page: str) -> str:
    """What one reads of a page, with single spaces."""
    bare = re.sub(r"<(script|style|head)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", bare)).split())


class AdminSite:
    """Somebody of the staff, logged in. Paths are relative to the admin: `infrastructure/location/1/change/`."""

    def __init__(self, base_url: str, user: str, password: str) -> None:
        self._http = requests.Session()
        self._base = f"{base_url}/admin/"
        answer = self.submit("login/", having="password", username=user, password=password)
        assert answer.status_code == 302, text_of(answer.text)

    def page(self, path: str) -> str:
        answer = self._http.get(self._base + path, timeout=20, allow_redirects=False)
        assert answer.status_code == 200, f"{path}: HTTP {answer.status_code} {answer.headers.get('Location', '')}"
        return answer.text

    def rows(self, model: str, search: str = "") -> list[str]:
        """Primary keys on the list page of a model."""
        # Above the list stands, with a link, what was saved last.
        _, _, listed = self.page(f"{model}/?q={search}").partition('id="result_list"')
        return list(dict.fromkeys(re.findall(rf"/admin/{model}/(\d+)/change/", listed)))

    def row(self, model: str, search: str) -> str:
        """Path of the one row that a search finds."""
        found = self.rows(model, search)
        assert len(found) == 1, f"{len(found)} rows of {model} match {search!r}"
        return f"{model}/{found[0]}/"

    def form(self, path: str, *, having: str = "csrfmiddlewaretoken") -> Form:
        """The largest form of a page with this input: others log out or change the language."""
        forms = [form for form in forms_of(self.page(path)) if form.is_post and having in form.names]
        found = [form for form in forms if not {"language", "next"} <= form.names]
        assert found, f"{path} has no form with {having}"
        return max(found, key=lambda form: len(form.names))

    def submit(
        self, path: str, *, having: str = "csrfmiddlewaretoken", button: str = "", **changes: Value
    ) -> requests.Response:
        """Sends a page's form with some inputs changed, by the button of this name if it has one."""
        form, address = self.form(path, having=having), self._base + path
        unknown = {name for name in changes if re.sub(r"-\d+-", "-__prefix__-", name) not in form.names} - form.names
        assert not unknown, f"{path} has no input {', '.join(unknown)}"
        return self._http.post(
            address,
            data={**form.fields, **changes} | ({button: "1"} if button else {}),
            headers={"Referer": address},
            timeout=60,
            allow_redirects=False,
        )

    def save(self, path: str, *, button: str = "", **changes: Value) -> None:
        """Submits an add or change page. Raises AssertionError with what it says when it is refused."""
        answer = self.submit(path, button=button, **changes)
        assert answer.status_code == 302, f"{path} was not saved: {text_of(answer.text)[:3000]}"

    def delete(self, row: str) -> None:
        """Asks to delete a row and confirms."""
        answer = self.submit(f"{row}delete/", having="post")
        assert answer.status_code == 302, f"{row} was not deleted: {text_of(answer.text)[:3000]}"
