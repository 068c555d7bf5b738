"""Requests to one API server: each has a deadline, and each refusal is one of our errors.

Of the official client its kubeconfig, its sign-in and its connections are used; its models are not: they take seconds
to load, and lose fields that they do not know.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from kmigrate.adapters.kubernetes.refusals import Subject, is_not_served, not_served, refused
from kmigrate.adapters.retry import steadily
from kmigrate.adapters.stored import mapping, objects
from kmigrate.errors import KmigrateError, PlatformError, Transient
from kmigrate.model import Json, JsonObject

if TYPE_CHECKING:
    from kubernetes.client import ApiClient
    from urllib3 import BaseHTTPResponse

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
REPLACE = "application/json-patch+json"
_CONNECT_S, _ANSWER_S = 5.0, 30.0


class Lost(Transient):
    """No answer came: whether the request was heard is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request about `subject`; its path follows from it unless `path` says another."""

    method: str
    subject: Subject
    query: tuple[tuple[str, str], ...] = ()
    body: Json = None
    content: str = "application/json"
    subresource: str = ""
    path: str = ""

    @property
    def target(self) -> str:
        """The path that is asked for."""
        about = self.subject
        return self.path or about.kind.path(about.namespace, about.name, self.subresource)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """An API server and who we are there; safe to use from several threads."""

    client: ApiClient = field(repr=False)
    context: str

    @property
    def server(self) -> str:
        """Its address."""
        return str(self.client.configuration.host)

    @steadily
    def ask(self, call: Call) -> JsonObject:
        """The answer; what is worth trying again is tried for 15 s. Only for what may be asked twice."""
        return self.ask_once(call)

    def ask_once(self, call: Call) -> JsonObject:
        """The answer; raises Lost when none came, and what `refused` says of one that is no success."""
        with self.failing(call.subject):
            answer = self._request(call, (_CONNECT_S, _ANSWER_S))
            text = answer.data.decode(errors="replace")
        if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            raise self._refused(call.subject, answer.status, text)
        return _object(call.subject, text)

    def open(self, call: Call, silence_s: float) -> BaseHTTPResponse:
        """An answer that goes on; its reading fails after that much silence (seconds)."""
        with self.failing(call.subject):
            answer = self._request(call, (_CONNECT_S, silence_s))
            if answer.status == HTTPStatus.OK:
                return answer
            text = answer.data.decode(errors="replace")
        raise self._refused(call.subject, answer.status, text)

    def close(self) -> None:
        """Close what is open."""
        self.client.close()

    def _refused(self, subject: Subject, code: int, text: str) -> KmigrateError:
        if is_not_served(code, text):
            return not_served(subject, self._served(subject))
        return refused(subject, code, text)

    def _served(self, subject: Subject) -> tuple[str, ...]:
        """The versions of the subject's group that the API server knows."""
        group = subject.kind.group
        answer = self._request(Call(method="GET", subject=subject, path=f"/apis/{group}"), (_CONNECT_S, _ANSWER_S))
        found = _object(subject, answer.data.decode()) if answer.status == HTTPStatus.OK else {}
        return tuple(str(each.get("groupVersion")) for each in objects(found.get("versions")))

    def _request(self, call: Call, timeout: tuple[float, float]) -> BaseHTTPResponse:
        headers: dict[str, str] = {"Accept": "application/json", "User-Agent": "kmigrate", "Content-Type": call.content}
        self.client.update_params_for_auth(headers, [], ["BearerToken"], call.target, call.method, None)
        address = self.server + call.target + ("?" + urlencode(call.query) if call.query else "")
        answer = self.client.rest_client.request(
            call.method, address, headers=headers, body=call.body, _request_timeout=timeout
        )
        response: BaseHTTPResponse = answer.response
        return response

    @contextmanager
    def failing(self, subject: Subject) -> Iterator[None]:
        """What goes wrong within is told as Lost, or as a certificate that is not trusted."""
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            yield
        except ApiException as error:  # the client's word for whatever goes wrong while it greets by TLS
            if "CERTIFICATE_VERIFY_FAILED" not in str(error.reason):
                raise self._lost(subject, error) from error
            raise PlatformError(
                f"{self.server} (context {self.context}) cannot be spoken to: {_short(error)}",
                hint="compare certificate-authority in the kubeconfig with the certificate that the API server shows",
            ) from error
        except (HTTPError, OSError) as error:
            raise self._lost(subject, error) from error

    def _lost(self, subject: Subject, error: Exception) -> Lost:
        return Lost(
            f"{subject}: {self.server} (context {self.context}) does not answer: {_short(error)}",
            hint="look whether `kubectl get --raw /readyz` with the same context answers, then run it again",
        )


def _object(subject: Subject, text: str) -> JsonObject:
    try:
        found: Json = json.loads(text)
    except ValueError as error:
        raise PlatformError(
            f"{subject}: the API server answers no JSON: {text[:200]!r}",
            hint="look whether a proxy stands before it",
        ) from error
    return mapping(found)


def _short(error: Exception) -> str:
    return " ".join(str(getattr(error, "reason", None) or error).split())[:300]
