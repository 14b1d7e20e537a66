"""What stands in for Redshift Serverless: PostgreSQL, which it descends from, behind the APIs that are called.

Shown by it: the order of the steps, what they grant to whom, that they may be repeated, the calls. Not shown: what only
Redshift has. `REWRITES` is all of that, statement by statement, and `SHIM` the system views that PostgreSQL lacks.
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import re
import shutil
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.conftest import free_port

BINARIES = Path("/usr/lib/postgresql/15/bin")
ADMIN = "admin"
ADMIN_SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:redshift!watershed-admin-AbCdEf"
QUICKSIGHT_SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:watershed-dev/quicksight-AbCdEf"
UNLOAD_ROLE = "arn:aws:iam::123456789012:role/watershed-dev-redshift"
DATABASE = "watershed"

# Of actions in a policy, by the service's name in a request.
_PREFIXES = {
    "RedshiftData": "redshift-data",
    "RedshiftServerless": "redshift-serverless",
    "secretsmanager": "secretsmanager",
}

# What of Redshift's syntax PostgreSQL does not know, and what runs in its place.
REWRITES: tuple[tuple[str, str], ...] = (
    # Spectrum: a schema without tables.
    (
        r"create external schema if not exists (\"\w+\") from data catalog database ('\w+') iam_role default",
        r"create schema if not exists \1; insert into redshift.external_schemas values (btrim('\1', '\"'), \2)",
    ),
    # A user that signs in by IAM alone: here by nothing at all.
    (r"(create user \".+\") password disable", r"\1"),
    # A role stands in the place of a user, without a word before it.
    (r"^grant role (\"\w+\") to", r"grant \1 to"),
    (r"to role (\"\w+\")", r"to \1"),
    (r"alter default privileges for user", "alter default privileges for role"),
    # Which IAM roles COPY and UNLOAD may use.
    (r"revoke assumerole on all from public for all", "delete from redshift.assumerole where grantee = 'public'"),
    (
        r"grant assumerole on ('.+') to \"(.+)\" for unload",
        r"insert into redshift.assumerole values ('\2', \1)",
    ),
)

SHIM = """
-- As Redshift begins: everybody makes tables in public, and uses any IAM role.
grant all on schema public to public;
create schema redshift;
grant usage on schema redshift to public;
create table redshift.external_schemas (schemaname text, databasename text);
create table redshift.assumerole (grantee text, arn text);
insert into redshift.assumerole values ('public', null);
create view redshift.svv_external_schemas as select * from redshift.external_schemas;
create view redshift.svv_tables as select table_schema, table_name from information_schema.tables;
create view redshift.svv_roles as select rolname as role_name from pg_roles where not rolcanlogin;
create view redshift.svv_user_grants as
select u.rolname as user_name, r.rolname as role_name
from pg_auth_members m join pg_roles u on u.oid = m.member join pg_roles r on r.oid = m.roleid;
create view redshift.identities as
select oid, rolname::text as identity_name, case when rolcanlogin then 'user' else 'role' end as identity_type
from pg_roles
union all select 0, 'public', 'public';
create view redshift.svv_schema_privileges as
select n.nspname as namespace_name, a.privilege_type, i.identity_name, i.identity_type
from pg_namespace n, aclexplode(n.nspacl) a, redshift.identities i where i.oid = a.grantee;
create view redshift.svv_database_privileges as
select d.datname as database_name, a.privilege_type, i.identity_name, i.identity_type
from pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a, redshift.identities i
where i.oid = a.grantee;
create view redshift.svv_relation_privileges as
select n.nspname as namespace_name, c.relname as relation_name, a.privilege_type, i.identity_name, i.identity_type
from pg_class c join pg_namespace n on n.oid = c.relnamespace, aclexplode(c.relacl) a, redshift.identities i
where i.oid = a.grantee;
create view redshift.svv_default_privileges as
select n.nspname as schema_name, 'RELATION' as object_type, o.rolname as owner_name, a.privilege_type,
    i.identity_name as grantee_name, i.identity_type as grantee_type
from pg_default_acl d join pg_namespace n on n.oid = d.defaclnamespace join pg_roles o on o.oid = d.defaclrole,
    aclexplode(d.defaclacl) a, redshift.identities i
