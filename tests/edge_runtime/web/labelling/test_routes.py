"""What the pages request: only same-site requests with valid names change anything."""

from __future__ import annotations

import io
import time
import zipfile

import pytest

from edge_runtime.collection.collector import CollectLimits
from edge_runtime.collection.names import is_picture_name
from edge_runtime.collection.store import picture_names
from edge_runtime.storage.digest import sha256_of_bytes

TOKEN = "correct-horse-battery-staple"
LOGGED_IN = {"Authorization": f"Bearer {TOKEN}"}


def wait_for_frame(server):
    ends_s = time.monotonic() + 10
    while server.view.newest() is None:
        assert time.monotonic() < ends_s
        time.sleep(0.01)


def content_of(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_review_from_the_list_to_the_download(keep, review_server, call, make_scene, tmp_path):
    names = [keep(1), keep(2, "dog"), keep(3, "unknown", "random")]
    port = review_server().port
    groups = call(port, "GET", "/review/groups")[1]
    assert groups["labels"] == ["cat", "dog", "nothing"]
    assert {"view": "kept", "label": "unknown", "count": 1} in groups["groups"]
    frames = call(port, "GET", "/review/frames?view=kept&limit=2")[1]["frames"]
    assert [frame["name"] for frame in frames] == [names[2], names[1]]
    assert frames[0] == {"name": names[2], "label": "", "said": "unknown", "score": 0.6, "reason": "random"}
    older = call(port, "GET", f"/review/frames?view=kept&before={names[1]}")[1]["frames"]
    assert [frame["name"] for frame in older] == [names[0]]
    moved = call(port, "POST", "/review/decide", {"names": names, "action": "confirm"})
    labels = {names[0]: "cat", names[1]: "dog", names[2]: "nothing"}
    assert moved == (200, {"moved": labels, "missing": [], "unclear": []})
    accuracy = call(port, "GET", "/review/groups")[1]["accuracy"]
    assert (accuracy["right"], accuracy["total"]) == (1, 1)
    listed = call(port, "GET", "/review/list")[1]
    assert listed["next"] is None
    assert [(item["label"], item["name"]) for item in listed["files"]] == [
        ("cat", names[0]), ("dog", names[1]), ("nothing", names[2]),
    ]  # fmt: skip
    for item in listed["files"]:
        content = call(port, "GET", f"/review/file/{item['label']}/{item['name']}")[1]
        assert (len(content), sha256_of_bytes(content)) == (item["size"], item["sha256"])
    assert content == make_scene(3)
    archive = zipfile.ZipFile(io.BytesIO(call(port, "GET", "/review/pictures.zip")[1]))
    assert archive.read(f"cat/{names[0]}") == make_scene(1)
    assert call(port, "POST", "/review/undo", {})[1]["moved"] == dict.fromkeys(names, "")
    assert sorted(picture_names(tmp_path / "kept")) == sorted(names)


def test_pictures_of_any_folder_are_shown_small_and_whole(keep, review_server, call, make_scene):
    name = keep(1)
    port = review_server().port
    for _ in range(2):
        status, small = call(port, "GET", f"/review/thumbnail/{name}")
        assert (status, small[:2]) == (200, b"\xff\xd8")
        assert call(port, "GET", f"/review/picture/{name}") == (200, make_scene(1))
        call(port, "POST", "/review/decide", {"names": [name], "action": "label", "label": "dog"})
    call(port, "POST", "/review/decide", {"names": [name], "action": "delete"})
    assert call(port, "GET", f"/review/picture/{name}")[0] == 404


def test_a_damaged_picture_has_no_thumbnail_and_harms_nothing(keep, review_server, call, tmp_path):
    name = keep(1)
    (tmp_path / "kept" / name).write_bytes(b"\xff\xd8 damaged")
    port = review_server().port
    assert call(port, "GET", f"/review/thumbnail/{name}")[0] == 422
    assert call(port, "POST", "/review/decide", {"names": [name], "action": "delete"})[0] == 200


def test_labels_with_spaces_and_other_letters_can_be_downloaded(keep, review_server, call):
    name = keep(1)
    port = review_server(labels=("köttbullar med lök", "100% dog?")).port
    for label, path in (("köttbullar med lök", "k%C3%B6ttbullar%20med%20l%C3%B6k"), ("100% dog?", "100%25%20dog%3F")):
        assert call(port, "POST", "/review/decide", {"names": [name], "label": label})[0] == 200
        assert call(port, "GET", "/review/list")[1]["files"][0]["label"] == label
        assert call(port, "GET", f"/review/file/{path}/{name}")[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{", b"\xff", b'{"names": "x"}', b'{"names": []}', b'{"names": [1]}', b'{"names": NaN}',
        b'{"names": ["x"], "action": 1}', b'{"names": ["x"], "action": "rename"}', b"[" * 50_000,
        b'{"names": ["x"], "label": "horse"}', b'{"names": ["x"], "path": "/"}', b'{"names": ["x"], "label": "../cat"}',
    ],
)  # fmt: skip
def test_bodies_that_are_not_a_decision_are_refused(keep, review_server, call, body, tmp_path):
    name = keep(1)
    port = review_server().port
    status, answer = call(port, "POST", "/review/decide", body.replace(b'"x"', f'"{name}"'.encode()))
    assert status == 400, answer
    assert list(picture_names(tmp_path / "kept")) == [name]


def test_names_from_the_network_are_never_paths(keep, review_server, call, tmp_path):
    name = keep(1)
    port = review_server().port
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    before = content_of(tmp_path)
    ups = ("../secret.jpg", "..%2Fsecret.jpg", "%2e%2e%2fsecret.jpg", f"..%2Fkept%2F{name}", f"{name}%00.jpg", "%ff")
    for up in ups:
        for route in ("thumbnail/", "picture/", "file/cat/", "file/../", "file/%2e%2e/", "file/"):
            status, answer = call(port, "GET", f"/review/{route}{up}")
            assert status in {404, 422}, (route, up)
            assert b"secret" not in (answer if isinstance(answer, bytes) else b"")
    for bad in (*ups, "../kept/" + name, "/etc/passwd", name.replace(".jpg", ".json"), name + "\n"):
        assert call(port, "POST", "/review/decide", {"names": [bad], "action": "delete"})[1]["missing"] == [bad]
    assert content_of(tmp_path) == before


FOREIGN = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"},
    {"Host": "evil.example"},
]
FORMS = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]


