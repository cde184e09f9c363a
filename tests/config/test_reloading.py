"""The active configuration follows changes of its file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from swapper_project.config import ConfigError, ConfigSource
from tests.config.examples import CHART_DEFAULTS, GCP


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(GCP)
    return path


def test_a_valid_change_is_loaded(file: Path) -> None:
    source = ConfigSource(file)
    assert source.poll() is False
    file.write_text(GCP + "dryRun: false\n")
    assert source.poll() is True
    assert not source.current.dry_run
    assert source.poll() is False


def test_a_change_is_detected_with_the_same_size_and_modification_time(file: Path) -> None:
    source = ConfigSource(file)
    status = file.stat()
    file.write_text(GCP.replace("main", "mein"))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert file.stat().st_size == status.st_size
    assert source.poll() is True
    assert source.current.target.name.prefix == "gcp-project-123/mein"


def test_an_equivalent_file_is_not_a_change(file: Path) -> None:
    source = ConfigSource(file)
    before = source.current
    file.write_text("# a note\n" + GCP)
    assert source.poll() is False
    assert source.current is before


def test_an_invalid_change_keeps_the_last_valid_version_and_is_logged_once(file: Path) -> None:
    source = ConfigSource(file)
    file.write_text(GCP + "dryRn: false\n")
    with capture_logs() as logs:
        assert source.poll() is False
        assert source.poll() is False
    assert source.current.dry_run is True
    assert source.problem is not None and "did you mean dryRun?" in source.problem
    assert [line["log_level"] for line in logs] == ["error"]
    assert "did you mean dryRun?" in logs[0]["problems"][0]
    with capture_logs() as logs:
        file.write_text(GCP + "dryRn: true\n")
        source.poll()
    assert len(logs) == 1
    file.write_text(GCP)
    assert source.poll() is False
    assert source.problem is None


def test_a_removed_file_is_logged_once_and_loaded_when_it_is_restored(file: Path) -> None:
    source = ConfigSource(file)
    file.unlink()
    with capture_logs() as logs:
        assert not source.poll() and not source.poll()
    assert len(logs) == 1
    assert source.problem is not None and "can't be read" in source.problem
    file.write_text(GCP + "dryRun: false\n")
    assert source.poll() is True
    assert source.problem is None


def test_a_config_map_update_that_replaces_the_symlink_is_loaded(tmp_path: Path) -> None:
    for version, text in (("v1", GCP), ("v2", GCP + "logLevel: debug\n")):
        (tmp_path / version).mkdir()
        (tmp_path / version / "config.yaml").write_text(text)
    data = tmp_path / "..data"
    data.symlink_to("v1")
    source = ConfigSource(data / "config.yaml")
    (tmp_path / "new").symlink_to("v2")
    (tmp_path / "new").rename(data)
    assert source.poll() is True
    assert source.current.log_level == "debug"


def test_flags_still_override_the_file_after_a_reload(file: Path) -> None:
    source = ConfigSource(file, {"dryRun": False})
    file.write_text(GCP + "dryRun: true\nlogLevel: debug\n")
    assert source.poll() is True
    assert (source.current.dry_run, source.current.log_level) == (False, "debug")
    assert source.current.overridden == ("dryRun",)


def test_warnings_are_logged_after_a_reload(file: Path) -> None:
    source = ConfigSource(file)
    file.write_text(CHART_DEFAULTS)
    with capture_logs() as logs:
        assert source.poll() is True
    assert any(line["log_level"] == "warning" and "placeholder" in line["event"] for line in logs)


def test_a_missing_file_or_target_at_startup_raises_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        ConfigSource(tmp_path / "missing.yaml")
    with pytest.raises(ConfigError, match="target: is missing"):
        ConfigSource(None)
    source = ConfigSource(None, {"target": {"type": "oci", "oci": {"endpoint": "r.io"}}})
    assert source.current.target.name.endpoint == "r.io"
    assert source.poll() is False
