"""What the routes that are no FastAPI routes take and answer, for the OpenAPI document. Data, in few words."""

from typing import Any

Piece = dict[str, Any]
_TEXT: Piece = {"type": "string"}
_TEXTS: Piece = {"type": "array", "items": _TEXT}
_PAIRS: Piece = {"type": "object", "additionalProperties": _TEXT}
_INSTANT: Piece = {"type": "string", "format": "date-time"}
_ANYTHING: Piece = {"type": "object"}


def _ref(name: str) -> Piece:
    return {"$ref": f"#/components/schemas/{name}"}


def _several(name: str) -> Piece:
    return {"type": "array", "items": _ref(name)}


def _object(required: str = "", **properties: Piece) -> Piece:
    return {"type": "object", "properties": properties, "required": required.split()}


SCHEMAS: dict[str, Piece] = {
    "Pairs": _PAIRS,
    "Matcher": _object(
        "name value isRegex", name=_TEXT, value=_TEXT, isRegex={"type": "boolean"}, isEqual={"type": "boolean"}
    ),
    "PostableAlert": _object(
        "labels",
        labels=_ref("Pairs"),
        annotations=_ref("Pairs"),
        startsAt=_INSTANT,
        endsAt=_INSTANT,
        generatorURL=_TEXT,
    ),
    "GettableAlert": _object(
        "labels annotations startsAt endsAt updatedAt fingerprint receivers status",
        labels=_ref("Pairs"),
        annotations=_ref("Pairs"),
        startsAt=_INSTANT,
        endsAt=_INSTANT,
        updatedAt=_INSTANT,
        generatorURL=_TEXT,
        fingerprint={"type": "string", "pattern": "^[0-9a-f]{16}$"},
        receivers={"type": "array", "items": _object("name", name=_TEXT)},
        status=_object(
            "state silencedBy inhibitedBy mutedBy",
            state={"enum": ["unprocessed", "active", "suppressed"]},
            silencedBy=_TEXTS,
            inhibitedBy=_TEXTS,
            mutedBy=_TEXTS,
        ),
    ),
    "AlertGroup": _object(
        "labels routeLabels receiver alerts",
        labels=_ref("Pairs"),
        routeLabels=_ref("Pairs"),
        receiver=_object("name", name=_TEXT),
        alerts=_several("GettableAlert"),
    ),
    "PostableSilence": _object(
        "matchers startsAt endsAt createdBy comment",
        id=_TEXT,
        matchers={"type": "array", "items": _ref("Matcher"), "minItems": 1},
        startsAt=_INSTANT,
        endsAt=_INSTANT,
        createdBy=_TEXT,
        comment=_TEXT,
        annotations=_ref("Pairs"),
    ),
    "GettableSilence": _object(
        "id status updatedAt annotations matchers startsAt endsAt createdBy comment",
        id=_TEXT,
        status=_object("state", state={"enum": ["active", "pending", "expired"]}),
        updatedAt=_INSTANT,
        annotations=_ref("Pairs"),
        matchers=_several("Matcher"),
        startsAt=_INSTANT,
        endsAt=_INSTANT,
        createdBy=_TEXT,
        comment=_TEXT,
    ),
    "CodedError": _object("code message", code={"type": "integer"}, message=_TEXT),
    "EventAnswer": _object("status message", status=_TEXT, message=_TEXT, dedup_key=_TEXT, errors=_TEXTS),
    "Taken": _object("alerts", alerts={"type": "integer"}),
}

_NO: Piece = {"oneOf": [_TEXT, _ref("CodedError")]}  # Alertmanager says some of its errors as a bare string
_ERROR = _ref("ErrorShape")


def _answer(description: str, schema: Piece | None = None, kind: str = "application/json") -> Piece:
    return {"description": description} | ({} if schema is None else {"content": {kind: {"schema": schema}}})


def _body(schema: Piece) -> Piece:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _query(name: str, schema: Piece) -> Piece:
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _in_path(name: str, schema: Piece) -> Piece:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _operation(
    summary: str, responses: Piece, body: Piece | None = None, parameters: list[Piece] | None = None
) -> Piece:
    said: Piece = {"summary": summary, "responses": responses}
    if parameters:
        said["parameters"] = parameters
    return said if body is None else said | {"requestBody": _body(body)}


def _refusals(error: Piece, *statuses: int) -> Piece:
    texts = {
        400: "It cannot be read, or part of it was refused",
        401: "A token is needed",
        403: "Not for this caller",
        404: "There is no such thing",
        408: "The body took too long to arrive",
        413: "The body is too large",
        415: "The Content-Type is not application/json",
        422: "It has not the right shape",
        503: "It cannot be taken now: come again",
    }
    return {str(status): _answer(texts[status], error) for status in statuses}


