//! What came out: tables for each state, and everything as JSON.

use super::states::{self, State};
use super::{Comparison, Plan, Row};
use crate::machine::{kernel, processor};
use crate::process::Cpus;
use crate::stats::{at_quantile, median};
use crate::table::{Table, ns, or_dash};
use serde_json::{Value, json};

/// All rows, and the states of the machine that were found in them.
pub struct Report<'a> {
    comparison: Comparison<'a>,
    rows: Vec<Row>,
    states: Vec<State>,
}

/// The figures of a contestant in one test and state.
pub struct Figures {
    /// Of a round trip, or a message.
    pub median_ns: f64,
    /// To the first contestant, if that took part.
    pub ratio: Option<Ratio>,
}

/// A median of the ratios within rows.
pub struct Ratio {
    /// As many are above as below.
    pub median: f64,
    /// A quarter are below, and a quarter above.
    pub quartiles: [f64; 2],
    /// Where the true median is, with 95 % confidence; not known of less than 6 rows.
    pub interval: Option<[f64; 2]>,
}

impl Ratio {
    fn of(mut ratios: Vec<f64>) -> Self {
        ratios.sort_by(f64::total_cmp);
        // The ranks between which the median is, as each ratio is above it as often as below: a
        // binomial distribution, which is near enough to a normal one.
        let half = ratios.len() as f64 / 2.0;
        let reach = 1.96 * (ratios.len() as f64).sqrt() / 2.0;
        let (low, high) = ((half - reach).floor().max(0.0), (half + reach).ceil());
        let interval = (ratios.len() >= 6).then(|| {
            let high = (high as usize).min(ratios.len());
            [ratios[low as usize], ratios[high - 1]]
        });
        let quantile = |quantile| at_quantile(ratios.iter().copied(), quantile);
        Self { median: quantile(0.5), quartiles: [quantile(0.25), quantile(0.75)], interval }
    }

    fn text(&self) -> String {
        match self.interval {
            Some([low, high]) => format!("{:.3} ({low:.3}–{high:.3})", self.median),
            None => format!("{:.3}", self.median),
        }
    }
}

impl<'a> Report<'a> {
    pub(super) fn new(comparison: Comparison<'a>, rows: Vec<Row>) -> Self {
        let undisturbed = rows.iter().filter(|row| !row.disturbed);
        let times: Vec<f64> = undisturbed.flat_map(|row| row.ping_pong_ns).collect();
        Self { comparison, rows, states: states::find(&times) }
    }

    /// The state of a row that counts.
    fn state_of(&self, row: &Row) -> Option<usize> {
        if row.disturbed { None } else { states::of(&self.states, row.ping_pong_ns) }
    }

    fn rows_of(&self, state: usize, test: usize) -> Vec<&Row> {
        let of_both = |row: &&Row| row.test == test && self.state_of(row) == Some(state);
        self.rows.iter().filter(of_both).collect()
    }

    /// The states, the nearest first.
    pub fn states(&self) -> &[State] {
        &self.states
    }

    /// How many rows there are in all.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// How many rows were dropped because another task ran.
    pub fn disturbed(&self) -> usize {
        self.rows.iter().filter(|row| row.disturbed).count()
    }

    /// How many rows a test has in a state; and the figures of each contestant, none where it can't.
    /// Without a state, of all rows, whatever happened meanwhile.
    pub fn of(&self, state: Option<usize>, test: usize) -> (usize, Vec<Option<Figures>>) {
        let rows = match state {
            Some(state) => self.rows_of(state, test),
            None => self.rows.iter().filter(|row| row.test == test).collect(),
        };
        (rows.len(), self.figures(&rows))
    }

    /// Of each contestant. None where it can't.
    fn figures(&self, rows: &[&Row]) -> Vec<Option<Figures>> {
        let of_one = |contestant: usize| {
            let times: Option<Vec<f64>> = rows.iter().map(|row| row.ns[contestant]).collect();
            let firsts: Option<Vec<f64>> = rows.iter().map(|row| row.ns[0]).collect();
            let times = times.filter(|times| !times.is_empty())?;
            let ratio = firsts.map(|firsts| {
                Ratio::of(times.iter().zip(firsts).map(|(ns, first)| ns / first).collect())
            });
            Some(Figures { median_ns: median(times.into_iter()), ratio })
        };
        (0..self.comparison.contestants.len()).map(of_one).collect()
    }