where i.oid = a.grantee and d.defaclobjtype = 'r';
create function redshift.has_assumerole_privilege(who text, role text, what text) returns boolean language sql as
$$ select exists (select from redshift.assumerole where grantee in ('public', who) and coalesce(arn, role) = role) $$;
"""


class Redshift:
    """PostgreSQL, and a server that speaks the Data API, Redshift Serverless's own, and Secrets Manager's, as JSON."""

    def __init__(self, port: int, password: str) -> None:
        self.port, self.admin_password = port, password
        self.secrets: dict[str, str | None] = {}
        self.ran: list[str] = []
        """The statements, as they were sent."""
        self.called: set[str] = set()
        """The operations, with the prefix that they have in a policy."""
        self.workgroup_states: list[str] = []
        """Told by GetWorkgroup before AVAILABLE."""
        self.namespace = {"adminPasswordSecretArn": ADMIN_SECRET, "defaultIamRoleArn": UNLOAD_ROLE}
        self.refuses: list[tuple[str, str]] = []
        """Operations that are refused once each, with a code."""
        self.fails: list[tuple[str, str]] = []
        """Patterns of statements that fail once each, with Redshift's words."""
        self.lost: list[str] = []
        """Patterns of statements that run, and are told to have failed, once each."""
        self.still_running = 0
        """How many times DescribeStatement tells so before a statement's end."""
        self.after: Callable[[str], object] = lambda _: None
        """Called with each statement once it has run."""
        self._statements: dict[str, dict[str, Any]] = {}
        self._tokens: dict[str, str] = {}
        self._connections: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    def empty(self) -> None:
        """A warehouse as Redshift makes it."""
        for connection in self._connections.values():
            connection.close()
        self.__init__(self.port, self.admin_password)
        self.secrets = {
            ADMIN_SECRET: json.dumps({"username": ADMIN, "password": self.admin_password}),
            QUICKSIGHT_SECRET: None,
        }
        with closing(self._connection("postgres", ADMIN, self.admin_password)) as connection:
            cursor = connection.cursor()
            cursor.execute(f"drop database if exists {DATABASE}")
            cursor.execute("select rolname from pg_roles where rolname <> %s and rolname !~ '^pg_'", (ADMIN,))
            for (role,) in cursor.fetchall():
                cursor.execute(f'drop role "{role}"')
            cursor.execute(f"create database {DATABASE}")
            cursor.execute(f'alter database {DATABASE} set search_path = "$user", public, redshift')
        self.sql(SHIM)

    def sql(self, sql: str, user: str = ADMIN) -> list[tuple[Any, ...]]:
        """Run SQL of PostgreSQL as a user, without its password."""
        with closing(self._connection(DATABASE, ADMIN, self.admin_password)) as connection:
            cursor = connection.cursor()
            cursor.execute(f'set session authorization "{user}"')
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def _connection(self, database: str, user: str, password: str) -> Any:
        connection = psycopg2.connect(host="127.0.0.1", port=self.port, dbname=database, user=user, password=password)
        connection.autocommit = True
        return connection

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer a request. Raises LookupError(code) for what is refused."""
        for refused in self.refuses:
            if refused[0] == operation:
                self.refuses.remove(refused)
                raise LookupError(refused[1])
        return getattr(self, f"_{operation}")(request)

    def _GetWorkgroup(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["workgroupName"] != "watershed":
            raise LookupError("ResourceNotFoundException")
        status = self.workgroup_states.pop(0) if self.workgroup_states else "AVAILABLE"
        return {"workgroup": {"workgroupName": "watershed", "namespaceName": "watershed", "status": status}}

    def _GetNamespace(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"namespace": {"namespaceName": request["namespaceName"], **self.namespace}}

    def _GetSecretValue(self, request: dict[str, Any]) -> dict[str, Any]:
        if self.secrets.get(request["SecretId"]) is None:
            raise LookupError("ResourceNotFoundException")
        return {"ARN": request["SecretId"], "SecretString": self.secrets[request["SecretId"]]}

    def _PutSecretValue(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["SecretId"] not in self.secrets:
            raise LookupError("ResourceNotFoundException")
        self.secrets[request["SecretId"]] = request["SecretString"]
        return {"ARN": request["SecretId"], "VersionId": str(uuid.uuid4())}

    def _ExecuteStatement(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            token = request["ClientToken"]
            if token not in self._tokens:
                self._tokens[token] = str(uuid.uuid4())
                self._statements[self._tokens[token]] = self._execute(request["SecretArn"], request["Sql"])
            return {"Id": self._tokens[token]}

    def _execute(self, secret: str, sql: str) -> dict[str, Any]:
        self.ran.append(sql)
        for pattern, words in self.fails:
            if re.search(pattern, sql):
                self.fails.remove((pattern, words))
                return {"Status": "FAILED", "Error": words}
        try:
            cursor = self._sign_in(secret).cursor()
            cursor.execute(rewritten(sql))
            rows = cursor.fetchall() if cursor.description else None
        except psycopg2.Error as error:
            return {"Status": "FAILED", "Error": f"ERROR: {error}".strip()}
        finally:
            self.after(sql)
        for pattern in self.lost:
            if re.search(pattern, sql):
                self.lost.remove(pattern)
                return {"Status": "FAILED", "Error": "connection was closed"}
        return {"Status": "FINISHED", "HasResultSet": rows is not None, "rows": rows}

    def _sign_in(self, secret: str) -> Any:
        """As the user of a secret. Redshift keeps a salted digest, and so does its stand-in, as the user's password."""
        held = json.loads(self.secrets[secret] or "{}")
        user, password = held["username"], held["password"]
        if user == ADMIN:
            return self._kept(user, password)
        told = [re.search(rf'user "{user}" password \'(.+)\'', sql) for sql in self.ran]
        for digest in [found[1] for found in told if found][-1:]:
            _, hashed, salt = digest.split("|")
            if hashlib.sha256(password.encode() + bytes.fromhex(salt)).hexdigest() == hashed:
                return self._kept(user, digest)
        raise psycopg2.OperationalError(f'FATAL:  password authentication failed for user "{user}"')

    def _kept(self, user: str, password: str) -> Any:
        """A connection that later statements use too."""
        if (user, password) not in self._connections:
            self._connections[user, password] = self._connection(DATABASE, user, password)
        return self._connections[user, password]

    def _DescribeStatement(self, request: dict[str, Any]) -> dict[str, Any]:
        if self.still_running:
            self.still_running -= 1
            return {"Id": request["Id"], "Status": "STARTED"}
        told = self._statements[request["Id"]]
        return {"Id": request["Id"], **{key: value for key, value in told.items() if key != "rows"}}

    def _GetStatementResult(self, request: dict[str, Any]) -> dict[str, Any]:
        """A row a page."""
        rows, number = self._statements[request["Id"]]["rows"], int(request.get("NextToken", 0))
        page = [[{"isNull": True} if value is None else {"stringValue": str(value)} for value in row] for row in rows]
        more = {"NextToken": str(number + 1)} if number + 1 < len(page) else {}
        return {"Records": page[number : number + 1], "ColumnMetadata": [], **more}

    def _CancelStatement(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"Status": True}


