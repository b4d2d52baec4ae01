"""The oracle: what an expression of windrow's SQL is worth, by the rules of SQL.md.

Every value is exact: BIGINT, HUGEINT and DECIMAL are integers (a DECIMAL counts units of its scale), TIMESTAMP is
microseconds since 1970, DOUBLE a float that was rounded once from a Fraction. NULL is None. It shares nothing with
windrow's own code.
"""

import datetime
import math
import re
from fractions import Fraction

BIGINT, HUGEINT, DOUBLE = ("BIGINT",), ("HUGEINT",), ("DOUBLE",)
VARCHAR, BOOLEAN, TIMESTAMP = ("VARCHAR",), ("BOOLEAN",), ("TIMESTAMP",)
WIDE = 38
NUMERIC = {"BIGINT", "HUGEINT", "DOUBLE", "DECIMAL"}
EXACT = {"BIGINT", "HUGEINT", "DECIMAL"}


def decimal(precision, scale):
    return ("DECIMAL", precision, scale)


def type_name(ty):
    return f"DECIMAL({ty[1]},{ty[2]})" if ty[0] == "DECIMAL" else ty[0]


def scale_of(ty):
    return ty[2] if ty[0] == "DECIMAL" else 0


class Fault(Exception):
    """A value that SQL.md makes an error: windrow must end with 65."""


class Refused(Exception):
    """The expression is not one that windrow takes: the generator tries another."""


# Numbers.


def fits(value, ty):
    """`value` where its type holds it."""
    bounds = {"BIGINT": (-(2**63), 2**63 - 1), "HUGEINT": (-(2**127), 2**127 - 1)}
    if ty[0] == "DECIMAL":
        low, high = -(10 ** ty[1]) + 1, 10 ** ty[1] - 1
    else:
        low, high = bounds[ty[0]]
    if not low <= value <= high:
        raise Fault(f"{value} does not fit {type_name(ty)}")
    return value


def half_away(fraction):
    """The nearest integer, ties away from zero."""
    whole = math.floor(abs(fraction) + Fraction(1, 2))
    return whole if fraction >= 0 else -whole


def half_even(fraction):
    return round(Fraction(fraction))


def rational(value, ty):
    return Fraction(value, 10 ** scale_of(ty)) if ty[0] in EXACT else Fraction(value)


def nearest(fraction):
    """The nearest double, ties to even; none is infinite."""
    try:
        return fraction.numerator / fraction.denominator
    except OverflowError:
        raise Fault("not finite") from None


def finite(value):
    if math.isinf(value) or math.isnan(value):
        raise Fault("not finite")
    return value


def truncated_quotient(left, right):
    whole = abs(left) // abs(right)
    return whole if (left < 0) == (right < 0) else -whole


def round_double(value, digits):
    """As DuckDB: multiplies, rounds half away, divides."""
    away = lambda x: math.copysign(float(half_away(Fraction(abs(x)))), x)
    try:
        if digits < 0:
            power = math.pow(10.0, -digits)
            rounded = away(value / power) * power
            if math.isinf(rounded) or math.isnan(rounded):
                return 0.0
        else:
            power = math.pow(10.0, digits)
            rounded = away(value * power) / power
    except OverflowError:
        return value if digits >= 0 else 0.0
    return value if math.isinf(rounded) or math.isnan(rounded) else rounded


# Time. Days count from 1970, years run from 1 to 9999.

SECOND, MINUTE, HOUR, DAY = 10**6, 60 * 10**6, 3600 * 10**6, 86400 * 10**6
EPOCH = datetime.date(1970, 1, 1).toordinal()
FIRST_US = (datetime.date(1, 1, 1).toordinal() - EPOCH) * DAY
LAST_US = (datetime.date(9999, 12, 31).toordinal() - EPOCH + 1) * DAY - 1
BUCKET_ORIGIN = (datetime.date(2000, 1, 3).toordinal() - EPOCH) * DAY


def in_years(us):
    if not FIRST_US <= us <= LAST_US:
        raise Fault("a time outside of the years 1 to 9999")
    return us


