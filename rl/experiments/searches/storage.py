"""Where Optuna keeps the trials of a search. Imports Optuna."""

import contextlib
import warnings
from typing import Iterator

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import BaseStorage, RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.storages.journal import JournalFileBackend

from rl.config import UserError

HEARTBEAT = 60  # seconds between two signs of life of a trial
GRACE = 240  # seconds without one after which a trial is another machine's to take up
MOST_RETRIES = 3  # of such a trial
JOURNAL = "journal:"  # how the URL of a file of Optuna's journal begins
GRPC = "grpc://"


def open_storage(url: str) -> BaseStorage:
    """Where Optuna keeps trials.

    Args:
      url: of a database, as SQLAlchemy has it; `journal:FILE`, for a folder that several machines
        share; or `grpc://HOST:PORT`, of Optuna's proxy. Only databases have a heartbeat, by which a
        machine takes up the trials of one that is gone.

    Raises:
      UserError: it can't be opened.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return _open_storage(url)
    except Exception as error:  # pylint: disable=broad-exception-caught  # of many libraries
        first = str(error).partition("\n")[0]
        raise UserError(f"cannot open the storage: {type(error).__name__}: {first}") from error


def _open_storage(url: str) -> BaseStorage:
    if url.startswith(JOURNAL):
        file = JournalFileBackend(url.removeprefix(JOURNAL))
        return optuna.storages.JournalStorage(file)
    if url.startswith(GRPC):
        host, _, port = url.removeprefix(GRPC).rpartition(":")
        return optuna.storages.GrpcStorageProxy(host=host, port=int(port))
    return RDBStorage(
        url,
        heartbeat_interval=HEARTBEAT,
        grace_period=GRACE,
        heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(MOST_RETRIES),
    )


@contextlib.contextmanager
def storage_errors() -> Iterator[None]:
    """Has a storage that fails meanwhile, such as on a full disk, be a UserError."""
    try:
        yield
    except StorageInternalError as error:
        first = str(error.__cause__ or error).partition("\n")[0]
        raise UserError(f"the storage fails: {first}; what was saved is sound") from error
    except Exception as error:
        if not type(error).__module__.startswith("grpc"):
            raise
        code = getattr(error, "code", lambda: "no answer")()
        raise UserError(f"the storage fails: its server gives {code}") from error
