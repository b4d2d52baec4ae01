//! Values as the text of CSV, NDJSON and CAST (SQL.md "Output text"), appended to a byte buffer without allocation.

use super::vector::{Data, Vector};
use super::{Type, Value, decimal, double, integer, timestamp};

/// Appends the value at `row` as text; nothing where the vector has none there. Whether it is NULL, the caller asks.
pub fn append(vector: &Vector, row: usize, ty: Type, out: &mut Vec<u8>) {
    match &vector.data {
        Data::Boolean(values) => append_some(values.get(row), out, append_boolean),
        Data::Int(values) => append_some(values.get(row), out, |value, out| {
            append_int(value, ty, out)
        }),
        Data::Wide(values) => append_some(values.get(row), out, |value, out| {
            decimal::format(value, ty.scale().unwrap_or(0), out);
        }),
        Data::Double(values) => append_some(values.get(row), out, double::format),
        Data::Text(texts) => out.extend_from_slice(texts.bytes(row)),
    }
}

/// Appends `value`, of type `ty`, as text; nothing where it is NULL.
pub fn append_value(value: &Value, ty: Type, out: &mut Vec<u8>) {
    match value {
        Value::Null => {}
        Value::Boolean(value) => append_boolean(*value, out),
        Value::Int(value) => append_int(*value, ty, out),
        Value::Wide(value) => decimal::format(*value, ty.scale().unwrap_or(0), out),
        Value::Double(value) => double::format(*value, out),
        Value::Text(value) => out.extend_from_slice(value.as_bytes()),
    }
}

fn append_some<T: Copy>(value: Option<&T>, out: &mut Vec<u8>, append: impl Fn(T, &mut Vec<u8>)) {
    if let Some(&value) = value {
        append(value, out);
    }
}

fn append_boolean(value: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

fn append_int(value: i64, ty: Type, out: &mut Vec<u8>) {
    match ty {
        Type::Timestamp => timestamp::format(value, out),
        Type::Decimal { scale, .. } => decimal::format(i128::from(value), scale, out),
        Type::Boolean | Type::BigInt | Type::HugeInt | Type::Double | Type::Varchar => {
            integer::format(value, out);
        }
    }
}

/// Appends `value` in decimal.
pub fn append_u64(value: u64, out: &mut Vec<u8>) {
    push_u64(value, out);
}

/// Appends `value` in decimal.
pub(super) fn push_u64(value: u64, out: &mut Vec<u8>) {
    let (digits, length) = digits(value);
    out.extend_from_slice(digits.get(20 - length..).unwrap_or_default());
}

/// Appends `value` in decimal.
pub(super) fn push_u128(value: u128, out: &mut Vec<u8>) {
    match u64::try_from(value) {
        Ok(value) => push_u64(value, out),
        Err(_) => {
            push_u128(value / SPLIT, out);
            push_padded(value % SPLIT, SPLIT_DIGITS, out);
        }
    }
}

/// Appends `value` in decimal with zeros before it, to `width` digits; it has no more.
pub(super) fn push_padded(value: u128, width: usize, out: &mut Vec<u8>) {
    if width > SPLIT_DIGITS {
        push_padded(value / SPLIT, width - SPLIT_DIGITS, out);
        push_padded(value % SPLIT, SPLIT_DIGITS, out);
    } else {
        let (digits, _) = digits(u64::try_from(value).unwrap_or(u64::MAX));
        out.extend_from_slice(digits.get(20 - width..).unwrap_or_default());
    }
}

/// The largest power of ten that a `u64` holds.
const SPLIT: u128 = 10_000_000_000_000_000_000;
const SPLIT_DIGITS: usize = 19;

/// `value` in decimal, zeros before it, and the number of its digits (one for zero).
fn digits(mut value: u64) -> ([u8; 20], usize) {
    let mut digits = [b'0'; 20];
    let mut length = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
        length += 1;
        if value == 0 {
            break;
        }
    }
    (digits, length)
}
