"""Settings of the tests: the settings of the product, read from the environment of the test run."""

from tests.support.run import prepare

prepare()

import dataclasses  # noqa: E402

from swapper_project.settings import *  # noqa: E402, F403
from swapper_project.settings import DATABASES, ENVIRONMENT, INSTALLED_APPS  # noqa: E402

# A file, not memory, because the threads and processes of a test share the database.
DATABASES["default"].setdefault("TEST", {})
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["TEST"]["NAME"] = str(ENVIRONMENT.data_dir / "test.sqlite3")
INSTALLED_APPS = ["tests.support.quick_flush", *INSTALLED_APPS]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Tests send more requests per minute than any user. Tests of the limits set their own.
ENVIRONMENT = dataclasses.replace(ENVIRONMENT, api_requests_per_minute=0, api_anonymous_per_minute=0)
# Otherwise each test client would list all static files, which takes as long as a page. Tests in the browser and of the
# image request static files as they are served in production.
WHITENOISE_AUTOREFRESH = True
