//! The text form of a JavaScript number.

/// A number as JavaScript prints it: by the fewest digits that mean it, without an exponent from
/// 1e-6 up to 1e21.
// ECMA-262: Number::toString
#[must_use]
pub fn number_to_text(number: f64) -> String {
    if number == 0.0 {
        return "0".into(); // so is -0
    }
    if !number.is_finite() {
        let text = if number.is_nan() { "NaN" } else { "Infinity" };
        return if number < 0.0 { format!("-{text}") } else { text.into() };
    }
    let sign = if number < 0.0 { "-" } else { "" };
    // one digit, the rest of the digits behind a point, `e`, the exponent
    let scientific = format!("{:e}", number.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits = mantissa.replace('.', "");
    // The value is 0.digits times 10 to the power of `point`.
    let point = exponent.parse::<i32>().unwrap_or(0) + 1;
    match usize::try_from(point) {
        Ok(point @ 1..=21) => {
            match digits.split_at_checked(point).filter(|(_, rest)| !rest.is_empty()) {
                Some((whole, fraction)) => format!("{sign}{whole}.{fraction}"),
                None => format!("{sign}{digits:0<point$}"),
            }
        }
        _ if (-5..=0).contains(&point) => {
            let zeros = "0".repeat(point.unsigned_abs() as usize);
            format!("{sign}0.{zeros}{digits}")
        }
        _ => format!("{sign}{mantissa}e{:+}", point - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::number_to_text;

    #[track_caller]
    fn check(number: f64, text: &str) {
        assert_eq!(number_to_text(number), text);
    }

    /// What Node prints.
    #[test]
    fn as_javascript() {
        check(7.0, "7");
        check(-0.0, "0");
        check(1.5, "1.5");
        check(-12.25, "-12.25");
        check(100.0, "100");
        check(0.1 + 0.2, "0.30000000000000004");
        check(9_007_199_254_740_993_u64 as f64, "9007199254740992");
        check(u64::MAX as f64, "18446744073709552000");
        check(123_456_789_012_345_680_000.0, "123456789012345680000");
        check(1e20, "100000000000000000000");
        check(1e21, "1e+21");
        check(-1.25e21, "-1.25e+21");
        check(1e-6, "0.000001");
        check(1.5e-6, "0.0000015");
        check(1e-7, "1e-7");
        check(-1.5e-7, "-1.5e-7");
        check(5e-324, "5e-324");
        check(f64::MAX, "1.7976931348623157e+308");
        check(f64::NAN, "NaN");
        check(f64::INFINITY, "Infinity");
        check(f64::NEG_INFINITY, "-Infinity");
    }
}
