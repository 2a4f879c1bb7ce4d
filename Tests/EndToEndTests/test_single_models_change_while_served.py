"""The admin API: one model is added, changed, labelled and removed beside others that stay."""

import json
import re
import shutil

import pytest
from harness.clients import assert_rest_error
from harness.models import (
    HALF_PLUS_THREE,
    add_version,
    empty_graph,
    fixture,
    model_folder,
)
from harness.waiting import await_until

MODELS = "/admin/v1/models"
ONE = {"instances": [1.0]}


class Admin:
    """Requests to the admin API of a node."""

    def __init__(self, node):
        self.node = node

    def ask(self, method, path="", body=None, **options):
        data = body if isinstance(body, str | None) else json.dumps(body)
        rest = self.node.rest
        return rest.session.request(
            method, rest.url + MODELS + path, data=data, timeout=60, **options
        )

    def models(self):
        answer = self.ask("GET")
        assert answer.status_code == 200, answer.text
        return {model["name"]: model for model in answer.json()["models"]}

    def put(self, path, body=None):
        answer = self.ask("PUT", path, body)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def half(tmp_path):
    """A model of versions 1 (x / 2 + 2) and 2 (x / 2 + 3)."""
    folder = model_folder(tmp_path / "models", "half")
    add_version(folder, 2, HALF_PLUS_THREE)
    return folder


@pytest.fixture
def node(martlet, half):
    return martlet.serve({"other": fixture("half_plus_two"), "half": half})


@pytest.fixture
def admin(node):
    return Admin(node)


def available(model):
    return [v["version"] for v in model["versions"] if v["state"] == "AVAILABLE"]


def test_list_shows_configuration_and_state(admin, half):
    models = admin.models()
    assert sorted(models) == ["half", "other"]
    shown = models["half"]
    assert available(shown) == [2]
    assert not any(version["error"] for version in shown.pop("versions"))
    assert shown == {
        "name": "half",
        "base_path": str(half),
        "version_policy": {"latest": {"num_versions": 1}},
        "labels": {},
        "configured": True,
        "served": True,
    }
    assert admin.ask("GET", "/half").json()["name"] == "half"
    assert_rest_error(admin.ask("GET", "/nothing"), 404, "There is no model 'nothing'")


def test_added_model_answers_when_the_request_is_answered(node, admin):
    shown = admin.put("/extra", {"base_path": str(fixture("multi_signature"))})
    assert available(shown) == [1]
    assert node.rest.predict("extra", {"instances": [3.0]}).json() == {"predictions": [9.0]}
    assert node.rest.predict("other", ONE).json() == {"predictions": [2.5]}
    assert sorted(admin.models()) == ["extra", "half", "other"]


def test_policy_and_labels_change_and_the_rest_stays(node, admin, half):
    shown = admin.put("/half", {"version_policy": "all", "labels": {"stable": 1, "canary": 2}})
    assert shown["base_path"] == str(half)
    assert (shown["version_policy"], available(shown)) == ("all", [1, 2])
    predict = "/v1/models/half/labels/{}:predict"
    assert node.rest.post(predict.format("stable"), ONE).json() == {"predictions": [2.5]}
    assert node.rest.post(predict.format("canary"), ONE).json() == {"predictions": [3.5]}
    shown = admin.put("/half/labels/stable", {"version": 2})
    assert shown["labels"] == {"stable": 2, "canary": 2}
    assert node.rest.post(predict.format("stable"), ONE).json() == {"predictions": [3.5]}
    assert admin.ask("DELETE", "/half/labels/canary").status_code == 200
    assert_rest_error(
        admin.ask("DELETE", "/half/labels/canary"), 404, "Model 'half' has no label 'canary'"
    )
    assert node.rest.post(predict.format("canary"), ONE).status_code == 400
    assert_rest_error(
        admin.ask("PUT", "/half/labels/stable", {"version": 7}),
        400,
        re.compile("version 7 .*not currently available"),
    )
    shown = admin.put("/half", {"version_policy": {"specific": {"versions": [2]}}})
    assert shown["version_policy"] == {"specific": {"versions": [2]}}
    assert shown["labels"] == {"stable": 2}
    await_until(lambda: available(admin.models()["half"]) == [2], "version 1 to be unloaded")
    shown = admin.put("/half", {"version_policy": {"latest": {"num_versions": 2}}})
    assert available(shown) == [1, 2]