    /// Tables, for people.
    pub fn text(&self) -> String {
        let Comparison { contestants, plan, .. } = &self.comparison;
        let Cpus { near, far } = plan.cpus;
        let mut text = String::new();
        for contestant in *contestants {
            text += &format!("{} = {}\n", contestant.name, contestant.about);
        }
        let (all, disturbed) = (self.rows(), self.disturbed());
        let counted = self.rows.iter().filter(|row| self.state_of(row).is_some()).count();
        text += &format!(
            "\n{}, Linux {}, CPUs {near} and {far}, {} s in blocks of {} ms. {all} rows, of which \
             {disturbed} were dropped because another task ran, and {} because the machine's state \
             changed. Ratios: median (its 95 % interval).\n\n",
            processor(),
            kernel(),
            plan.time.as_secs(),
            plan.block_ms,
            all - disturbed - counted,
        );
        if counted < all / 2 {
            text += "Most rows were dropped: on a busy machine, put `chrt --fifo 1` in front.\n\n";
        }
        for (index, State { name, median_ns, .. }) in self.states.iter().enumerate() {
            let rows = self.rows.iter().filter(|row| self.state_of(row) == Some(index)).count();
            text += &format!(
                "State {name}: ping-pong of a cache line {median_ns:.0} ns, {rows} rows\n\n"
            );
            self.table(index).write(&mut text);
        }
        text
    }

    fn table(&self, state: usize) -> Table {
        let Comparison { contestants, plan: Plan { tests, .. }, .. } = &self.comparison;
        let (first, others) = contestants.split_first().expect("there is one at least");
        let mut head = vec![String::new(), "rows".into(), format!("{}, ns", first.name)];
        head.extend(others.iter().map(|other| format!("{} / {}", other.name, first.name)));
        let mut table = Table::new(head);
        for (index, test) in tests.iter().enumerate() {
            let rows = self.rows_of(state, index);
            if rows.is_empty() {
                continue;
            }
            let figures = self.figures(&rows);
            let mut row = vec![test.to_string(), rows.len().to_string()];
            row.push(or_dash(figures[0].as_ref().map(|figures| ns(figures.median_ns))));
            row.extend(figures[1..].iter().map(|figures| {
                or_dash(figures.as_ref().and_then(|figures| Some(figures.ratio.as_ref()?.text())))
            }));
            table.row(row);
        }
        table
    }

    /// Everything.
    pub fn json(&self) -> Value {
        let Comparison { contestants, plan: Plan { tests, time, block_ms, cpus }, .. } =
            &self.comparison;
        let figures = |state: usize| -> Vec<Value> {
            let of_test = |(index, test): (usize, &super::Test)| {
                let rows = self.rows_of(state, index);
                let figures: Vec<Value> = (self.figures(&rows).iter().flatten())
                    .zip(*contestants)
                    .map(|(figures, contestant)| {
                        let ratio = figures.ratio.as_ref();
                        json!({
                            "contestant": contestant.name,
                            "median_ns": figures.median_ns,
                            "median_ratio": ratio.map(|ratio| ratio.median),
                            "ratio_quartiles": ratio.map(|ratio| ratio.quartiles),
                            "ratio_interval": ratio.and_then(|ratio| ratio.interval),
                        })
                    })
                    .collect();
                json!({ "test": test.to_string(), "rows": rows.len(), "figures": figures })
            };
            tests.iter().enumerate().map(of_test).collect()
        };
        let states = self.states.iter().enumerate().map(|(index, state)| {
            json!({
                "name": state.name,
                "ping_pong_ns": state.median_ns,
                "tests": figures(index),
            })
        });
        let rows = self.rows.iter().map(|row| {
            json!({
                "test": tests[row.test].to_string(),
                "state": self.state_of(row).map(|state| &self.states[state].name),
                "disturbed": row.disturbed,
                "ping_pong_ns": row.ping_pong_ns,
                "ns": row.ns,
            })
        });
        json!({
            "processor": processor(),
            "kernel": kernel(),
            "cpus": [cpus.near, cpus.far],
            "seconds": time.as_secs(),
            "block_ms": block_ms,
            "contestants": contestants.iter()
                .map(|contestant| json!({ "name": contestant.name, "about": contestant.about }))
                .collect::<Vec<_>>(),
            "states": states.collect::<Vec<_>>(),
            "rows": rows.collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_median_holds_it_and_shrinks_with_more_rows() {
        let ratios = |count: usize| (1..=count).map(|i| i as f64 / count as f64).collect();
        let width = |count| {
            let ratio = Ratio::of(ratios(count));
            let [low, high] = ratio.interval.expect("enough rows");
            assert!(low <= ratio.median && ratio.median <= high, "{count}");
            high - low
        };
        assert!(width(6) > 0.8);
        assert!(width(100) < 0.25);
        assert!(width(10_000) < 0.03);
        assert!(Ratio::of(ratios(5)).interval.is_none());
    }
}
