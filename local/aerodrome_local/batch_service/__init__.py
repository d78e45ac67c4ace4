"""AWS Batch for the embedded AWS: jobs really run, as processes of this machine.

The package knows nothing of MiniStack: :mod:`aerodrome_local.resources.batch` puts it in MiniStack's place.

- ``service`` starts, stops and answers; ``http`` has the REST-JSON routes, taken from botocore's model of the service;
  ``traffic`` counts the calls over HTTP, and makes some fail when asked to; ``shapes`` checks a request against that
  model, and turns CloudFormation properties into a request.
- ``compute_environments``, ``job_queues``, ``job_definitions``, ``scheduling_policies``, ``jobs`` and ``tags`` hold the
  API's operations, ``submission`` the largest of them. ``core`` is what they work with, ``containers`` and ``nodes``
  what they know of container and node properties, ``views`` how a job is shown.
- ``model`` (with ``node_ranges``) and ``state`` hold the records, ``persistence`` keeps them on disk.
- ``lifecycle`` makes every change of a job's status. ``scheduler`` is the thread that places jobs, as ``placement``
  decides by what ``instance_types`` says. ``runner`` runs a placed job's attempt: ``job_environment``, ``executor``,
  ``process_groups``. ``retry`` says what follows when it fails.
- ``backend`` is what Batch needs of the other services: logs, secrets, events, networks.

Differences from AWS, on purpose: a job's command runs on this machine and its image is ignored; memory and GPUs are
checked but not limited; compute environments have vCPU ceilings but no instances; the nodes of a multi-node job are
processes that share this machine's address; jobs on EKS, jobs of several containers and service jobs are refused.
"""