def date_of(us):
    return datetime.date.fromordinal(us // DAY + EPOCH)


def midnight(year, month=1, day=1):
    if not 1 <= year <= 9999:
        raise Fault("a time outside of the years 1 to 9999")
    return (datetime.date(year, month, day).toordinal() - EPOCH) * DAY


def month_length(year, month):
    following = (year + 1, 1) if month == 12 else (year, month + 1)
    if following[0] > 9999:
        return 31
    return (datetime.date(*following, 1) - datetime.date(year, month, 1)).days


def from_months(months, day=1):
    """That day of the month so many after January of year 0, or its last day."""
    year, month = months // 12, months % 12 + 1
    if not 1 <= year <= 9999:
        raise Fault("a time outside of the years 1 to 9999")
    return midnight(year, month, min(day, month_length(year, month)))


def months_of(us):
    date = date_of(us)
    return date.year * 12 + date.month - 1


def bucket(us, months, micros):
    if months:
        since = months_of(us)
        return from_months(since - (since - 2000 * 12) % months)
    return in_years(us - (us - BUCKET_ORIGIN) % micros)


def add_interval(us, months, days, micros):
    if months:
        us = from_months(months_of(us) + months, date_of(us).day) + us % DAY
    return in_years(us + days * DAY + micros)


YEARS = {"year": 1, "decade": 10, "century": 100, "millennium": 1000}
LENGTHS = {"microsecond": 1, "millisecond": 1000, "second": SECOND, "minute": MINUTE, "hour": HOUR, "day": DAY}


def trunc(us, unit):
    if unit in LENGTHS:
        return us - us % LENGTHS[unit]
    if unit == "week":
        return in_years((us // DAY - date_of(us).weekday()) * DAY)
    if unit in YEARS:
        year = date_of(us).year
        return midnight(year - year % YEARS[unit])
    months = {"month": 1, "quarter": 3}[unit]
    return from_months(months_of(us) - months_of(us) % months)


def part(us, unit):
    date, time = date_of(us), us % DAY
    century = lambda width: (date.year - 1) // width + 1
    return {
        "microsecond": time % MINUTE,
        "millisecond": time % MINUTE // 1000,
        "second": time % MINUTE // SECOND,
        "minute": time // MINUTE % 60,
        "hour": time // HOUR,
        "day": date.day,
        "week": date.isocalendar()[1],
        "month": date.month,
        "quarter": (date.month - 1) // 3 + 1,
        "year": date.year,
        "decade": date.year // 10,
        "century": century(100),
        "millennium": century(1000),
        "dow": date.isoweekday() % 7,
        "isodow": date.isoweekday(),
        "doy": date.timetuple().tm_yday,
        "isoyear": date.isocalendar()[0],
    }[unit]


def made_time(year, month, day, hour, minute, second):
    """make_timestamp, as DuckDB: second 60 is the next minute, 24:00:00 the next day."""
    if not 1 <= year <= 9999 or not 1 <= month <= 12 or not 1 <= day <= month_length(year, month):
        raise Fault("no such day")
    whole = math.trunc(second)
    micros = whole * SECOND + half_away(Fraction((second - whole) * 1e6))
    if not 0 <= hour <= 24 or not 0 <= minute < 60 or not 0 <= micros <= MINUTE or (hour == 24 and (minute or micros)):
        raise Fault("no such time")
    return in_years(midnight(year, month, day) + hour * HOUR + minute * MINUTE + micros)


def epoch_ms(us):
    return half_away(Fraction(us, 1000))


# Text.


def time_text(us):
    date, time = date_of(us), us % DAY
    text = f"{date.year:04}-{date.month:02}-{date.day:02} {time // HOUR:02}:{time // MINUTE % 60:02}:{time // SECOND % 60:02}"
    fraction = time % SECOND
    return text if fraction == 0 else text + f".{fraction:06}".rstrip("0")


def text_of(value, ty):
    """As CAST AS VARCHAR and the output write it. Python's repr of a float is DuckDB's form."""
    if ty[0] == "DECIMAL" and ty[2]:
        digits = f"{abs(value):0{ty[2] + 1}}"
        return ("-" if value < 0 else "") + digits[: -ty[2]] + "." + digits[-ty[2] :]
    if ty == BOOLEAN:
        return "true" if value else "false"
    if ty == TIMESTAMP:
        return time_text(value)
    return repr(value) if ty == DOUBLE else str(value)


NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})([ T]([0-9]{2}):([0-9]{2})(:([0-9]{2})(\.[0-9]+)?)?(Z|z|[+-][0-9]{2}(:?[0-9]{2})?)?)?", re.ASCII
)
BLANKS = " \t\n\v\f\r"


def number_of_text(text):
    text = text.strip(BLANKS)
    if not NUMBER.fullmatch(text):
        raise Fault("not a number")
    mantissa, _, exponent = text.lower().partition("e")
    if abs(int(exponent or 0)) > 5000:
        raise Refused("an exponent too large for the oracle")
    return Fraction(mantissa.rstrip(".") + ("e" + exponent if exponent else ""))


def time_of_text(text):
    match = TIME.fullmatch(text.strip(BLANKS))
    if not match:
        raise Fault("not a time")
    year, month, day, _, hour, minute, _, second, fraction, offset, _ = match.groups()
    try:
        us = midnight(int(year), int(month), int(day))
    except ValueError:
        raise Fault("no such day") from None
    fraction = (fraction or ".")[1:].ljust(6, "0")
    time = int(hour or 0) * HOUR + int(minute or 0) * MINUTE + int(second or 0) * SECOND + int(fraction[:6])
    if int(minute or 0) > 59 or int(second or 0) > 59 or time > DAY or fraction[6:].strip("0"):
        raise Fault("no such time")
    us += time
    if offset and offset not in "Zz":
        hours, minutes = int(offset[1:3]), int(offset[3:].lstrip(":") or 0)
        if hours > 15 or minutes > 59:
            raise Fault("no such offset")
        shift = hours * HOUR + minutes * MINUTE
        us -= shift if offset[0] == "+" else -shift
    return in_years(us)


