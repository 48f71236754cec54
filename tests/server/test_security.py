"""Who may ask, how much, and what browsers may do with the answer."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from patience import PATIENCE

from pellucid.server import security
from pellucid.server.app import build_app
from pellucid.server.security import Hosts

KEY = "correct horse"


@pytest.fixture
def locked(start, runs):
    return start(runs, key=KEY)


def walk(routes: list[Any]) -> Iterator[Any]:
    """Routes, also those of routers that FastAPI keeps whole."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        yield from walk(inner.routes) if inner is not None else (route,)


def every_route(live) -> list[tuple[str, str]]:
    """Method and path of all there is, with something put into the places for names."""
    routes = list(walk(build_app(live.house).routes))
    assert len(routes) > 30
    return [
        (method, re.sub(r"\{[^}]*\}", "farm-1", route.path))
        for route in routes
        for method in sorted(route.methods or ())
    ]


def test_without_the_key_nothing_but_health_is_answered(locked):
    for method, path in [*every_route(locked), ("GET", "/enter"), ("GET", "/nothing"), ("POST", "/v1/x")]:
        answer = locked.client.request(method, path)
        assert answer.status_code == (200 if path == "/health" and method == "GET" else 401) or (
            path == "/health" and answer.status_code == 405
        ), (method, path)
    for wrong in ("x", KEY[:-1], KEY + "x", "Ünicode"):
        header = {"Authorization": f"Bearer {wrong}".encode()}
        assert locked.client.get("/api/session", headers=header).status_code == 401
        assert locked.client.get("/enter", params={"key": wrong}).status_code == 401


def test_the_key_lets_in_as_a_bearer_token_or_by_entering_once(locked):
    assert locked.client.get("/api/session", headers={"Authorization": f"Bearer {KEY}"}).status_code == 200
    with httpx.Client(base_url=locked.url, timeout=PATIENCE) as browser:
        entered = browser.get("/enter", params={"key": KEY})
        assert (entered.status_code, entered.headers["location"]) == (303, "/")
        cookie = entered.headers["set-cookie"].lower()
        assert "httponly" in cookie and "samesite=strict" in cookie and "horse" not in cookie
        assert browser.get("/api/session").status_code == 200
        name = next(iter(browser.cookies))
        browser.cookies.set(name, "0" * 56, domain="127.0.0.1")
    forged = {"Cookie": f"{name}={'0' * 56}"}
    assert locked.client.get("/api/session", headers=forged).status_code == 401


def test_the_guard_covers_every_route_of_the_app(server):
    names = {route.path for route in walk(build_app(server.house).routes)}
    assert {"/health", "/api/session", "/api/chat", "/api/chat/stream", "/v1/models"} <= names
    assert not names & {"/docs", "/redoc"}  # whose pages load from elsewhere


@pytest.mark.parametrize("path", ["/health", "/", "/api/session", "/openapi.json", "/nothing"])
def test_another_name_for_this_machine_is_refused(server, path):
    for host in (
        "evil.example",
        "evil.example:7860",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "",
        "a b",
    ):
        answer = server.client.get(path, headers={"Host": host})
        assert answer.status_code in (400, 403), host
        assert "token" not in answer.text
    for host in ("localhost", "localhost:1", "LOCALHOST", "[::1]:7860", "127.0.0.1"):
        assert server.client.get("/health", headers={"Host": host}).status_code == 200


def test_which_hosts_a_server_has():
    assert Hosts("0.0.0.0").allow("192.168.1.7:7860") and Hosts("0.0.0.0").allow(socket.gethostname())
    assert not Hosts("0.0.0.0").allow("evil.example")
    assert Hosts("192.168.1.7").allow("192.168.1.7:80") and not Hosts("192.168.1.7").allow("192.168.1.8")
    for odd in (
        "",
        ":",
        "localhost:x",
        "u@localhost",
        "localhost/x",
        "[::1",
        "localhost:99999",
        "localhost#",
    ):
        assert not Hosts().allow(odd), odd


