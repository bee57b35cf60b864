//! The exponential function, and functions built on it, in lanes.
//!
//! Built from single IEEE operations, so that all lanes and all platforms give the same bits; those
//! of system libraries differ. Coefficients: Cephes (`expf.c`, `tanhf.c`).

use super::{F32x4, I32x4};

/// Adding this to a small number puts the nearest integer into the last bits.
const ROUND: f32 = 12_582_912.0;

impl F32x4 {
    /// `e^x`, off by at most two units in the last place; 0 below −104, infinite above 89.
    ///
    /// With `n` the integer nearest to `x / ln 2`, it is `2ⁿ · e^r`, `|r| ≤ ln 2 / 2`. The power is
    /// multiplied in two halves, each of them a normal number whatever the result is.
    #[inline(always)]
    pub(crate) fn exp(self) -> Self {
        let (least, greatest) = (Self::splat(-104.0), Self::splat(89.0));
        let x = self.if_less(least, least, self);
        let x = greatest.if_less(x, greatest, x);
        let round = Self::splat(ROUND);
        let shifted = x.mul(Self::splat(std::f32::consts::LOG2_E)).add(round);
        let n = shifted.sub(round);
        // ln 2 in two parts, the first with so few bits that its product with n is exact.
        let r = x.sub(n.mul(Self::splat(0.693_359_4)));
        let r = r.sub(n.mul(Self::splat(-2.121_944_4e-4)));
        let coefficients =
            [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.500_000_06];
        let mut sum = Self::splat(1.987_569_1e-4);
        for coefficient in coefficients {
            sum = sum.mul(r).add(Self::splat(coefficient));
        }
        let value = sum.mul(r.mul(r)).add(r).add(Self::splat(1.0));
        let n = shifted.bits().minus(round.bits());
        let half = n.shr(1);
        value.mul(power_of_two(half)).mul(power_of_two(n.minus(half)))
    }

    /// `x / (1 + e⁻ᶻ)`: `x` times the logistic function of `z`.
    #[inline(always)]
    pub(crate) fn times_logistic(self, z: Self) -> Self {
        let one = Self::splat(1.0);
        self.div(one.add(Self::splat(0.0).sub(z).exp()))
    }

    /// The hyperbolic tangent: `x + x³ · p(x²)` near zero, `1 − 2 / (e²ˣ + 1)` elsewhere.
    #[inline(always)]
    pub(crate) fn tanh(self) -> Self {
        let one = Self::splat(1.0);
        let square = self.mul(self);
        let mut sum = Self::splat(-5.704_988_7e-3);
        for coefficient in [2.063_909e-2, -5.373_971_6e-2, 0.133_314_42, -0.333_332_8] {
            sum = sum.mul(square).add(Self::splat(coefficient));
        }
        let near = self.add(self.mul(square).mul(sum));
        let far = one.sub(Self::splat(2.0).div(self.add(self).exp().add(one)));
        self.abs().if_less(Self::splat(0.625), near, far)
    }
}

/// `2ⁿ` for `n` from −126 to 127.
#[inline(always)]
fn power_of_two(n: I32x4) -> F32x4 {
    n.add(I32x4::splat(127)).shl(23).as_f32()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(function: fn(F32x4) -> F32x4, x: f32) -> f32 {
        let mut values = [0.0; 4];
        function(F32x4::splat(x)).store(&mut values);
        values[2]
    }

    /// The distance in units in the last place of the exact value.
    fn units_off(found: f32, exact: f64) -> f64 {
        let exponent = exact.abs().log2().floor().max(-126.0);
        (f64::from(found) - exact).abs() / (exponent - 23.0).exp2()
    }

    #[test]
    fn the_exponential_is_off_by_two_units_at_most() {
        for i in -104_000..=88_700 {
            let x = i as f32 / 1000.0 + 1.0 / 3333.0;
            let off = units_off(of(F32x4::exp, x), f64::from(x).exp());
            assert!(off <= 2.0, "exp({x}) is {off} units off");
        }
    }

    #[test]
    fn the_exponential_is_exact_at_its_ends() {
        let cases = [
            (0.0, 1.0),
            (f32::NEG_INFINITY, 0.0),
            (-1e30, 0.0),
            (f32::INFINITY, f32::INFINITY),
            (1e30, f32::INFINITY),
        ];
        for (x, expected) in cases {
            assert_eq!(of(F32x4::exp, x).to_bits(), expected.to_bits(), "exp({x})");
        }
        assert!(of(F32x4::exp, f32::NAN).is_nan());
    }

    #[test]
    fn the_tangent_is_off_by_three_units_at_most() {
        for i in -12_000..=12_000 {
            let x = i as f32 / 1000.0 + 1.0 / 7777.0;
            let off = units_off(of(F32x4::tanh, x), f64::from(x).tanh());
            assert!(off <= 3.0, "tanh({x}) is {off} units off");
        }
        assert_eq!(of(F32x4::tanh, 1e30).to_bits(), 1.0_f32.to_bits());
        assert_eq!(of(F32x4::tanh, -1e30).to_bits(), (-1.0_f32).to_bits());
        assert!(of(F32x4::tanh, f32::NAN).is_nan());
    }

    #[test]
    fn the_logistic_function_neither_overflows_nor_cancels() {
        for i in -1200..=1200 {
            let x = i as f32 / 10.0 + 1.0 / 777.0;
            let found = of(|x| x.times_logistic(x), x);
            let exact = f64::from(x) / (1.0 + (-f64::from(x)).exp());
            // Where e⁻ˣ overflows, the exact value is below 1e-36.
            let allowed = 4.0 * 2_f64.powi(-24) * exact.abs() + 1e-36;
            assert!((f64::from(found) - exact).abs() <= allowed, "{x}: {found} for {exact}");
        }
    }
}
