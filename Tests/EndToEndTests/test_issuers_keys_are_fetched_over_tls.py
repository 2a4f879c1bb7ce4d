"""Keys behind a URL: fetched from a real issuer over TLS, rotated, and kept while it is away."""

import functools
import json

import pytest
from harness.authorities import DAY, Issued
from harness.certificates import Certificates
from harness.issuers import issuer, trusting
from harness.policies import counting_node, follow, pool
from harness.tokens import SigningKey
from harness.waiting import await_until

pytestmark = pytest.mark.deadline(120)

PREDICT = "/v1/models/half_plus_two:predict"
BODY = '{"instances": [1.0]}'
NAME, AUDIENCE = "https://login.example.com", "martlet"
PATIENCE = 60.0


@pytest.fixture(scope="module")
def signing(tmp_path_factory):
    """Makes keys that sign tokens, each once for all tests."""
    folder = tmp_path_factory.mktemp("signing")
    return functools.cache(lambda name: SigningKey(folder, name, "ES256"))


@pytest.fixture(scope="module")
def certificates(module_martlet, tmp_path_factory):
    """The authority that gateways trust; `martlet certs` has made it."""
    return Certificates(module_martlet, tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def certificate(certificates):
    return certificates.node()


@pytest.fixture
def origin():
    with counting_node() as server:
        yield server


@pytest.fixture
def gateway_of(martlet, origin, certificates, tmp_path):
    """Starts a gateway that takes the tokens of an issuer."""

    def start(login, authority=certificates.certificate, **settings):
        entry = {
            "name": "login",
            "issuer": NAME,
            "audiences": [AUDIENCE],
            "jwks_url": login.url,
            "refresh_pause_seconds": 1,
            **settings,
        }
        file = tmp_path / "credentials.yaml"
        file.write_text(json.dumps({"issuers": [entry]}), encoding="utf-8")
        policy = {"access": {"api_keys_file": str(file)}, "pools": [pool("main", origin)]}
        options = {"prefix": trusting(authority)} if authority else {}
        return follow(martlet, policy, **options)

    return start


def token(key, **claims):
    return key.token(**({"iss": NAME, "aud": AUDIENCE, "sub": "imaging"} | claims))


def ask(gateway, secret):
    headers = {"Authorization": f"Bearer {secret}"}
    return gateway.rest.post(PREDICT, BODY, headers=headers).status_code


def await_status(gateway, secret, status, what):
    await_until(lambda: ask(gateway, secret) == status, what, PATIENCE, 0.1)


def complaints(gateway):
    """What the gateway has logged of keys that it could not fetch."""
    return [line for line in gateway.log_lines() if "Not read again" in line and "login" in line]


def test_keys_are_fetched_and_rotated_without_a_restart(signing, certificate, gateway_of):
    old, new = token(signing("old")), token(signing("new"))
    with issuer(certificate, signing("old")) as login:
        gateway = gateway_of(login)
        await_status(gateway, old, 200, "the first keys")
        assert ask(gateway, new) == 401
        # Both for a while, as issuers rotate their keys: the new one is asked for when it is met.
        login.publish(signing("old"), signing("new"))
        await_status(gateway, new, 200, "the new key")
        assert ask(gateway, old) == 200
        login.publish(signing("new"))
        # Somebody comes with a key that is not known, and so they are fetched again.
        unknown = token(signing("third"))
        await_until(
            lambda: (ask(gateway, unknown), ask(gateway, old)) == (401, 401),
            "the old key to be gone",
            PATIENCE,
            0.1,
        )
        assert ask(gateway, new) == 200
        assert complaints(gateway) == []


def test_issuers_of_a_private_authority_are_believed_by_the_file_that_names_it(
    signing, gateway_of, tmp_path
):
    ours = Issued(tmp_path, "ours", is_authority=True)
    other = Issued(tmp_path, "other", is_authority=True)
    named = tmp_path / "named.pem"
    named.write_bytes(other.file.read_bytes())
    with issuer(ours.issue("login").pair, signing("old")) as login:
        gateway = gateway_of(login, authority=None, jwks_ca_file=str(named))

        def fetches(outcome):
            name = "martlet_gateway_key_fetches_total"
            return gateway.admin.metrics().total(name, issuer="login", outcome=outcome)

        secret = token(signing("old"))
        await_until(lambda: fetches("failed") >= 1, "a fetch that fails", PATIENCE)
        assert fetches("success") == 0
        assert ask(gateway, secret) == 503
        # The file is read at each fetch.
        named.write_bytes(ours.file.read_bytes())
        await_status(gateway, secret, 200, "the keys")
        await_until(lambda: fetches("success") >= 1, "the fetch to be counted", PATIENCE)
        ages = gateway.admin.metrics().by("martlet_gateway_keys_age_seconds", "issuer")
        assert ages.keys() == {"login"}


def test_keys_that_are_gone_are_refused_though_nobody_comes_with_others(
    signing, certificate, gateway_of
):
    old, new = token(signing("old")), token(signing("new"))
    with issuer(certificate, signing("old")) as login:
        gateway = gateway_of(login, refresh_seconds=10)
        await_status(gateway, old, 200, "the first keys")
        login.publish(signing("new"))
        await_status(gateway, old, 401, "the old key to be gone")
        assert ask(gateway, new) == 200


def test_unknown_keys_make_no_more_fetches_than_the_pause_allows(signing, certificate, gateway_of):
    with issuer(certificate, signing("old")) as login:
        gateway = gateway_of(login, refresh_pause_seconds=3600)
        await_status(gateway, token(signing("old")), 200, "the first keys")
        for _ in range(50):
            assert ask(gateway, token(signing("third"))) == 401
        assert login.fetches == 1


def test_keys_stay_in_use_while_their_issuer_is_down_or_out_of_order(
    signing, certificate, gateway_of
):
    old, new = token(signing("old")), token(signing("new"))
    with issuer(certificate, signing("old")) as login:
        gateway = gateway_of(login)
        await_status(gateway, old, 200, "the first keys")

        def await_complaint(count):
            def told():
                assert ask(gateway, new) == 401
                assert ask(gateway, old) == 200
                return len(complaints(gateway)) >= count

            await_until(told, f"complaint {count}", PATIENCE, 0.1)

        login.stop()
        await_complaint(1)
        good = login.answer
        login.answer = 500, b"{}"
        login.start()
        await_complaint(2)
        login.answer = 200, b'{"keys": ['
        await_complaint(3)
        login.answer = 200, b'{"keys": []}'
        await_complaint(4)
        # Each is told once, not at every fetch that fails.
        fetches = login.fetches
        await_until(lambda: login.fetches >= fetches + 2, "two fetches more", PATIENCE, 0.1)
        assert len(complaints(gateway)) == 4
        login.answer = good
        login.publish(signing("old"), signing("new"))
        await_status(gateway, new, 200, "the new key")
        assert ask(gateway, old) == 200


def test_gateways_start_without_their_issuer_and_take_its_tokens_later(
    signing, certificate, gateway_of
):
    with issuer(certificate, signing("old")) as login:
        login.stop()
        gateway = gateway_of(login)
        secret = token(signing("old"))
        assert ask(gateway, secret) == 503
        await_until(lambda: complaints(gateway), "the complaint", PATIENCE)
        assert ask(gateway, secret) == 503
        login.start()
        await_status(gateway, secret, 200, "the keys")


def wrong_certificates(folder):
    """Certificates that are not the issuer's, by what is wrong with them."""
    stranger = Issued(folder, "stranger", is_authority=True)
    return {
        "signed by nobody": lambda ours: Issued(folder, "itself").pair,
        "of another authority": lambda ours: stranger.issue("other").pair,
        "for another name": lambda ours: ours.issue("name", names=("evil.example.com",)).pair,
        "expired": lambda ours: ours.issue("late", since=-2 * DAY, until=-DAY).pair,
    }


@pytest.mark.parametrize(
    "fault", ["signed by nobody", "of another authority", "for another name", "expired"]
)
def test_issuers_with_a_wrong_certificate_are_not_believed(signing, gateway_of, tmp_path, fault):
    ours = Issued(tmp_path, "ours", is_authority=True)
    good, wrong = ours.issue("good").pair, wrong_certificates(tmp_path)[fault](ours)
    old, forged = token(signing("old")), token(signing("forger"))
    with issuer(good, signing("old")) as login:
        gateway = gateway_of(login, authority=ours.file)
        await_status(gateway, old, 200, "the first keys")
        # Who stands in the issuer's place has keys of his own.
        login.show(wrong)
        login.publish(signing("forger"))
        fetches = login.fetches

        def refused():
            assert ask(gateway, forged) == 401
            assert ask(gateway, old) == 200
            return complaints(gateway)

        await_until(refused, "the issuer to be refused", PATIENCE, 0.1)
        assert login.fetches == fetches
        login.show(good)
        login.publish(signing("new"))
        new = token(signing("new"))
        await_status(gateway, new, 200, "the keys of the issuer itself")
        assert (ask(gateway, forged), ask(gateway, old)) == (401, 401)
