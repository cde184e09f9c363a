"""On a real API server: the set-up with the chart's own rights, and the processes as their pods run them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
import urllib3

from tests.chart.installation import PASSWORD, Installation, apply, create_pod, helm_test, installed
from tests.support.controlplane import ControlPlane
from tests.support.databases import query
from tests.support.helm import containers
from tests.support.ports import wait_until
from tests.support.postgres import require_postgres, running_server
from tests.support.system import POOL, Process


@pytest.fixture(scope="module")
def database_port() -> Iterator[int]:
    """A Postgres that asks for the password."""
    require_postgres()
    with running_server() as server:
        query(f"{server.url}/postgres", f"ALTER ROLE swapper PASSWORD '{PASSWORD}'")
        query(f"{server.url}/postgres", "CREATE DATABASE images")
        rules = Path(query(f"{server.url}/postgres", "SHOW hba_file")[0][0])
        rules.write_text("host all all 127.0.0.1/32 scram-sha-256\nlocal all all trust\n")
        query(f"{server.url}/postgres", "SELECT pg_reload_conf()")
        yield server.port


@pytest.fixture(scope="module")
def installation(
    plane: ControlPlane, database_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    external = {"host": "127.0.0.1", "port": database_port, "database": "images", "existingSecret": "database"}
    with installed(plane, tmp_path_factory.mktemp("pods"), {"externalDatabase": external}) as release:
        yield release


def test_the_set_up_makes_what_is_absent_with_the_rights_of_the_chart(installation: Installation) -> None:
    made = installation.secrets()

    assert len(made["app"]["secret-key"]) >= 50
    assert set(made["admin"]) == {"username", "password"}
    assert {"tls.crt", "tls.key", "ca-bundle.crt"} <= set(made["tls"])
    assert installation.hook()["clientConfig"]["service"]["path"] == f"/webhook/{made['app']['webhook-token']}"
    assert installation.hook()["clientConfig"]["caBundle"]

    installation.set_up()

    assert installation.secrets() == made


def test_an_upgrade_leaves_what_the_set_up_has_written(installation: Installation) -> None:
    before = installation.hook()["clientConfig"]
    apply(installation.kubelet.plane, [found for found in installation.manifests.objects if "webhooks" in found])

    assert installation.hook()["clientConfig"] == before


def is_ready(address: str, process: Process) -> bool:
    assert process.popen is not None
    assert process.popen.poll() is None, process.log.read_text()
    try:
        return POOL.request("GET", f"{address}/readyz", retries=False, timeout=5).status == 200
    except urllib3.exceptions.HTTPError:
        return False


@pytest.mark.timeout(240)
def test_pods_run_and_the_api_server_reaches_the_webhook(installation: Installation) -> None:
    kubelet = installation.kubelet
    web, worker, webhook = (installation.template("Deployment", role) for role in ("web", "worker", ""))
    installation.run(web, containers(web)[0])
    with ExitStack() as stack:
        processes = {}
        for pod in (web, worker, webhook):
            process = kubelet.process(pod, containers(pod)[-1])
            process.start()
            stack.callback(process.stop)
            processes[containers(pod)[-1]["name"]] = process
        port = containers(webhook)[0]["ports"][0]["containerPort"]
        addresses = {
            "web": f"http://127.0.0.1:{kubelet.port(8000)}",
            "worker": f"http://127.0.0.1:{kubelet.port(8001)}",
            "k8s-image-swapper": f"https://127.0.0.1:{port}",
        }
        for name, process in processes.items():
            ready = partial(is_ready, addresses[name], process)
            wait_until(ready, timeout=60, what=f"{name} (log: {process.log})")

        create_pod(kubelet.plane, f"{installation.name}-apps")
        log = processes["k8s-image-swapper"].log
        wait_until(lambda: '"message":"Admitted"' in log.read_text(), what=f"an admission (log: {log})")
        assert f'"namespace":"{installation.name}-apps"' in log.read_text()

        ended = helm_test(installation)
        assert ended.returncode == 0, ended.stderr
        assert "over TLS that the caBundle verifies" in ended.stdout
        # All at once, each takes a while to end.
        for process in processes.values():
            assert process.popen is not None
            process.popen.terminate()


def test_the_test_says_what_is_wrong(installation: Installation) -> None:
    """No webhook runs here."""
    ended = helm_test(installation)

    assert ended.returncode == 1
    assert "cannot be reached as the API server reaches it" in ended.stderr


@pytest.mark.timeout(240)
def test_one_pod_runs_everything_on_sqlite(plane: ControlPlane, tmp_path: Path) -> None:
    with installed(plane, tmp_path, {"sqlite": {"enabled": True}}) as release, ExitStack() as stack:
        pod = release.template("Deployment")
        process = release.kubelet.process(pod, containers(pod)[0])
        process.start()
        stack.callback(process.stop, timeout=60)
        kubelet, port = release.kubelet, containers(pod)[0]["ports"][0]["containerPort"]
        for address in (
            f"https://127.0.0.1:{port}",
            f"http://127.0.0.1:{kubelet.port(8000)}",
            f"http://127.0.0.1:{kubelet.port(8001)}",
        ):
            wait_until(partial(is_ready, address, process), timeout=90, what=f"{address} (log: {process.log})")
        assert helm_test(release).returncode == 0
