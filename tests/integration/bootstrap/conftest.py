"""Fixtures of what sets up Redshift and OpenSearch: an OpenSearch with its security plugin, Redshift's stand-in."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from opensearchpy import OpenSearch

from infra.local.opensearch.artifacts import jars_dir, version
from infra.local.opensearch.engine import OpenSearchEngine
from infra.local.opensearch.java import find_java, find_maven
from orchestration.settings import Settings
from tests.conftest import free_port, running_server

BOOTSTRAP_ARN = "arn:aws:iam::123456789012:role/test-bootstrap"
SERVING_ARN = "arn:aws:iam::123456789012:role/test-serving"

_PLUGIN = "org.opensearch.security.OpenSearchSecurityPlugin"
# Who sends a request stands in headers, as OpenSearch Service's signature says it: the ARN of an IAM role. Nodes speak
# TLS to each other, which the plugin insists on.
_SECURED = """\
plugins.security.ssl.transport.pemcert_filepath: node.pem
plugins.security.ssl.transport.pemkey_filepath: node.key
plugins.security.ssl.transport.pemtrustedcas_filepath: node.pem
plugins.security.ssl.transport.enforce_hostname_verification: false
plugins.security.ssl.http.enabled: false
plugins.security.allow_default_init_securityindex: true
plugins.security.nodes_dn: ["CN=node"]
plugins.security.restapi.roles_enabled: [all_access]
"""
# What the plugin begins with, by file: its type, its content.
_SECURITY = {
    "config": (
        "config",
        """\
config:
  dynamic:
    http:
      xff: { enabled: true, internalProxies: '127\\.0\\.0\\.1' }
    authc:
      headers:
        http_enabled: true
        order: 0
        http_authenticator:
          type: proxy
          challenge: false
          config: { user_header: x-proxy-user, roles_header: x-proxy-roles }
        authentication_backend: { type: noop }
""",
    ),
    "roles_mapping": ("rolesmapping", f"all_access: {{ backend_roles: ['{BOOTSTRAP_ARN}'] }}\n"),
    "action_groups": ("actiongroups", ""),
    "internal_users": ("internalusers", ""),
    "nodes_dn": ("nodesdn", ""),
    "roles": ("roles", ""),
    "tenants": ("tenants", ""),
}

As = Callable[[str], OpenSearch]


@pytest.fixture(scope="session")
def secured_opensearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[As]:
    """Clients of an OpenSearch with its security plugin, by the ARN of who sends requests. Ends with the session."""
    engine, maven, java = OpenSearchEngine(), find_maven(), find_java()
    if (reason := engine.available()) is not None or java is None:
        pytest.skip(reason or "OpenSearch needs Java")
    folder = tmp_path_factory.mktemp("secured-opensearch")
    url = f"http://127.0.0.1:{free_port()}"
    settings = Settings(opensearch_url=url, state_dir=folder)  # pyright: ignore[reportCallIssue]  defaults supply the rest
    launch = engine.launch(settings, exit_with_stdin=True)
    if maven is None and not _plugin_dir().is_dir():
        pytest.skip("OpenSearch's security plugin has to be fetched, and there is no Maven")
    plugin = _fetch_plugin(str(maven), java.home)
    _configure(folder / "opensearch" / "config")
    command = [
        f"{jars_dir()}/*{os.pathsep}{plugin}/*" if part == str(jars_dir() / "*") else part for part in launch.command
    ]

    def client(arn: str) -> OpenSearch:
        return OpenSearch(hosts=[url], headers=_headers(arn), max_retries=0)

    secured = [*command, f"--plugin={_PLUGIN}"]
    log = folder / "opensearch.log"
    with running_server(secured, log, lambda _: _answers(url), within=launch.healthy_within):
        yield client


def _answers(url: str) -> bool:
    """Whether the plugin has read what it begins with."""
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{url}/_cluster/health", headers=_headers(BOOTSTRAP_ARN))):
            return True
    except OSError:
        return False


def _headers(arn: str) -> dict[str, str]:
    return {"x-proxy-user": arn, "x-proxy-roles": arn, "x-forwarded-for": "192.0.2.1"}


def _plugin_dir() -> Path:
    return jars_dir().parent.parent / "opensearch-security" / version()


def _fetch_plugin(maven: str, java_home: Path) -> Path:
    """The plugin's jars that OpenSearch has not got itself: fetched once, by Maven, into the user's cache."""
    target = _plugin_dir()
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    coordinates = f"org.opensearch.plugin:opensearch-security:{version()}:zip"
    fetch = [maven, "--batch-mode", "--quiet", "dependency:copy", f"-Dartifact={coordinates}"]
    fetch.append(f"-DoutputDirectory={target.parent}")
    done = subprocess.run(
        fetch, capture_output=True, text=True, check=False, env={**os.environ, "JAVA_HOME": str(java_home)}
    )
    if done.returncode != 0:
        pytest.skip(f"Maven could not fetch OpenSearch's security plugin: {done.stdout[-500:]}")
    there = {_artifact(jar.name) for jar in jars_dir().glob("*.jar")}
    unpacked = target.with_suffix(f".{os.getpid()}")
    with zipfile.ZipFile(target.parent / f"opensearch-security-{version()}.zip") as archive:
        jars = [name for name in archive.namelist() if name.endswith(".jar") and "/" not in name]
        archive.extractall(unpacked, [name for name in jars if _artifact(name) not in there])
    unpacked.rename(target)
    return target


def _artifact(jar: str) -> str:
    """A jar's name without its version."""
    return jar[: next(i for i, letter in enumerate(jar) if letter == "-" and jar[i + 1].isdigit())]


def _configure(config: Path) -> None:
    with (config / "opensearch.yml").open("a") as settings:
        settings.write(_SECURED)
    security = config / "opensearch-security"
    security.mkdir()
    for file, (kind, content) in _SECURITY.items():
        (security / f"{file}.yml").write_text(f"_meta: {{ type: {kind}, config_version: 2 }}\n{content}")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "node")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (config / "node.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (config / "node.key").write_bytes(key.private_bytes(*private))
