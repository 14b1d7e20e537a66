"""The connection to a cluster: OpenSearch Service with signed requests, or a node on this machine."""

from __future__ import annotations

from urllib.parse import urlsplit

from opensearchpy import OpenSearch

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def connect(url: str, region: str | None = None, *, timeout: float = 60.0) -> OpenSearch:
    """A client of a cluster. Connects with the first request.

    A request is sent once: a build repeats what may be repeated itself, with back-off.

    Args:
        url: `https://` of a domain of OpenSearch Service, or `http://` of this machine.
        region: The domain's region; needed for https.
        timeout: Seconds to wait for an answer.

    Raises:
        ValueError: If the URL is neither of these, or region or AWS credentials are missing.
    """
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname in _LOOPBACK:
        return OpenSearch(hosts=[url], timeout=timeout, max_retries=0, pool_maxsize=8)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError(
            f"{url!r} is no URL of OpenSearch: write https:// and the domain's endpoint, or http://127.0.0.1:<port>."
        )
    return OpenSearch(
        hosts=[{"host": parts.hostname, "port": parts.port or 443}],
        http_auth=_signer(url, region),
        use_ssl=True,
        verify_certs=True,
        http_compress=True,
        timeout=timeout,
        max_retries=0,
        pool_maxsize=8,
    )


def _signer(url: str, region: str | None) -> object:
    import boto3
    from opensearchpy import Urllib3AWSV4SignerAuth

    if region is None:
        raise ValueError(f"Requests to {url} are signed for a region, and none is given.")
    credentials = boto3.Session().get_credentials()
    if credentials is None:
        raise ValueError(f"Requests to {url} are signed, and there are no AWS credentials. Log in, or set a profile.")
    return Urllib3AWSV4SignerAuth(credentials, region, "es")