def rewritten(sql: str) -> str:
    """A statement as PostgreSQL takes it."""
    for pattern, replacement in REWRITES:
        sql = re.sub(pattern, replacement, sql)
    return sql


@contextmanager
def serving(redshift: Redshift) -> Iterator[str]:
    """The URL where a stand-in answers."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or "{}")
            service, _, operation = self.headers["X-Amz-Target"].rpartition(".")
            redshift.called.add(f"{_PREFIXES[service]}:{operation}")
            try:
                status, answer = 200, redshift.call(operation, request)
            except LookupError as error:
                status, answer = 400, {"__type": error.args[0], "message": f"{error.args[0]} of {operation}"}
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: requests hold secrets."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def running_postgres() -> Iterator[Redshift]:
    """PostgreSQL on a free port, in a folder of its own. It refuses root, so then it runs as another user."""
    if not (BINARIES / "initdb").exists():
        pytest.skip(f"PostgreSQL 15 is not at {BINARIES} (Debian: apt install postgresql-15)")
    user = _unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="watershed-postgres-"))
    secret, port = folder / "password", free_port()
    secret.write_text("admin-of-the-test-1")
    if user:
        for path in (folder, secret):
            shutil.chown(path, user)
    as_user: dict[str, Any] = {"user": user, "group": pwd.getpwnam(user).pw_gid, "cwd": folder} if user else {}
    data = folder / "data"
    initdb = [BINARIES / "initdb", "--username", ADMIN, "--pwfile", secret, "--auth", "scram-sha-256", "--no-sync"]
    initdb += ["--encoding", "UTF8", "--locale", "C", "--pgdata", data]
    subprocess.run(initdb, check=True, capture_output=True, **as_user)
    options = ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-k", folder, "-p", str(port), "-D", data]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([BINARIES / "postgres", *options], stdout=log, stderr=log, **as_user)
    try:
        _await(server, port, folder / "log")
        yield Redshift(port, secret.read_text())
    finally:
        server.send_signal(2)  # a fast shutdown
        server.wait(timeout=20)
        shutil.rmtree(folder)


def _unprivileged() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in known)


def _await(server: subprocess.Popen[Any], port: int, log: Path) -> None:
    deadline = time.monotonic() + 30
    while subprocess.run([BINARIES / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], check=False).returncode:
        if server.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"PostgreSQL did not start:\n{log.read_text()}")
        time.sleep(0.05)