_READ = (400, 401, 403)
_CHANGE = (*_READ, 408, 413, 415, 422, 503)
_CROWDED = {"503": _answer("Too many ask at once", _TEXT, "text/plain")}
_FLAGS = [_query(name, {"type": "boolean"}) for name in ("active", "silenced", "inhibited", "unprocessed")]
_FILTER = _query("filter", _TEXTS)
_CHOICE = [*_FLAGS, _FILTER, _query("receiver", _TEXT), _query("receiver_matchers", _TEXTS)]
_STATES = [_query(name, {"type": "boolean"}) for name in ("active", "expired", "pending")]
_UUID = [_in_path("silence", {"type": "string", "format": "uuid"})]

_ALERTMANAGER: dict[str, Piece] = {
    "/api/v2/alerts": {
        "get": _operation(
            "Alerts that fire",
            {"200": _answer("By their fingerprints", _several("GettableAlert")), **_refusals(_NO, *_READ), **_CROWDED},
            parameters=_CHOICE,
        ),
        "post": _operation(
            "Take alerts in",
            {"200": _answer("They are on disk"), **_refusals(_NO, *_CHANGE)},
            {"type": "array", "items": _ref("PostableAlert")},
        ),
    },
    "/api/v2/alerts/groups": {
        "get": _operation(
            "Alerts by service, receiver and route",
            {"200": _answer("Groups", _several("AlertGroup")), **_refusals(_NO, *_READ), **_CROWDED},
            parameters=[*_CHOICE, _query("muted", {"type": "boolean"})],
        )
    },
    "/api/v2/status": {
        "get": _operation(
            "Version and configuration", {"200": _answer("As it is", _ANYTHING), **_refusals(_NO, *_READ)}
        )
    },
    "/api/v2/receivers": {
        "get": _operation(
            "Channels that routes name",
            {
                "200": _answer("Names", {"type": "array", "items": _object("name", name=_TEXT)}),
                **_refusals(_NO, *_READ),
            },
            parameters=[_query("receiver_matchers", _TEXTS)],
        )
    },
    "/api/v2/silences": {
        "get": _operation(
            "Silences, also those that ended",
            {"200": _answer("The next to end first", _several("GettableSilence")), **_refusals(_NO, *_READ)},
            parameters=[*_STATES, _FILTER],
        ),
        "post": _operation(
            "Make a silence, or change one",
            {
                "200": _answer("Its id, which may be another one now", _object("silenceID", silenceID=_TEXT)),
                **_refusals(_NO, *_CHANGE, 404),
            },
            _ref("PostableSilence"),
        ),
    },
    "/api/v2/silence/{silence}": {
        "get": _operation(
            "One silence",
            {
                "200": _answer("As it is", _ref("GettableSilence")),
                **_refusals(_NO, *_READ, 422),
                "404": _answer("There is none"),
            },
            parameters=_UUID,
        ),
        "delete": _operation(
            "End it now",
            {
                "200": _answer("It has ended"),
                **_refusals(_NO, *_CHANGE),
                "404": _answer("There is none"),
            },
            parameters=_UUID,
        ),
    },
}


def _old(*parameters: Piece) -> Piece:
    gone = _answer("Gone", _object("status error", status=_TEXT, error=_TEXT))
    one = _operation(
        "Alertmanager's old API", {"410": gone, **_refusals(_ERROR, *_CHANGE)}, parameters=list(parameters)
    )
    return {"get": one, "post": one, "delete": one}


_GONE = {f"/api/v1/{path}": _old() for path in ("status", "receivers", "alerts", "alerts/groups", "silences")}
_GONE["/api/v1/silence/{id}"] = _old(_in_path("id", _TEXT))


def _hook(summary: str, body: Piece) -> Piece:
    said = _operation(summary, {"200": _answer("How many alerts", _ref("Taken")), **_refusals(_ERROR, *_CHANGE)}, body)
    return {"post": said, "put": said}


def _event(summary: str, status: str, body: Piece) -> Piece:
    no = {"anyOf": [_ref("EventAnswer"), _ERROR]}
    return {
        "post": _operation(summary, {status: _answer("Taken", _ref("EventAnswer")), **_refusals(no, *_CHANGE)}, body)
    }


