"""SQS as moto has it, where a queue's attributes would not be told as they were set.

What moto does otherwise, each of which Terraform sees as a change that was never made:

- setting one attribute takes a queue's policy away, where AWS leaves what is not named as it is:
  https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
- a redrive policy is told with other spaces than it was set with.
"""

from __future__ import annotations

import json
from typing import Any, cast

from moto.core.responses import ActionResult
from moto.sqs.responses import SQSResponse

from infra.local.aws.extensions import route

_REDRIVE = "RedrivePolicy"


class FaithfulSQSResponse(SQSResponse):
    """Keeps and tells attributes as they were set."""

    def set_queue_attributes(self) -> ActionResult:
        """SetQueueAttributes."""
        queue = self.sqs_backend.get_queue(self._get_queue_name())
        policy = queue.policy
        answer = super().set_queue_attributes()
        if "Policy" not in self._get_param("Attributes", {}):
            queue.policy = policy
        return answer

    def get_queue_attributes(self) -> ActionResult:
        """GetQueueAttributes."""
        answer = super().get_queue_attributes()
        attributes = cast(dict[str, Any], answer.result or {}).get("Attributes", {})
        if redrive := attributes.get(_REDRIVE):
            attributes[_REDRIVE] = json.dumps(json.loads(redrive), separators=(",", ":"))
        return answer


def install() -> None:
    """Route SQS here."""
    route("sqs", FaithfulSQSResponse)
