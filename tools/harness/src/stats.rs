//! Quantiles.

/// The value that as many are above as below.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    at_quantile(values, 0.5)
}

/// Between two values, in proportion.
///
/// # Panics
/// There is no value.
pub fn at_quantile(values: impl Iterator<Item = f64>, quantile: f64) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let place = quantile * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    low + (high - low) * place.fract()
}
