"""The warehouse that QuickSight reads, as a data source request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Redshift:
    """A Redshift workgroup or cluster.

    Args:
        host: Its endpoint, without the port.
        port: TCP port.
        database: Database name.
        secret_arn: Secret with the user and password that QuickSight signs in with. Redshift on AWS needs it; without
            it the data source is described, and no connection can be made.
        vpc_connection_arn: QuickSight's VPC connection, for an endpoint that is not public.
    """

    host: str
    port: int
    database: str
    secret_arn: str | None = None
    vpc_connection_arn: str | None = None

    engine = "redshift"
    catalog: str | None = None

    def request(self) -> dict[str, Any]:
        """What CreateDataSource takes besides id, name and permissions."""
        parameters = {"Host": self.host, "Port": self.port, "Database": self.database}
        request: dict[str, Any] = {"Type": "REDSHIFT", "DataSourceParameters": {"RedshiftParameters": parameters}}
        if self.secret_arn:
            request["Credentials"] = {"SecretArn": self.secret_arn}
        if self.vpc_connection_arn:
            request["VpcConnectionProperties"] = {"VpcConnectionArn": self.vpc_connection_arn}
        return request


@dataclass(frozen=True)
class Athena:
    """Athena, through a workgroup. QuickSight reads with its own service role."""

    workgroup: str

    engine = "athena"
    catalog: str | None = "AwsDataCatalog"

    def request(self) -> dict[str, Any]:
        """What CreateDataSource takes besides id, name and permissions."""
        return {"Type": "ATHENA", "DataSourceParameters": {"AthenaParameters": {"WorkGroup": self.workgroup}}}


Warehouse = Redshift | Athena
