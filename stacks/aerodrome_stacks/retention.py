"""Retention in the terms of the services that keep things."""

from aws_cdk import aws_logs as logs

from aerodrome_stacks.environment import Environment

# The only numbers of days that CloudWatch Logs takes, and the CDK's names for them.
_LOG_RETENTION = {
    1: logs.RetentionDays.ONE_DAY,
    3: logs.RetentionDays.THREE_DAYS,
    5: logs.RetentionDays.FIVE_DAYS,
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    60: logs.RetentionDays.TWO_MONTHS,
    90: logs.RetentionDays.THREE_MONTHS,
    120: logs.RetentionDays.FOUR_MONTHS,
    150: logs.RetentionDays.FIVE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
    400: logs.RetentionDays.THIRTEEN_MONTHS,
    545: logs.RetentionDays.EIGHTEEN_MONTHS,
    731: logs.RetentionDays.TWO_YEARS,
    1096: logs.RetentionDays.THREE_YEARS,
    1827: logs.RetentionDays.FIVE_YEARS,
    2192: logs.RetentionDays.SIX_YEARS,
    2557: logs.RetentionDays.SEVEN_YEARS,
    2922: logs.RetentionDays.EIGHT_YEARS,
    3288: logs.RetentionDays.NINE_YEARS,
    3653: logs.RetentionDays.TEN_YEARS,
}


def log_retention(environment: Environment) -> logs.RetentionDays:
    """The retention of the environment's log groups: the shortest that CloudWatch Logs offers and that is long enough.

    CloudWatch Logs takes a fixed list of days (1, 3, 5, 7, 14, 30, ... 3653); a wish in between is rounded up, so that
    nothing goes earlier than the environment says. A wish beyond ten years gets ten years, the longest on the list.
    """
    wish = environment.retention.logs.days
    return next((days for offered, days in _LOG_RETENTION.items() if offered >= wish), logs.RetentionDays.TEN_YEARS)
