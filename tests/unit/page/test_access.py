"""Who is answered, and who is not."""

import pytest
from bidsloom.page.access import Access
from bidsloom.page.application import make_application
from bidsloom.page.studies import Studies

URL = "http://localhost:8000"
HERE = {"base_url": URL}


def client(tmp_path, **kwargs):
    access = Access(**kwargs)
    app = make_application(Studies(root=tmp_path), access, environment={})
    return access, app.test_client()


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "192.168.0.1:8000", "0:80"],
)
def test_another_host_is_refused(tmp_path, host):
    """A name that leads here today may be a hostile page's (DNS rebinding)."""
    _, asks = client(tmp_path)
    assert 403 == asks.get("/api/v1/session", base_url=f"http://{host}").status_code


@pytest.mark.parametrize("host", ["localhost", "localhost:9", "127.0.0.1:80", "[::1]:8000"])
def test_this_host_is_answered(tmp_path, host):
    _, asks = client(tmp_path)
    assert 200 == asks.get("/api/v1/session", base_url=f"http://{host}").status_code


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:9999"},
        {"Origin": "https://localhost:8000"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    ],
)
def test_another_page_gets_nothing(tmp_path, headers):
    """Neither what is shown nor an action, whatever token it sends."""
    access, asks = client(tmp_path)
    assert 403 == asks.get("/api/v1/session", headers=headers, **HERE).status_code
    headers = {**headers, "X-CSRF-Token": access.csrf}
    answer = asks.post("/api/v1/studies", json={"name": "x"}, headers=headers, **HERE)
    assert 403 == answer.status_code
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("headers", "kind", "code"),
    [
        ({}, "application/json", 403),
        ({"X-CSRF-Token": "guessed"}, "application/json", 403),
        ({"X-CSRF-Token": "right"}, "text/plain", 403),
        ({"X-CSRF-Token": "right"}, "application/json", 201),
    ],
)
def test_an_action_needs_the_pages_token(tmp_path, headers, kind, code):
    access, asks = client(tmp_path)
    headers = {k: access.csrf if v == "right" else v for k, v in headers.items()}
    told = asks.post(
        "/api/v1/studies", data='{"name": "new"}', content_type=kind, headers=headers, **HERE
    )
    assert code == told.status_code
    assert (tmp_path / "new").exists() == (code == 201)


def test_a_port_needs_the_token_of_its_start(tmp_path):
    """By the address once, by the cookie then, or by a header; another token is refused."""
    access, asks = client(tmp_path, token="secret")
    for path in (
        "/",
        "/api/v1/session",
        "/static/page.js",
        "/?token=wrong",
        "/check_hpc_environment",
    ):
        assert 403 == asks.get(path, **HERE).status_code
    bearer = {"Authorization": "Bearer secret"}
    assert 200 == asks.get("/api/v1/session", headers=bearer, **HERE).status_code
    assert (
        201 == asks.post("/api/v1/studies", json={"name": "a"}, headers=bearer, **HERE).status_code
    )
    told = asks.get("/?token=secret", **HERE)
    assert (302, "/") == (told.status_code, told.headers["Location"])
    cookie = told.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "secret" not in cookie
    assert 200 == asks.get("/", **HERE).status_code
    # The cookie alone does nothing.
    assert 403 == asks.post("/api/v1/studies", json={"name": "b"}, **HERE).status_code
    headers = {"X-CSRF-Token": access.csrf}
    assert (
        201 == asks.post("/api/v1/studies", json={"name": "b"}, headers=headers, **HERE).status_code
    )


def test_read_only_shows_and_does_nothing(tmp_path):
    """No token is handed out, and the config with its secrets is not shown."""
    from bidsloom.prepare.study_folder import make_study

    make_study(tmp_path / "a")
    access, asks = client(tmp_path, read_only=True, token="secret")
    bearer = {"Authorization": "Bearer secret"}
    session = asks.get("/api/v1/session", headers=bearer, **HERE).get_json()
    assert ("", True) == (session["csrf"], session["read_only"])
    assert 200 == asks.get("/api/v1/studies/a", headers=bearer, **HERE).status_code
    assert 404 == asks.get("/api/v1/studies/a/config", headers=bearer, **HERE).status_code
    for method, path in (
        ("post", "/api/v1/studies/a/actions/start"),
        ("put", "/api/v1/studies/a/config"),
        ("post", "/api/v1/studies"),
        ("post", "/cancel_hpc_job"),
    ):
        headers = {**bearer, "X-CSRF-Token": access.csrf}
        assert 403 == getattr(asks, method)(path, json={}, headers=headers, **HERE).status_code


@pytest.mark.parametrize(
    "path",
    [
        "/static/../application.py",
        "/static/..%2f..%2fbase%2ffiles.py",
        "/view/x/a/pages/..%2f..%2fa/config/config.yaml",
        "/view/{ticket}/a/pages/../../config/config.yaml",
        "/view/{ticket}/a/jobs/sub-01/x",
        "/view/{ticket}/a/pages/sub-02/x.html",
        "/view/{ticket}/a/pages/sub-01/out.html",
        "/view/{ticket}/a/pages/sub-01/%2fetc%2fpasswd",
        "/studies/../../etc/passwd",
    ],
)
def test_no_other_file_is_served(tmp_path, path):
    """Nor where a link among a unit's pages leads."""
    from bidsloom.prepare.study_folder import make_study

    make_study(tmp_path / "a")
    pages = tmp_path / "a" / "results" / "mystudy" / "pages"
    for unit in ("sub-01", "sub-02"):
        (pages / unit).mkdir(parents=True)
        (pages / unit / "x.html").write_text("<script>1</script>")
    (pages / "sub-01" / "out.html").symlink_to("/etc/passwd")
    access, asks = client(tmp_path)
    ticket = access.ticket("a", "sub-01")
    assert 404 == asks.get(path.format(ticket=ticket), **HERE).status_code
    told = asks.get(f"/view/{ticket}/a/pages/sub-01/x.html", **HERE)
    policy = told.headers["Content-Security-Policy"]
    assert (200, True, False) == (
        told.status_code,
        policy.startswith("sandbox; default-src 'none'"),
        "script" in policy or "allow" in policy,
    )


def test_every_answer_has_its_policy(tmp_path):
    """Also an error; scripts come from the page's own files alone."""
    _, asks = client(tmp_path)
    for path in ("/", "/api/v1/studies", "/nonsense", "/api/v1/studies/none"):
        headers = asks.get(path, **HERE).headers
        assert "script-src 'self'; style-src 'self';" in headers["Content-Security-Policy"]
        assert "nosniff" == headers["X-Content-Type-Options"]
    assert "<script>" not in asks.get("/", **HERE).text