def test_removed_model_is_gone_and_others_stay(node, admin, half):
    assert admin.ask("DELETE", "/half").json() == {}
    assert node.rest.predict("half", ONE).status_code == 404
    assert sorted(admin.models()) == ["other"]
    assert_rest_error(admin.ask("DELETE", "/half"), 404, "There is no model 'half'")
    assert_rest_error(admin.ask("PUT", "/half"), 400, re.compile("'base_path' is missing"))
    await_until(lambda: node.rest.get("/healthz/ready").status_code == 200, "readiness")
    admin.put("/half", {"base_path": f"file://{half}"})
    assert node.rest.predict("half", ONE).json() == {"predictions": [3.5]}


def test_models_under_a_root_are_unloaded_and_come_back(martlet, half):
    node = martlet.serve({}, "--model-root", half.parent)
    admin = Admin(node)
    assert admin.models()["half"]["configured"] is False
    assert admin.ask("DELETE", "/half").status_code == 200
    assert node.rest.predict("half", ONE).status_code == 404
    assert admin.models()["half"]["served"] is False
    shown = admin.put("/half")
    assert (shown["served"], shown["base_path"]) == (True, str(half))
    assert node.rest.predict("half", ONE).json() == {"predictions": [3.5]}


def test_failed_load_is_told_and_mended(node, admin, half, tmp_path):
    broken = model_folder(tmp_path / "broken", "broken")
    empty_graph(broken / "1")
    answer = admin.ask("PUT", "/broken", {"base_path": str(broken)})
    assert_rest_error(answer, 400, re.compile("Model 'broken' does not answer: version 1: "))
    assert admin.models()["broken"]["versions"][0]["error"]
    shutil.rmtree(broken / "1")
    add_version(broken, 1, HALF_PLUS_THREE)
    admin.put("/broken")
    assert node.rest.predict("broken", ONE).json() == {"predictions": [3.5]}
    missing = admin.ask("PUT", "/missing", {"base_path": "/nonexistent"})
    assert_rest_error(missing, 400, re.compile("Could not list base path /nonexistent"))
    assert admin.ask("DELETE", "/missing").status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/half", {"base": "/m"}, "unknown member 'base'"),
        ("/half", {"base_path": "relative"}, "Expected model half to have an absolute path"),
        ("/half", {"base_path": 7}, "'base_path' of the body is 7; it must be text"),
        ("/half", '{"labels": {"a": 1, "a": 2}}', "'labels' has 'a' twice"),
        ("/half", {"labels": {"a": -1}}, "'a' of 'labels' is -1"),
        ("/half", {"labels": {"a": 1.5}}, "'a' of 'labels' is a number"),
        ("/half", {"version_policy": "some"}, "'version_policy' is text"),
        ("/half", {"version_policy": {}}, "one of 'latest' and 'specific'"),
        ("/half", {"version_policy": {"latest": {"num": 1}}}, "unknown member 'num'"),
        ("/half", {"version_policy": {"latest": {"num_versions": 0}}}, "is 0; it must be"),
        ("/half", {"version_policy": {"specific": {"versions": []}}}, "must name 'versions'"),
        ("/half", "[]", "the body is a list"),
        ("/half", "{", "JSON Parse error"),
        ("/half/labels/a", {}, "'version' is missing"),
        ("/half/labels/a", {"version": "1"}, "'version' of the body is text"),
        ("/a%2Fb", {}, "cannot name a model"),
        ("/%00", {}, "cannot name a model"),
    ],
)
def test_mistakes_are_named_and_change_nothing(node, admin, path, body, message):
    before = admin.models()
    assert_rest_error(admin.ask("PUT", path, body), 400, re.compile(re.escape(message)))
    assert admin.models() == before
    assert node.rest.predict("half", ONE).json() == {"predictions": [3.5]}


def test_only_the_own_machine_may_ask(admin):
    for headers in ({"Origin": "http://evil.example"}, {"X-Forwarded-For": "192.0.2.1"}):
        assert admin.ask("GET", headers=headers).status_code == 403
        assert admin.ask("DELETE", "/half", headers=headers).status_code == 403
    assert admin.ask("POST", "/half").status_code == 404
    assert admin.ask("GET", "/half/labels").status_code == 404


def test_admin_api_can_be_switched_off(martlet):
    admin = Admin(martlet.serve(("half_plus_two",), "--admin-api", "none"))
    answer = admin.ask("DELETE", "/half_plus_two")
    assert_rest_error(answer, 403, re.compile("switched off"))
