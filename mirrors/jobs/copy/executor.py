"""Runs one claimed job to its end. Whatever happens, the attempt has exactly one ending, which is written here."""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from django.db import InterfaceError, OperationalError

from mirrors.jobs.context.worker_context import Stop, WorkerContext
from mirrors.jobs.copy import ending, failures
from mirrors.jobs.copy.attempt_log import Attempt
from mirrors.jobs.copy.copy_job import CopyJob
from mirrors.jobs.copy.ending import Ending
from mirrors.jobs.copy.other_clusters import OtherClusterError
from mirrors.jobs.queue.heartbeat import LeaseStatus
from mirrors.jobs.queue.leases import Lease
from mirrors.oci import CopyCancelledError
from swapper_project.process.database_errors import explain_database

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class JobExecutor:
    """Runs jobs on the calling thread. Once ``stop`` returns true, a running copy hands its job back."""

    context: WorkerContext
    stop: Stop

    def run(self, lease: Lease) -> None:
        """Run the job of this lease. Never raises: errors are recorded; if that is not possible, the lease expires."""
        status = self.context.heartbeat.add(lease)
        attempt = Attempt(lease)
        try:
            result = self._copy(lease, status, attempt)
            if result is None:
                log.warning("The lease of the job was lost; this copy of it was stopped", job=lease.job_id)
            elif not ending.record(lease, result, stop=self.stop):
                log.warning(
                    "Another worker has claimed the job; the result of this copy is discarded", job=lease.job_id
                )
        except (OperationalError, InterfaceError) as error:
            reason = explain_database(error)
            log.error(
                "The result of a copy could not be recorded; the job will be retried", job=lease.job_id, error=reason
            )
        except Exception:
            log.exception("The result of a copy could not be recorded; the job will be retried", job=lease.job_id)
        finally:
            self.context.heartbeat.remove(lease)
            attempt.count_bytes()

    def _copy(self, lease: Lease, status: LeaseStatus, attempt: Attempt) -> Ending | None:
        """Run the copy and return its ending; None if the lease was lost."""

        def is_stopped() -> bool:
            return self.stop() or status.is_lost or status.is_cancelled

        def save_log_and_check_stop() -> bool:
            """Must run on the image's own thread, because it uses the thread's database connection."""
            attempt.save_lines()
            return is_stopped()

        try:
            copy = CopyJob(self.context, lease, attempt, before_tag=lambda: status.wait_until_renewed(is_stopped))
            outcome = copy.run(cancelled=save_log_and_check_stop)
        except CopyCancelledError:
            return None if status.is_lost else ending.stop(attempt, is_cancelled=status.is_cancelled)
        except OtherClusterError as other:
            return ending.hand_over(lease, attempt, other)
        except Exception as error:
            return ending.failure(lease, attempt, failures.classify_failure(error))
        return ending.success(lease, attempt, outcome)
