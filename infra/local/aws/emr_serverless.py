"""EMR Serverless's applications as AWS has them: one is made, and starts when it is started or gets a job.

What moto does otherwise: an application is STARTED as soon as it is made, where AWS has it CREATED, and then cannot be
deleted; a job leaves an application that is stopped as it is; the type is taken in capitals alone, where AWS takes
`spark` as well; the architecture is forgotten.
https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/applications.html

AWS stops an application that has been idle; here it stays started until it is stopped. A job still is nothing but a
record that says SUCCESS: no script is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import moto.emrserverless.urls
from moto.core.responses import ActionResult
from moto.emrserverless.models import Application, EMRServerlessBackend, JobRun, emrserverless_backends
from moto.emrserverless.responses import EMRServerlessResponse

from infra.local.aws.extensions import route


class StartingEMRServerlessBackend(EMRServerlessBackend):
    """Keeps the state of an application as AWS does."""

    @property
    def _url_module(self) -> Any:
        return moto.emrserverless.urls  # moto would look for it beside this module

    def create_application(self, *args: Any, **kwargs: Any) -> Application:
        """CreateApplication."""
        application = super().create_application(
            *args, **{**kwargs, "application_type": kwargs["application_type"].upper()}
        )
        application.state = "CREATED"
        return application

    def start_job_run(self, *args: Any, **kwargs: Any) -> JobRun:
        """StartJobRun, which starts the application."""
        run = super().start_job_run(*args, **kwargs)
        self.start_application(run.application_id)
        return run


class StartingEMRServerlessResponse(EMRServerlessResponse):
    """Keeps the architecture, which moto does not read."""

    def create_application(self) -> ActionResult:
        """CreateApplication."""
        answer = super().create_application()
        made = cast(Mapping[str, str], answer.result)
        application = self.emrserverless_backend.get_application(made["applicationId"])
        vars(application)["architecture"] = self._get_param("architecture", "X86_64")
        return answer


def install() -> None:
    """Route EMR Serverless here, and keep its applications here."""
    emrserverless_backends.backend = StartingEMRServerlessBackend
    route("emrserverless", StartingEMRServerlessResponse)
