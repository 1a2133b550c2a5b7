//! The ranges of the integer types, as decimals.

use std::num::NonZero;

/// An integer type.
pub(crate) trait Integer {
    /// The smallest and the largest value.
    const RANGE: (&'static str, &'static str);
}

macro_rules! unsigned {
    ($($int:ty: $max:expr;)*) => {$(
        impl Integer for $int {
            const RANGE: (&'static str, &'static str) = ("0", $max);
        }

        impl Integer for NonZero<$int> {
            const RANGE: (&'static str, &'static str) = ("1", $max);
        }
    )*};
}

unsigned! {
    u8: "255";
    u16: "65535";
    u32: "4294967295";
    u64: "18446744073709551615";
    u128: "340282366920938463463374607431768211455";
    usize: if is_64_bit() { u64::RANGE.1 } else { u32::RANGE.1 };
}

macro_rules! signed {
    ($($int:ty: $range:expr;)*) => {$(
        impl Integer for $int {
            const RANGE: (&'static str, &'static str) = $range;
        }

        impl Integer for NonZero<$int> {
            const RANGE: (&'static str, &'static str) = <$int>::RANGE;
        }
    )*};
}

signed! {
    i8: ("-128", "127");
    i16: ("-32768", "32767");
    i32: ("-2147483648", "2147483647");
    i64: ("-9223372036854775808", "9223372036854775807");
    i128: (
        "-170141183460469231731687303715884105728",
        "170141183460469231731687303715884105727",
    );
    isize: if is_64_bit() { i64::RANGE } else { i32::RANGE };
}

const fn is_64_bit() -> bool {
    usize::BITS == 64
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;

    use super::Integer;

    #[test]
    fn ranges_are_those_of_the_types() {
        macro_rules! check {
            ($($int:ty)*) => {$(
                let range = |min: $int| (min.to_string(), <$int>::MAX.to_string());
                let of = |(min, max): (&str, &str)| (min.to_owned(), max.to_owned());
                assert_eq!(of(<$int>::RANGE), range(<$int>::MIN));
                let least = NonZero::<$int>::MIN.get();
                assert_eq!(of(NonZero::<$int>::RANGE), range(least));
            )*};
        }
        check! { u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize }
    }
}