def test_another_site_can_label_and_delete_nothing(keep, review_server, call, tmp_path):
    name = keep(1)
    port = review_server().port
    before = content_of(tmp_path)
    body = {"names": [name], "action": "delete"}
    for headers in FOREIGN:
        assert call(port, "POST", "/review/decide", body, headers)[0] == 403
        assert call(port, "POST", "/review/undo", {}, headers)[0] == 403
    for media_type in FORMS:  # what a form can send without asking first
        assert call(port, "POST", "/review/decide", body, {"Content-Type": media_type})[0] == 415
    for method in ("GET", "PUT", "DELETE"):
        assert call(port, method, "/review/decide", body)[0] == 405
    assert content_of(tmp_path) == before
    assert call(port, "POST", "/review/decide", body, {"Origin": f"http://127.0.0.1:{port}"})[0] == 200


def test_another_site_can_store_and_delete_nothing(collect_server, call):
    server = collect_server()
    wait_for_frame(server)
    stored = call(server.port, "POST", "/collect/take", {"label": "cat"})[1]["picture"]
    before = content_of(server.collector.folder)
    for headers in FOREIGN:
        for path, body in (("take", {"label": "dog"}), ("undo", {}), ("delete", stored)):
            assert call(server.port, "POST", f"/collect/{path}", body, headers)[0] == 403
    for media_type in FORMS:
        assert call(server.port, "POST", "/collect/take", {"label": "dog"}, {"Content-Type": media_type})[0] == 415
    assert content_of(server.collector.folder) == before


