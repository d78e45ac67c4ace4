"""What the connector adds to a submission, as ``make bench`` measures it: the calls, which carry over to AWS."""

import connector_overhead
from aerodrome_local.testing import EmbeddedAws


def test_a_job_costs_one_submission_and_what_keeps_it_from_being_two(embedded_aws: EmbeddedAws) -> None:
    overhead = connector_overhead.measure(embedded_aws, runs=2)
    first, further = overhead.first.calls, overhead.further[-1].calls
    assert first["RegisterJobDefinition"] == 1
    # The shape is known; the plan, the claim and the job's ID are written.
    assert further.keys() == {"PutObject", "ListObjectsV2", "GetObject", "HeadObject", "SubmitJob"}
    assert (further["PutObject"], further["SubmitJob"]) == (3, 1)
    assert all(job.end_calls["DescribeJobs"] == 1 for job in overhead.further)
    assert all(job.answered > 0 and job.started > 0 for job in (*overhead.plain, *overhead.further))