def test_another_page_is_refused(server):
    own = server.url
    for origin in (
        "https://evil.example",
        "null",
        "http://localhost:1",
        own + "0",
        own.replace("http", "https"),
    ):
        for path in ("/health", "/api/chat"):
            answer = server.client.post(path, json={"message": "x"}, headers={"Origin": origin})
            assert answer.status_code == 403 and "another web page" in answer.json()["error"]["message"]
    assert server.client.get("/health", headers={"Origin": own}).status_code == 200
    assert not any("access-control" in name for name in server.client.options("/api/chat").headers)


def test_changing_something_needs_the_token(server):
    for method, path in every_route(server):
        if method not in ("POST", "PUT", "DELETE") or not path.startswith("/api/"):
            continue
        if path.startswith(("/api/chat", "/api/inspect/")) and "/runs/" not in path:
            continue
        for headers in ({}, {"X-Pellucid-Token": "x"}):
            assert server.client.request(method, path, json={}, headers=headers).status_code == 403, path
    anything = server.client.delete("/api/runs/none")
    assert anything.status_code == 403
    assert server.client.delete("/api/runs/none", headers=server.token).status_code in (404, 405)


def test_every_answer_says_what_browsers_may_do(server):
    for answer in (
        server.client.get("/health"),
        server.client.get("/nothing"),
        server.client.get("/health", headers={"Host": "evil.example"}),
        server.client.post("/api/chat", content=b"{"),
        server.client.post("/api/chat/stream", json={"message": "x", "max_tokens": 2}),
    ):
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] in ("no-store", "no-cache")
        assert "server" not in answer.headers


# ---------------------------------------------------------------------- too much


def test_large_bodies_are_refused_unread(server, monkeypatch):
    monkeypatch.setattr(security, "BODY_BYTES", 50_000)
    body = json.dumps({"message": "x" * 60_000}).encode()
    headers = {"Content-Type": "application/json"}
    answers = [
        server.client.post("/api/chat", content=body, headers=headers),
        server.client.post(
            "/api/chat", content=(body[i : i + 999] for i in range(0, len(body), 999)), headers=headers
        ),
    ]
    assert [answer.status_code for answer in answers] == [413, 413]
    assert answers[1].json()["error"]["type"] == "too_large"
    openai = server.client.post("/v1/chat/completions", content=iter([body]), headers=headers)
    assert openai.status_code == 413 and openai.json()["error"]["type"] == "invalid_request_error"


def test_long_headers_and_addresses_are_refused(server):
    assert server.client.get("/health", headers={"X-Long": "x" * 20_000}).status_code == 431
    assert server.client.get("/health?" + "x" * 9_000).status_code == 431
    assert server.client.get("/health", headers={"X-Longer": "x" * 200_000}).status_code in (400, 431)


@pytest.mark.parametrize(
    "bytes_sent",
    [
        b"GARBAGE\r\n\r\n",
        b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + b"9" * 20 + b"\r\n\r\n",
        b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n\r\n",
        b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    ],
)
def test_what_is_no_http_is_a_bad_request(server, bytes_sent):
    with socket.create_connection(("127.0.0.1", int(server.url.rsplit(":", 1)[1])), timeout=PATIENCE) as raw:
        raw.sendall(bytes_sent)
        raw.shutdown(socket.SHUT_WR)
        answer = raw.recv(200)
    assert answer[9:12] in (b"400", b"403", b"413"), answer
    assert server.client.get("/health").status_code == 200


# ---------------------------------------------------------------------- bad bodies