_PAYLOAD = _object(
    "summary source severity",
    summary=_TEXT,
    source=_TEXT,
    severity={"enum": ["critical", "error", "warning", "info"]},
    timestamp=_TEXT,
    component=_TEXT,
    group=_TEXT,
    custom_details=_ANYTHING,
)
_PAYLOAD["properties"]["class"] = _TEXT
_STATUS = {"enum": ["firing", "resolved"]}
_HOOKED = _object(
    "alerts",
    alerts={
        "type": "array",
        "items": _object("status labels", status=_STATUS, labels=_PAIRS, annotations=_PAIRS, startsAt=_INSTANT),
    },
)
_INTAKES: dict[str, Piece] = {
    "/hooks/alertmanager": _hook("Alertmanager's webhook", _HOOKED),
    "/hooks/grafana": _hook("Grafana's webhook", _HOOKED),
    "/hooks/generic": _hook("Anybody's webhook, by a mapping in shopwatch.yaml", _ANYTHING),
    "/v2/enqueue": _event(
        "PagerDuty's Events API v2",
        "202",
        _object(
            "routing_key event_action",
            routing_key=_TEXT,
            event_action={"enum": ["trigger", "acknowledge", "resolve"]},
            dedup_key={"type": "string", "maxLength": 255},
            payload=_PAYLOAD,
        ),
    ),
    "/v2/change/enqueue": _event(
        "A change, such as a deploy",
        "202",
        _object("payload", routing_key=_TEXT, payload=_object("summary", summary=_TEXT, timestamp=_TEXT, source=_TEXT)),
    ),
    "/generic/2010-04-15/create_event.json": _event(
        "PagerDuty's Events API v1",
        "200",
        _object(
            "event_type",
            service_key=_TEXT,
            event_type={"enum": ["trigger", "acknowledge", "resolve"]},
            incident_key=_TEXT,
            description=_TEXT,
        ),
    ),
}


def _page(kind: str, summary: str) -> Piece:
    unchanged = {"304": _answer("As it was")}
    return {"get": _operation(summary, {"200": _answer("The newest", _TEXT, kind), **unchanged})}


def _plain(summary: str, *more: tuple[str, str], ok: str = "200") -> Piece:
    texts = {status: _answer(text, _TEXT, "text/plain") for status, text in more}
    return _operation(summary, {ok: _answer("As it says", _TEXT, "text/plain"), **texts})


_JSON_PAGE = {
    "get": _operation(
        "The status page as JSON", {"200": _answer("As statuspages say it", _ANYTHING), "304": _answer("As it was")}
    )
}
_UNTOLD = _refusals(_ERROR, 401, 403)
_RELOAD = _plain("Read the configuration again", ("500", "It was refused; the old one runs on"))
_RELOAD["responses"] |= _refusals(_ERROR, *_CHANGE)
_PROBE = _plain(
    "Run one journey now", ("400", "No such journey"), ("403", "It writes; a token is needed"), ("503", "Not now")
)
_PROBE["responses"] |= _refusals(_ERROR, 401) | {"500": _answer("The run broke", _TEXT, "text/plain")}
_PROBE["parameters"] = [_query("journey", _TEXT)]
_METRICS = _plain("Metrics, for Prometheus")
_METRICS["responses"] |= _UNTOLD | _refusals(_ERROR, 503)

_OTHERS: dict[str, Piece] = {
    "/": _page("text/html", "The status page"),
    "/zh": {"get": _operation("The status page in Chinese", {"308": _answer("It is at /zh/")})},
    "/zh/": _page("text/html", "The status page in Chinese"),
    "/api/v2/summary.json": _JSON_PAGE,
    "/api/v2/scheduled-maintenances.json": _JSON_PAGE,
    "/incidents/{number}": {
        "get": _operation(
            "An incident's place on the status page",
            {"302": _answer("It is there"), "404": _answer("That is no number")},
            parameters=[_in_path("number", _TEXT)],
        )
    },
    "/logo": {"get": _operation("The shop's logo", {"200": _answer("A picture"), "404": _answer("There is none")})},
    "/favicon.ico": {"get": _operation("None", {"204": _answer("There is none")})},
    "/metrics": {"get": _METRICS},
    "/probe": {"get": _PROBE},
    "/-/healthy": {"get": _plain("Whether it lives")},
    "/-/ready": {"get": _plain("Whether it can work", ("503", "It cannot"))},
    "/-/reload": {"post": _RELOAD, "put": _RELOAD},
}

OPERATIONS: dict[str, Piece] = _ALERTMANAGER | _GONE | _INTAKES | _OTHERS
