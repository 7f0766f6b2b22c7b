//! What was measured, round by round.

use harness::channel::Latency;
use hdrhistogram::Histogram;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Floor,
    /// There and back with both sides awake.
    Hot,
    /// There and back with both sides asleep when their message comes.
    Cold,
    Stream(Flow),
    /// All calls that a message takes, in one process.
    Calls,
}

/// A kind of stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    pub size: usize,
    /// The ring's capacity, if it is one.
    pub ring: Option<usize>,
    pub batches: bool,
}

/// One row or cell of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub what: What,
    pub via: &'static str,
}

/// One round's figure, and the floor's right before it.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub ns: f64,
    pub floor_ns: Option<f64>,
}

/// The quantiles of single trips that are kept of each round.
pub const QUANTILES: [f64; 4] = [0.5, 0.99, 0.999, 0.9999];

#[derive(Default)]
pub struct Series {
    pub samples: Vec<Sample>,
    /// Of single round trips, a row for each round.
    pub quantiles: Vec<[f64; QUANTILES.len()]>,
    /// Of single round trips, of all rounds.
    pub trips: Option<Histogram<u64>>,
}

impl Series {
    pub fn ns(&self) -> f64 {
        median(self.samples.iter().map(|sample| sample.ns))
    }

    /// How often the floor it took: the median of the rounds' own ratios.
    pub fn ratio(&self) -> Option<f64> {
        self.ratio_at(0.5)
    }

    pub fn ratio_at(&self, quantile: f64) -> Option<f64> {
        let ratios: Option<Vec<f64>> =
            self.samples.iter().map(|sample| Some(sample.ns / sample.floor_ns?)).collect();
        ratios.map(|ratios| at_quantile(ratios.into_iter(), quantile))
    }

    /// A quantile of single trips: the median of the rounds' own.
    pub fn quantile(&self, index: usize) -> Option<f64> {
        (!self.quantiles.is_empty())
            .then(|| median(self.quantiles.iter().map(|quantiles| quantiles[index])))
    }

    /// How often the median the 99.9th percentile of single trips took.
    pub fn tail(&self) -> Option<f64> {
        (!self.quantiles.is_empty())
            .then(|| median(self.quantiles.iter().map(|quantiles| quantiles[2] / quantiles[0])))
    }
}

/// Everything, in the order in which it was first measured.
#[derive(Default)]
pub struct Results {
    pub series: Vec<(Key, Series)>,
    pub runs: usize,
    /// Runs during which another task had one of the CPUs.
    pub disturbed: usize,
}

impl Results {
    pub fn get(&self, key: Key) -> Option<&Series> {
        self.series.iter().find(|(other, _)| *other == key).map(|(_, series)| series)
    }

    pub fn add(&mut self, key: Key, ns: f64, floor_ns: Option<f64>) -> &mut Series {
        let found = self.series.iter().position(|(other, _)| *other == key);
        let index = found.unwrap_or_else(|| {
            self.series.push((key, Series::default()));
            self.series.len() - 1
        });
        let series = &mut self.series[index].1;
        series.samples.push(Sample { ns, floor_ns });
        series
    }

    pub fn add_latency(&mut self, key: Key, latency: &Latency, floor_ns: Option<f64>) {
        let series = self.add(key, latency.median_ns, floor_ns);
        let singles = &latency.singles;
        series.quantiles.push(QUANTILES.map(|quantile| singles.value_at_quantile(quantile) as f64));
        match &mut series.trips {
            Some(trips) => trips.add(singles).expect("histograms of one kind add up"),
            none => *none = Some(singles.clone()),
        }
    }

    /// How much longer `key` took than the same `via` another way, by the medians of the rounds'
    /// own differences.
    pub fn difference(&self, what: What, via: &'static str, from: &'static str) -> Option<f64> {
        let samples = &self.get(Key { what, via })?.samples;
        let others = &self.get(Key { what, via: from })?.samples;
        Some(median(samples.iter().zip(others).map(|(one, other)| one.ns - other.ns)))
    }
}

pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    at_quantile(values, 0.5)
}

/// Between two values, in proportion.
pub fn at_quantile(values: impl Iterator<Item = f64>, quantile: f64) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let place = quantile * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    low + (high - low) * place.fract()
}
