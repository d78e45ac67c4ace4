"""Objects that arrive in S3 become jobs of AWS Batch."""

from aerodrome_constructs.ingest.batch_chain import BatchChain, BatchChainProps
from aerodrome_constructs.ingest.batch_ingest import BatchIngest, BatchIngestProps
from aerodrome_constructs.ingest.dead_letters import IngestDeadLetters, IngestDeadLettersProps
from aerodrome_constructs.ingest.manifest_ingest import ManifestIngest, ManifestIngestProps

__all__ = [
    "BatchChain",
    "BatchChainProps",
    "BatchIngest",
    "BatchIngestProps",
    "IngestDeadLetters",
    "IngestDeadLettersProps",
    "ManifestIngest",
    "ManifestIngestProps",
]
