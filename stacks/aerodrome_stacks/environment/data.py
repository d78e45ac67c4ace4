"""What an environment keeps, and for how long: the database, its backups, and everything that expires."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from annotated_types import Ge, Le, MinLen
from pydantic import Field, Strict, model_validator

from aerodrome_stacks.environment.domain_types import (
    Count,
    DatabaseClass,
    Domain,
    Duration,
    PrometheusUrl,
    Region,
    period,
)
from aerodrome_stacks.environment.forms import refusal
from aerodrome_stacks.environment.section import Section


class Database(Section):
    """The PostgreSQL instance that Flyte and MLflow keep their records in."""

    instance_class: DatabaseClass = Field(description="The RDS instance class, such as db.t4g.medium.")
    # RDS gives a PostgreSQL instance with gp3 storage 20 GiB to 64 TiB.
    storage_gib: Annotated[Count, Ge(20), Le(65_536)] = Field(
        description="Storage at the start, in GiB, 20 to 65536. RDS storage never shrinks."
    )
    max_storage_gib: Annotated[Count, Ge(20), Le(65_536)] = Field(
        description="How far the storage may grow by itself, in GiB: at least 10 % above `storage_gib`, or equal to it "
        "to switch growth off."
    )
    multi_az: Annotated[bool, Strict()] = Field(
        description="Whether a standby in a second zone takes over when the first fails. It doubles the price; staging "
        "and prod must have it."
    )

    password_rotation: Annotated[Duration, period("1d", "365d")] | None = Field(
        default=None,
        description="How often each client's password is changed, 1d to 365d. Left out, never, which prod does not "
        "allow.",
    )

    @model_validator(mode="after")
    def _room_to_grow(self) -> Self:
        # RDS refuses a threshold less than 10 % above the allocated storage (User Guide, "Managing capacity
        # automatically with Amazon RDS storage autoscaling"); an equal one switches autoscaling off.
        least = -(-self.storage_gib * 11 // 10)
        if self.max_storage_gib != self.storage_gib and self.max_storage_gib < least:
            raise refusal(
                f"max_storage_gib is {self.max_storage_gib}; RDS wants at least 10 % above storage_gib "
                f"({self.storage_gib} + 10 % = {least}), or exactly {self.storage_gib} to switch growth off"
            )
        return self


class Retention(Section):
    """How long what the platform collects is kept."""

    logs: Annotated[Duration, period("1d", "3653d")] = Field(
        description="Logs, in CloudWatch and S3: 1d to 3653d. CloudWatch offers certain periods only (1, 3, 5, 7, 14, "
        "30, 60, 90, ... days), and one in between is rounded up."
    )
    metrics: Annotated[Duration, period("2h", "400d")] = Field(
        # Prometheus keeps the newest two hours in one block that it does not delete.
        description="Metrics in Prometheus, 2h to 400d."
    )
    raw_data: Annotated[Mapping[Domain, Annotated[Duration, period("1d", "3650d")]], MinLen(1)] = Field(
        description="What Flyte tasks hand to each other through S3, for each domain that a project has here: 1d to "
        "3650d. An execution cannot be resumed once its data is gone."
    )
    database_backups: Annotated[Duration, period("1d", "35d")] = Field(
        description="Daily backups of the database, 1d to 35d, the most that RDS keeps; prod at least 14d. The "
        "database can be restored to any second of that time."
    )


class Backup(Section):
    """What AWS Backup keeps in a vault of its own, out of reach of whoever can delete the database."""

    keep: Annotated[Duration, period("7d", "3653d")] = Field(
        description="How long the vault keeps each daily backup: 7d to 3653d."
    )
    lock: Literal["none", "governance", "compliance"] = Field(
        description="Who may delete a backup before its time. `none`: who has the right to. `governance`: nobody, "
        "until an administrator takes the lock off. `compliance`: nobody, AWS included; it cannot be taken off once "
        "three days have passed. prod must have a lock."
    )
    copy_region: Region | None = Field(
        default=None,
        description="A second region that each backup is copied to. Left out, none: a loss of the region loses the "
        "backups.",
    )


class Monitoring(Section):
    """Where the metrics of Prometheus are."""

    # EBS gives a gp3 volume 1 GiB to 16 TiB; below 20 the write-ahead log alone may fill it.
    storage_gib: Annotated[Count, Ge(20), Le(16_384)] = Field(
        default=100,
        description="Volume of each Prometheus, in GiB, 20 to 16384. The oldest metrics go when it is full. It grows "
        "only by hand, and never shrinks. Left out, 100.",
    )
    remote_write: PrometheusUrl | None = Field(
        default=None,
        description="Remote write URL of a workspace of Amazon Managed Service for Prometheus, in this account and "
        "region, that keeps the metrics as well. Left out, none.",
    )