TRUTHS = {"true": True, "t": True, "yes": True, "y": True, "1": True}
TRUTHS |= {"false": False, "f": False, "no": False, "n": False, "0": False}


def cast(value, source, target):
    """CAST, by SQL.md "Rounding and casts"."""
    if source == target:
        return value
    if target == VARCHAR:
        return text_of(value, source)
    if source == VARCHAR:
        return cast_text(value, target)
    if target == BOOLEAN:
        return value != 0
    if target == TIMESTAMP or source == TIMESTAMP:
        raise Refused("no such cast")
    if target == DOUBLE:
        return nearest(rational(int(value) if source == BOOLEAN else value, source if source != BOOLEAN else BIGINT))
    exact = rational(int(value), BIGINT) if source == BOOLEAN else rational(value, source)
    if target[0] == "DECIMAL" and source == DOUBLE:
        # As DuckDB: the product with the power of ten is a double, and it is rounded.
        product = value * float(10 ** target[2])
        if math.isinf(product):
            raise Fault("does not fit")
        return fits(half_away(Fraction(product)), target)
    scaled = exact * 10 ** scale_of(target)
    return fits(half_even(scaled) if source == DOUBLE else half_away(scaled), target)


def cast_text(text, target):
    if target == BOOLEAN:
        key = text.lower()
        if key not in TRUTHS:
            raise Fault("not a truth")
        return TRUTHS[key]
    if target == TIMESTAMP:
        return time_of_text(text)
    number = number_of_text(text)
    if target == DOUBLE:
        value = nearest(number)
        return -0.0 if value == 0 and text.strip(BLANKS).startswith("-") else value
    return fits(half_away(number * 10 ** scale_of(target)), target)


# Aggregates: each over the rows' values, in input order.


def total(values, ty, result):
    if ty == DOUBLE:
        return nearest(sum(map(Fraction, values)))
    return fits(sum(values), result)


def mean(values, ty):
    return nearest(sum((rational(value, ty) for value in values), Fraction(0)) / len(values))


def squarable(value, ty):
    """The square of a DOUBLE must fit one."""
    if ty == DOUBLE and math.isinf(value * value):
        raise Fault("a square that does not fit")


def root(fraction):
    """The nearest double to a square root."""
    bits = max(0, 140 - fraction.numerator.bit_length() + fraction.denominator.bit_length())
    bits += bits % 2
    scaled, rest = divmod(fraction.numerator << bits, fraction.denominator)
    whole = math.isqrt(scaled)
    # One bit more says whether the root was cut.
    cut = rest != 0 or whole * whole != scaled
    return nearest(Fraction(2 * whole + cut, 2 << (bits // 2)))


def spread(name, pairs):
    """Variance, covariance, correlation and regression, exact and rounded at the end. None where they are undefined."""
    n, ys, xs = len(pairs), [y for y, _ in pairs], [x for _, x in pairs]
    moment = lambda left, right: n * sum(l * r for l, r in zip(left, right)) - sum(left) * sum(right)
    xx, yy, xy = moment(xs, xs), moment(ys, ys), moment(xs, ys)
    if name in ("stddev", "stddev_samp", "var_samp", "covar_samp") and n == 1:
        return None
    if name in ("var_samp", "var_pop", "stddev", "stddev_samp", "stddev_pop"):
        variance = xx / n / (n if name.endswith("pop") else n - 1)
        return nearest(variance) if name.startswith("var") else root(variance)
    if name.startswith("covar"):
        return nearest(xy / n / (n if name.endswith("pop") else n - 1))
    if xx == 0 or (name == "corr" and yy == 0):
        return None
    if name == "corr":
        return math.copysign(root(xy * xy / xx / yy), xy) if xy else 0.0
    if name == "regr_slope":
        return nearest(xy / xx)
    if name == "regr_intercept":
        return nearest((sum(ys) - xy / xx * sum(xs)) / n)
    return 1.0 if yy == 0 else nearest(xy * xy / xx / yy)


def quantile(ordered, fraction, ty, is_continuous):
    if not is_continuous:
        return ordered[max(1, math.ceil(fraction * len(ordered))) - 1]
    place = fraction * (len(ordered) - 1)
    low, part = math.floor(place), place - math.floor(place)
    if part == 0 and ty == DOUBLE:
        return ordered[low]
    low, high = ordered[low], ordered[low + 1] if part else ordered[low]
    between = Fraction(low) + (Fraction(high) - Fraction(low)) * part
    if ty[0] in ("BIGINT", "HUGEINT", "DOUBLE"):
        return nearest(between)
    return half_away(between) if ty == TIMESTAMP else math.trunc(between)


def order_key(value, ty):
    """Python's order of these is SQL's: texts by their bytes."""
    return value.encode() if ty == VARCHAR else value
