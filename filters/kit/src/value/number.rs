//! Numbers: exact if they are whole, and compared without rounding.

use std::cmp::Ordering;
use std::fmt;

/// A number of a document: exact if it is whole, and a float otherwise.
///
/// A `Struct` knows floats only, and YAML tools like to print `1e+06`: such a number is whole when no other
/// integer could have been meant.
///
/// Two numbers are equal if nothing was lost on the way to either: of floats too large for that, one is equal only to
/// the same float. [`Number::order`] compares the values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number(Form);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Unsigned(u64),
    Negative(i64),
    Float(f64),
}

/// The largest float that counts as whole.
///
/// From 2^53 on, several integers share a float; and already below it serde_json may be wrong by one, because it
/// multiplies the digits with a power of ten.
const LARGEST_WHOLE: u64 = 1_000_000_000_000_000;

const BILLION: u32 = 1_000_000_000;

impl Number {
    /// Returns the number if it is whole.
    pub fn whole(self) -> Option<i128> {
        match self.0 {
            Form::Unsigned(number) => Some(number.into()),
            Form::Negative(number) => Some(number.into()),
            Form::Float(_) => None,
        }
    }

    /// Returns whether this is the number that was written, and not a float that others share: it is whole, or so
    /// small that a float has room for what is behind the point.
    pub fn is_exact(self) -> bool {
        match self.0 {
            Form::Unsigned(_) | Form::Negative(_) => true,
            Form::Float(number) => magnitude(number, 1).0 < u128::from(LARGEST_WHOLE),
        }
    }

    /// Returns how this number compares with another, without rounding; none if one is no number at all (NaN).
    pub fn order(self, other: Self) -> Option<Ordering> {
        match (self.0, other.0) {
            (Form::Float(number), Form::Float(other)) => number.partial_cmp(&other),
            (Form::Float(number), _) => order_whole(other.whole()?, number).map(Ordering::reverse),
            (_, Form::Float(other)) => order_whole(self.whole()?, other),
            (_, _) => Some(self.whole()?.cmp(&other.whole()?)),
        }
    }

    /// Returns how many billionths the number has, rounded up; the largest or smallest integer if it has more.
    ///
    /// For an instant in seconds these are nanoseconds, and a clock that counts them has reached the one exactly when
    /// it has reached the other.
    pub fn billionths_up(self) -> i128 {
        match self.0 {
            Form::Unsigned(number) => i128::from(number).saturating_mul(BILLION.into()),
            Form::Negative(number) => i128::from(number).saturating_mul(BILLION.into()),
            Form::Float(number) => {
                let (whole, has_rest) = magnitude(number, BILLION);
                let whole = i128::try_from(whole).unwrap_or(i128::MAX);
                if number.is_sign_negative() {
                    whole.saturating_neg()
                } else {
                    whole.saturating_add(i128::from(has_rest))
                }
            }
        }
    }

    /// Returns the number as JSON writes it; none if it isn't exact.
    pub fn to_json(self) -> Option<String> {
        self.is_exact().then(|| match self.0 {
            Form::Unsigned(number) => number.to_string(),
            Form::Negative(number) => number.to_string(),
            Form::Float(number) => number.to_string(),
        })
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self(Form::Unsigned(number))
    }
}

impl From<i64> for Number {
    fn from(number: i64) -> Self {
        Self(u64::try_from(number).map_or(Form::Negative(number), Form::Unsigned))
    }
}

impl From<f64> for Number {
    fn from(number: f64) -> Self {
        let parts = Parts::of(number);
        match (parts.whole, parts.billionths) {
            (Some(whole), Some(0)) if whole <= LARGEST_WHOLE => match i64::try_from(whole) {
                Ok(whole) if parts.negative => Self::from(whole.saturating_neg()),
                Ok(_) | Err(_) => Self::from(whole),
            },
            _ => Self(Form::Float(number)),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Form::Unsigned(number) => number.fmt(f),
            Form::Negative(number) => number.fmt(f),
            Form::Float(number) => Parts::of(number).fmt(f),
        }
    }
}

/// Compares a whole number with a float.
fn order_whole(whole: i128, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    let (cut, has_rest) = magnitude(float, 1);
    let cut = i128::try_from(cut).unwrap_or(i128::MAX);
    let (cut, beyond) = if float.is_sign_negative() {
        (cut.saturating_neg(), Ordering::Greater)
    } else {
        (cut, Ordering::Less)
    };
    // What was cut off is less than one, so it matters only where all else is equal.
    Some(whole.cmp(&cut).then(if has_rest { beyond } else { Ordering::Equal }))
}

/// Multiplies a float, without its sign, with a whole number below 2^30; returns the whole part of that, which is the
/// largest there is if it doesn't fit, and whether there is more behind the point.
///
/// A float is taken apart into integers (IEEE 754 binary64: sign, 11 bits of exponent, 52 of fraction).
fn magnitude(number: f64, times: u32) -> (u128, bool) {
    let bits = number.to_bits();
    let exponent = (bits >> 52) & 0x7ff;
    let fraction = bits & 0x000f_ffff_ffff_ffff;
    let significand = if exponent == 0 { fraction } else { fraction | 1 << 52 };
    // The value is the significand times 2^(exponent - 1075), and the product has at most 83 bits.
    let product = u128::from(significand).saturating_mul(times.into());
    match 1075_u64.checked_sub(exponent) {
        None | Some(0) => {
            let shift = u32::try_from(exponent.saturating_sub(1075)).unwrap_or(u32::MAX);
            if shift < 44 { (product << shift, false) } else { (u128::MAX, false) }
        }
        Some(shift) if shift < 128 => (product >> shift, product & (1_u128 << shift).saturating_sub(1) != 0),
        Some(_) => (0, product != 0),
    }
}

/// A float as it is shown, to nine places behind the point.
///
/// The standard library's own rendering of floats would be a twentieth of a whole module.
struct Parts {
    negative: bool,
    /// The whole part; none if it has no 64 bits.
    whole: Option<u64>,
    /// What is behind the point, cut; none if it is there, but too little for this.
    billionths: Option<u64>,
}

impl Parts {
    fn of(number: f64) -> Self {
        let (whole, has_rest) = magnitude(number, 1);
        let (billionths, _) = magnitude(number, BILLION);
        let cut = billionths.saturating_sub(whole.saturating_mul(BILLION.into()));
        Self {
            negative: number.is_sign_negative(),
            whole: u64::try_from(whole).ok(),
            billionths: u64::try_from(cut).ok().filter(|cut| *cut != 0 || !has_rest),
        }
    }
}

impl fmt::Display for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        match (self.whole, self.billionths) {
            (None, _) => write!(f, "{sign}(more than 18446744073709551615)"),
            (Some(whole), None) => write!(f, "{sign}{whole}.000000000..."),
            // Only one too large to be told from its neighbours.
            (Some(whole), Some(0)) => write!(f, "{sign}{whole}.0"),
            (Some(whole), Some(billionths)) => {
                let decimals = format!("{billionths:09}");
                write!(f, "{sign}{whole}.{}", decimals.trim_end_matches('0'))
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it would fail")]
mod tests;