def test_without_the_token_nothing_is_shown_or_changed(keep, review_server, collect_server, call):
    name = keep(1)
    port = review_server(token=TOKEN).port
    paths = ("groups", "frames", f"picture/{name}", f"thumbnail/{name}", "list", f"file/cat/{name}", "pictures.zip")
    for path in paths:
        assert call(port, "GET", f"/review/{path}")[0] == 401
    assert call(port, "POST", "/review/decide", {"names": [name], "action": "delete"})[0] == 401
    assert call(port, "GET", "/review")[0] == 303  # to the login
    assert call(port, "GET", "/review/groups", headers=LOGGED_IN)[0] == 200
    other = collect_server(token=TOKEN)
    wait_for_frame(other)
    for method, path in (("GET", "/picture.jpg"), ("GET", "/collect/state"), ("POST", "/collect/take")):
        body = {"label": "cat"} if method == "POST" else None
        assert call(other.port, method, path, body)[0] == 401
        assert call(other.port, method, path, body, LOGGED_IN)[0] == 200


def test_a_picture_is_taken_shown_deleted_and_taken_back(collect_server, call):
    server = collect_server()
    wait_for_frame(server)
    answer = call(server.port, "POST", "/collect/take", {"label": "dog"})[1]
    picture = answer["picture"]
    assert answer["result"] == "stored"
    assert is_picture_name(picture["name"])
    state = call(server.port, "GET", "/collect/state")[1]
    assert [item["count"] for item in state["labels"]] == [0, 1, 0]
    assert [item["name"] for item in state["latest"]] == [picture["name"]]
    assert call(server.port, "GET", f"/collect/thumbnail/dog/{picture['name']}")[0] == 200
    assert call(server.port, "GET", f"/collect/picture/cat/{picture['name']}")[0] == 404
    assert call(server.port, "POST", "/collect/delete", {"label": "dog", "name": picture["name"]})[0] == 200
    assert call(server.port, "POST", "/collect/delete", {"label": "dog", "name": "../x"})[0] == 404
    assert call(server.port, "POST", "/collect/undo", {})[1]["pictures"] == [picture]
    assert call(server.port, "GET", "/review/list")[1]["files"][0]["name"] == picture["name"]


def test_problems_are_answered_with_their_reason(collect_server, call):
    server = collect_server(live=False)
    status, answer = call(server.port, "POST", "/collect/take", {"label": "cat"})
    assert (status, "no frames" in answer["error"]) == (503, True)
    assert call(server.port, "GET", "/picture.jpg")[0] == 404
    server = collect_server(limits=CollectLimits(min_free_bytes=10**18))
    wait_for_frame(server)
    status, answer = call(server.port, "POST", "/collect/take", {"label": "cat"})
    assert (status, "are free" in answer["error"]) == (507, True)
    assert call(server.port, "POST", "/collect/take", {"label": "horse"})[0] == 400


def test_the_rate_of_pictures_is_bounded(collect_server, call):
    server = collect_server()
    wait_for_frame(server)
    statuses = [call(server.port, "POST", "/collect/take", {"label": "cat", "first": False})[0] for _ in range(40)]
    assert 429 in statuses
    assert statuses.count(200) >= 4


def test_both_servers_still_serve_after_200_hostile_requests(keep, review_server, collect_server, call):
    name = keep(1)
    review, collect = review_server(), collect_server()
    wait_for_frame(collect)
    bodies = [b"{" * 99_000, b"x" * 200_000, b"\0", b'{"names": ["' + b"a" * 90_000 + b'"]}', b'{"label": {}}']
    paths = ("/review/decide", "/review/undo", "/collect/take", "/collect/undo", "/collect/delete")
    queries = ("?limit=-1", "?limit=" + "9" * 300, "?view=%00", "?view=kept&label=" + "x" * 3000, "?before=\xff")
    sent = 0
    for server in (review, collect):
        for _ in range(4):
            for path in paths:
                for body in bodies:
                    status, _ = call(server.port, "POST", path, body)
                    assert 400 <= status < 500, (path, body[:20])
                    sent += 1
        for query in queries:
            assert call(server.port, "GET", f"/review/frames{query}".replace("\xff", "%ff"))[0] in {200, 400, 404}
            assert (
                call(server.port, "GET", f"/review/list{query.replace('before', 'after')}".replace("\xff", "%ff"))[0]
                < 500
            )
    assert sent >= 200
    assert call(review.port, "POST", "/review/decide", {"names": [name], "label": "dog"})[0] == 200
    assert call(collect.port, "POST", "/collect/take", {"label": "dog"})[0] == 200
