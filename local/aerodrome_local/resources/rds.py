"""RDS for PostgreSQL: MiniStack keeps the records, :mod:`aerodrome_local.postgres` puts a real server behind each.

Both ways to an instance lead to the same server: the RDS API and CloudFormation. Other engines and Aurora stay as
MiniStack has them, records without a database.
"""

from aerodrome_local.ministack_private import set_for_every_function
from aerodrome_local.postgres.instances import Instances
from aerodrome_local.resources import generated_secrets
from aerodrome_local.resources.rds_api import Api
from aerodrome_local.resources.rds_cloudformation import CloudFormation
from aerodrome_local.resources.rds_databases import Databases
from aerodrome_local.runtime import Runtime


def install(runtime: Runtime) -> None:
    """Give RDS for PostgreSQL instances a database."""
    generated_secrets.install(runtime)
    instances = Instances(runtime.state_dir / "postgres", runtime.child_environment())
    # A function that verifies a PostgreSQL server names those whom it trusts in libpq's own variable. On AWS they are
    # the authorities of RDS, in the function's code; here the certificates are of the embedded AWS's.
    set_for_every_function("PGSSLROOTCERT", str(instances.authority))
    databases = Databases(instances)
    Api(databases).install()
    CloudFormation(databases).install(runtime)
    runtime.on_start(databases.resume)
    runtime.on_stop(instances.stop_all)
