"""Errors of the database as one line: the reason from the driver, and what to do."""

# Each case of the table is on one line, as is the message that the operator sees.
# ruff: noqa: E501

from __future__ import annotations

import psycopg
import pytest
from django.db import Error, IntegrityError, OperationalError, ProgrammingError

from swapper_project.process.database_errors import explain_database
from tests.support.ports import free_port

AT = 'connection failed: connection to server at "10.0.0.9", port 5432 failed: '
REFUSED = f"{AT}Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?"
CHECK = "Check SWAPPER_DATABASE_URL, and that its server runs."
TO = 'The database does not respond: connection to server at "10.0.0.9", port 5432 failed: '


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (REFUSED, f"{TO}Connection refused. {CHECK}"),
        (
            f"{REFUSED}\nMultiple connection attempts failed. All failures were:\n- host: 'db', port: None, hostaddr: '10.0.0.8': {REFUSED}",
            f"{TO}Connection refused. {CHECK}",
        ),
        ("connection timeout expired", f"The database does not respond: connection timeout expired. {CHECK}"),
        (
            "failed to resolve host 'db': [Errno -2] Name or service not known",
            f"The database does not respond: failed to resolve host 'db': [Errno -2] Name or service not known. {CHECK}",
        ),
        (
            f'{AT}FATAL:  password authentication failed for user "swapper"\nconnection to server at "10.0.0.9", port 5432 failed: FATAL:  no pg_hba.conf entry for host "10.0.0.1", no encryption',
            f'{TO}FATAL: password authentication failed for user "swapper". {CHECK}',
        ),
        (f'{AT}FATAL:  role "swapper" does not exist', f'{TO}FATAL: role "swapper" does not exist. {CHECK}'),
        (f"{AT}FATAL:  sorry, too many clients already", f"{TO}FATAL: sorry, too many clients already. {CHECK}"),
        (
            f"{AT}server does not support SSL, but SSL was required",
            f"{TO}server does not support SSL, but SSL was required. {CHECK}",
        ),
        (
            f'{AT}root certificate file "/ca.crt" does not exist\nEither provide the file, use the system\'s trusted roots with sslrootcert=system, or change sslmode to disable server certificate verification.',
            f'{TO}root certificate file "/ca.crt" does not exist. {CHECK}',
        ),
        (
            "consuming input failed: server closed the connection unexpectedly\n\tThis probably means the server terminated abnormally\n\tbefore or while processing the request.",
            f"The database does not respond: consuming input failed: server closed the connection unexpectedly. {CHECK}",
        ),
        (
            "the database system is shutting down.",
            f"The database does not respond: the database system is shutting down. {CHECK}",
        ),
        (
            f'{AT}FATAL:  database "swapper" does not exist',
            'The database does not exist: connection to server at "10.0.0.9", port 5432 failed: FATAL: database "swapper" does not exist. Create it, or correct SWAPPER_DATABASE_URL.',
        ),
        (
            "could not extend file: No space left on device\nHINT:  Check free disk space.",
            "The database cannot be written (could not extend file: No space left on device): free space on the disk of ",
        ),
        ("no such table: mirrors_job", "The database is not prepared (no such table: mirrors_job). Run: manage.py prepare"),
        ("database is locked", "The database is used by another process (database is locked). If this continues, "),
        ("attempt to write a readonly database", "The database cannot be written (attempt to write a readonly database): "),
        ("", f"The database does not respond: OperationalError. {CHECK}"),
    ],
)  # fmt: skip
def test_operational_errors_are_explained_with_reason_and_remedy(said: str, line: str) -> None:
    found = explain_database(OperationalError(said))
    assert found.startswith(line) and (not line.endswith(".") or found == line)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            ProgrammingError('relation "mirrors_job" does not exist\nLINE 1: SELECT 1 FROM mirrors_job\n                      ^'),
            'The database is not prepared (relation "mirrors_job" does not exist). Run: manage.py prepare',
        ),
        (IntegrityError("duplicate key"), ""),
    ],
)  # fmt: skip
def test_statement_errors_are_explained_only_for_a_missing_table(error: Error, line: str) -> None:
    assert explain_database(error) == line


def test_a_refused_connection_is_explained_with_its_address() -> None:
    port = free_port()
    with pytest.raises(psycopg.OperationalError) as caught:
        psycopg.connect(f"host=127.0.0.1 port={port} dbname=swapper")
    assert explain_database(OperationalError(*caught.value.args)) == (
        f'The database does not respond: connection to server at "127.0.0.1", port {port} failed: Connection refused. {CHECK}'
    )
