"""Writes the expected rows of tests/jobs.rs, computed with exact fractions and without windrow or any SQL.

Run by hand after a change of a fixture: python3 tests/golden/expected.py. The tests read only the files it wrote.
"""

import csv
import glob
import gzip
import math
import pathlib
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from fractions import Fraction

HERE = pathlib.Path(__file__).parent


def half_away(value, digits):
    """A fraction rounded half away from zero, as the nearest double."""
    scaled = abs(value) * 10**digits
    whole = math.floor(scaled + Fraction(1, 2))
    assert scaled - math.floor(scaled) != Fraction(1, 2), "a tie would hang on how a double rounds"
    return float(Fraction(whole if value >= 0 else -whole, 10**digits))


def slope(points):
    """Least squares over (x, y); None where all x are equal."""
    n = len(points)
    sx, sy = sum(x for x, _ in points), sum(y for _, y in points)
    spread = n * sum(x * x for x, _ in points) - sx * sx
    return Fraction(n * sum(x * y for x, y in points) - sx * sy, spread) if spread else None


def write(job, header, rows):
    lines = [",".join(header)] + [",".join("" if f is None else str(f) for f in row) for row in rows]
    (HERE / f"{job}.csv").write_text("\n".join(lines) + "\n")


def weather():
    days = defaultdict(list)
    for path in sorted(glob.glob(str(HERE / "weather/*"))):
        opened = gzip.open(path, "rt", newline="") if path.endswith(".gz") else open(path, newline="")
        for station, day, element, value, _, quality, _, _ in csv.reader(opened):
            if element in ("TMAX", "TMIN") and not quality and value not in ("", "-9999"):
                days[station, element, int(day[4:6])].append((int(day[:4]), int(value)))
    rows = []
    for key in sorted(days):
        points = days[key]
        mean = Fraction(sum(y for _, y in points), 10 * len(points))
        trend = slope(points)
        rows.append([*key, len(points), half_away(mean, 2), None if trend is None else half_away(trend, 3)])
    write("weather", ["station", "element", "month", "days", "mean_c", "trend_c_per_decade"], rows)


def order_lines():
    for path in sorted(glob.glob(str(HERE / "ecommerce/*.csv"))):
        for line in csv.DictReader(open(path, newline="")):
            if line["status"] == "cancelled":
                continue
            at = datetime.fromisoformat(line["ordered_at"])
            at = at if at.tzinfo else at.replace(tzinfo=timezone.utc)
            yield at.astimezone(timezone.utc).date(), line, Fraction(line["unit_price"]) * int(line["quantity"])


def decimal(value, scale):
    """A fraction as a decimal of this scale, which must hold it exactly."""
    unscaled = value * 10**scale
    assert unscaled.denominator == 1 and unscaled >= 0
    return f"{unscaled.numerator // 10**scale}.{unscaled.numerator % 10**scale:0{scale}}"


def ecommerce():
    days = defaultdict(list)
    categories = defaultdict(list)
    for day, line, total in order_lines():
        refunded = line["status"] == "refunded"
        days[day].append((total, refunded))
        categories[line["category"] or None].append((int(line["quantity"]), total, refunded))
    rows = []
    for day in sorted(days):
        gross = sum((total for total, _ in days[day]), Fraction(0))
        refunds = sum((total for total, refunded in days[day] if refunded), Fraction(0))
        rate = half_away(refunds / gross, 4) if gross else None
        rows.append([f"{day} 00:00:00", len(days[day]), decimal(gross, 2), decimal(refunds, 2), decimal(gross - refunds, 2), rate])
    write("ecommerce", ["day", "lines", "gross", "refunds", "revenue", "refund_rate"], rows)
    rows = []
    for category, lines in categories.items():
        revenue = sum((total for _, total, refunded in lines if not refunded), Fraction(0))
        share = half_away(Fraction(sum(refunded for _, _, refunded in lines), len(lines)), 4)
        rows.append([category or "(none)", revenue, sum(units for units, _, _ in lines), share])
    rows.sort(key=lambda row: -row[1])
    assert len({row[1] for row in rows}) == len(rows), "a tie would hang on the order of the keys"
    rows = [[name, decimal(revenue, 2), units, share] for name, revenue, units, share in rows[:5]]
    write("ecommerce-categories", ["category", "revenue", "units", "refunded_lines"], rows)


def coordinate(i, a, b):
    return (i * a % 2**31) * (i * b % 2**31) // 2**21 % 2**20


def computation():
    n = 1_000_000
    # The midpoint sum of sin from 0 to pi is h / sin(h / 2) exactly, with h = pi / n: 2 + h * h / 12 to far below a double.
    integral = 2 + (math.pi / n) ** 2 / 12
    inside = sum(
        coordinate(i, 1103515245, 6700417) ** 2 + coordinate(i, 1140671485, 214013) ** 2 < 2**40 for i in range(n)
    )
    write("computation", ["n", "integral", "inside", "monte_carlo_pi"], [[n, integral, inside, float(Fraction(4 * inside, n))]])


def ohlcv():
    bars = defaultdict(list)
    for trade in csv.DictReader(open(HERE / "ohlcv/trades.csv", newline="")):
        at = datetime(1970, 1, 1) + timedelta(microseconds=int(trade["time"]))
        bars[at.replace(second=0, microsecond=0), trade["symbol"]].append((trade["price"], trade["qty"]))
    rows = []
    for key in sorted(bars):
        prices = [price for price, _ in bars[key]]
        volume = sum(Fraction(qty) for _, qty in bars[key])
        value = sum(Fraction(price) * Fraction(qty) for price, qty in bars[key])
        rows.append(
            [*key, prices[0], max(prices, key=Fraction), min(prices, key=Fraction), prices[-1]]
            + [decimal(volume, 4), len(prices), float(value / volume)]
        )
    header = ["minute", "symbol", "open", "high", "low", "close", "volume", "trades", "vwap"]
    write("ohlcv", header, rows)


for job in (weather, ecommerce, computation, ohlcv):
    job()
