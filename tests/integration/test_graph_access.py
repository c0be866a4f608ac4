"""Drivers through TLS and with a password, against the real thing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from sheaf.errors import BadInput, TemporaryFault
from sheaf.graph import reconcile_tenant
from sheaf.graph.drivers import Access, FusekiStore, SheafStore
from tests import parts
from tests.graphs import ORG, Releases, document, held, tenant
from tests.integration import servers

SHIRO = """[main]
plainMatcher=org.apache.shiro.authc.credential.SimpleCredentialsMatcher
iniRealm.credentialsMatcher = $plainMatcher
[users]
sheaf=s3cret
[urls]
/$/ping = anon
/** = authcBasic
"""


def releases() -> Releases:
    made = Releases()
    made.publish("iris", {document("iris", n): f"title {n}" for n in range(5)})
    return made


@pytest.mark.part("fuseki")
def test_a_fuseki_with_a_password_is_loaded_with_it_and_refuses_others(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "shiro.ini").write_text(SHIRO)
    made = releases()
    with servers.fuseki(tmp_path) as url:
        for access in (Access(), Access(user="sheaf", password="wrong")):
            with pytest.raises(BadInput, match="GLEANERIO_GRAPH_PASSWORD"):
                reconcile_tenant(made.store, FusekiStore(url, access), tenant("iris"), ["iris"], ORG)
        graphs = FusekiStore(url, Access(user="sheaf", password="s3cret"))
        result = reconcile_tenant(made.store, graphs, tenant("iris"), ["iris"], ORG)
        assert result.problems == ()
        assert held(graphs, "geo") == made.expected("iris")


@pytest.mark.part("nginx")
def test_a_server_behind_tls_is_loaded_when_its_certificate_is_known_and_not_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shutil.which("openssl"), "the part nginx comes with openssl on Debian"
    certificate, key, port = tmp_path / "certificate.pem", tmp_path / "key.pem", servers.free_port()
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    made = releases()
    with servers.sheaf_server(tmp_path / "server") as (behind, _):
        root = behind.removesuffix("/blazegraph")
        tls = (
            f"listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}; ssl_certificate_key {key};"
            f"location / {{ proxy_pass {root}; client_max_body_size 0; proxy_request_buffering off; }}"
        )
        with parts.nginx(tmp_path, tls):
            url = f"https://127.0.0.1:{port}/blazegraph"
            with pytest.raises(TemporaryFault, match="certificate"):
                SheafStore(url, Access(token=servers.TOKEN)).namespaces()
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            graphs = SheafStore(url, Access(token=servers.TOKEN))
            result = reconcile_tenant(made.store, graphs, tenant("iris"), ["iris"], ORG)
            assert result.problems == ()
            assert held(graphs, "geo") == made.expected("iris")
            assert graphs.query("geo", "ASK { ?s ?p ?o }")["boolean"]
