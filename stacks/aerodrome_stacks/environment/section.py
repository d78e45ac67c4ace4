"""The base of every part of an environment."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Base of every part of an environment: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
