"""What texts in a plan file look like, and the mapping that all others are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

NAME_PATTERN = r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$"
DURATION_PATTERN = r"^[0-9]{1,9}(ms|s|m|h)$"
BOOTSTRAP_PATTERN = r"^[^\s,:/@]+:[0-9]{1,5}(,[^\s,:/@]+:[0-9]{1,5})*$"
ENV_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"
PRINCIPAL_PATTERN = r"^User:.+$"
LISTENER_PATTERN = r"^[a-z0-9]{1,11}$"
DOMAIN_PATTERN = r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$"
QUANTITY_PATTERN = r"^[1-9][0-9]*(Mi|Gi|Ti)$"
CPU_PATTERN = r"^([1-9][0-9]*m|[1-9][0-9]*|[0-9]+\.[0-9]+)$"
HEAP_PATTERN = r"^[1-9][0-9]*[mg]$"
RANGE_PATTERN = r"^[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2}$"
VERSION_PATTERN = r"^[0-9]+\.[0-9]+\.[0-9]+$"

PATTERNS = {
    NAME_PATTERN: "a name of lower-case letters, digits, '-' and '.', at most 63",
    DURATION_PATTERN: "a number with its unit, like 500ms, 90s, 5m or 1h",
    BOOTSTRAP_PATTERN: "host:port, or several with commas between them",
    ENV_PATTERN: "the name of an environment variable (letters, digits and _)",
    PRINCIPAL_PATTERN: "a principal like User:sa-12345",
    LISTENER_PATTERN: "at most 11 lower-case letters and digits",
    DOMAIN_PATTERN: "a domain like kafka.example.com",
    QUANTITY_PATTERN: "a size with its unit, like 500Gi, 512Mi or 2Ti",
    CPU_PATTERN: "processors, like '2', '0.5' or 500m",
    HEAP_PATTERN: "a size as Java writes it, like 4g or 512m",
    RANGE_PATTERN: "a range of addresses like 10.0.0.0/8",
    VERSION_PATTERN: "a version like 4.3.1",
}
"""What each pattern asks for, in words."""

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
Text = Annotated[str, StringConstraints(min_length=1)]
Command = Annotated[list[Text], Field(min_length=1)]
Milliseconds = Annotated[str, StringConstraints(pattern=DURATION_PATTERN)]


class Part(BaseModel):
    """A mapping in which unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