BAD = {
    "no json": b"{",
    "binary": bytes(range(256)),
    "no object": b"[]",
    "null": b"null",
    "empty": b"",
    "no message": b"{}",
    "wrong type": b'{"message": 1}',
    "unknown field": b'{"message": "x", "extra": 1}',
    "NaN": b'{"message": "x", "temperature": NaN}',
    "infinity": b'{"message": "x", "temperature": 1e999}',
    "huge integer": b'{"message": "x", "seed": ' + b"9" * 5000 + b"}",
    "large integer": b'{"message": "x", "top_k": 99999999999999999999}',
    "negative": b'{"message": "x", "max_tokens": -1}',
    "too many tokens": b'{"message": "x", "max_tokens": 100000}',
    "a fraction of a token": b'{"message": "x", "max_tokens": 1.5}',
    "a truth as a number": b'{"message": "x", "max_tokens": true}',
    "lone surrogate": b'{"message": "\\ud800"}',
    "lone surrogate in a name": b'{"message": "x", "\\ud800": 1}',
    "null character": b'{"message": "a\\u0000b"}',
    "deep": b'{"message": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "long": json.dumps({"message": "x" * 100_001}).encode(),
    "long history": json.dumps(
        {"message": "x", "history": [{"role": "user", "content": ""}] * 1001}
    ).encode(),
    "unknown role": b'{"message": "x", "history": [{"role": "robot", "content": "x"}]}',
    "a path as a run": b'{"message": "x", "run": "../farm-1"}',
    "a run that is not there": b'{"message": "x", "run": "/etc"}',
    "a step that is not there": b'{"message": "x", "step": 77}',
    "a step that is none": b'{"message": "x", "step": "worst"}',
    "a step as a path": b'{"message": "x", "step": "../../x"}',
    "one name for both": b'{"message": "x", "user_name": "A", "model_name": "A"}',
    "a name of two lines": b'{"message": "x", "user_name": "A\\nB"}',
    "a token that is not there": b'{"message": "x", "reply_ids": [99999]}',
}


@pytest.mark.parametrize("path", ["/api/chat", "/api/chat/stream", "/api/chat/alternatives"])
@pytest.mark.parametrize("case", BAD, ids=str)
def test_bad_input_is_answered_in_one_plain_sentence(server, path, case):
    answer = server.client.post(path, content=BAD[case], headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 404), answer.text
    error = answer.json()["error"]
    assert error["type"] == {400: "bad_input", 404: "not_found"}[answer.status_code]
    assert 8 < len(error["message"]) < 400 and "\n" not in error["message"]
    for technical in ("pydantic", "Traceback", "loc", "Value error", "body."):
        assert technical not in error["message"]


def test_a_form_is_no_json(server):
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = server.client.post("/api/chat", content=b'{"message": "x"}', headers={"Content-Type": kind})
        assert answer.status_code == 400


def test_keys_are_compared_in_constant_time():
    """The time for a wrong first and a wrong last letter is the same, as near as can be measured."""
    wanted = "k" * 400_000
    laps: dict[str, list[float]] = {"x" + wanted[1:]: [], wanted[:-1] + "x": []}
    for _ in range(20):
        for given, times in laps.items():  # in turn, and the best of each: others wait for a busy machine
            started = time.perf_counter()
            assert not security._same(given, wanted)
            times.append(time.perf_counter() - started)
    early, late = map(min, laps.values())
    assert early > late / 2


def test_the_cookie_is_found_beside_odd_ones_of_other_programs(locked):
    with httpx.Client(base_url=locked.url, timeout=PATIENCE) as browser:
        browser.get("/enter", params={"key": KEY})
        ours = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    for other in ('a={"b": [1, "c"]}', "x y=z", "=;;"):
        header = {"Cookie": f"{other}; {ours}"}
        assert locked.client.get("/api/session", headers=header).status_code == 200, other
    assert locked.client.get("/api/session", headers={"Cookie": "a=b"}).status_code == 401


def test_odd_clients_get_plain_answers(server):
    head = server.client.head("/")
    assert (head.status_code, head.content) == (200, b"") and int(head.headers["content-length"]) > 0
    for method, path, status in (
        ("OPTIONS", "/", 405),
        ("OPTIONS", "/api/chat", 405),
        ("HEAD", "/api/runs", 405),
        ("GET", "/favicon.ico", 404),
        ("PROPFIND", "/", 405),
    ):
        answer = server.client.request(method, path)
        assert answer.status_code == status, (method, path)
        assert "access-control-allow-origin" not in answer.headers
        if method != "HEAD":
            assert answer.json()["error"]["message"]


def test_the_description_of_the_api_is_behind_the_guard(locked):
    assert locked.client.get("/openapi.json").status_code == 401
    known = {"Authorization": f"Bearer {KEY}"}
    assert locked.client.get("/openapi.json", headers=known).json()["info"]["title"] == "Pellucid"
    assert locked.client.get("/openapi.json", headers={**known, "Host": "evil.example"}).status_code == 403
