//! What came out: tables for each state, and everything as JSON.

use super::Row;
use super::states::{self, State};
use super::test::Test;
use super::variant::Variant;
use crate::args::Ab;
use crate::machine::{kernel, processor};
use crate::results::median;
use crate::table::{Table, ns};
use harness::process::Cpus;
use serde_json::{Value, json};

pub struct Report<'a> {
    pub args: &'a Ab,
    pub cpus: Cpus,
    pub variants: &'a [Variant],
    pub tests: &'a [Test],
    pub rows: &'a [Row],
    pub states: Vec<State>,
}

/// The figures of one test in one state.
struct Figures {
    rows: usize,
    /// The medians of each build.
    ns: Vec<f64>,
    /// Of each build to the first.
    ratios: Vec<Ratio>,
}

/// A median of the ratios within rows.
struct Ratio {
    median: f64,
    /// Where the true median is, with 95 % confidence; not known of less than 6 rows.
    interval: Option<[f64; 2]>,
}

impl Ratio {
    fn of(mut ratios: Vec<f64>) -> Self {
        ratios.sort_by(f64::total_cmp);
        // The ranks between which the median is, as each ratio is above it as often as below:
        // a binomial distribution, which is near enough to a normal one.
        let half = ratios.len() as f64 / 2.0;
        let reach = 1.96 * (ratios.len() as f64).sqrt() / 2.0;
        let (low, high) = ((half - reach).floor(), (half + reach).ceil());
        let interval =
            (ratios.len() >= 6).then(|| [ratios[low.max(0.0) as usize], ratios[high as usize - 1]]);
        Self { median: median(ratios.into_iter()), interval }
    }

    fn text(&self) -> String {
        match self.interval {
            Some([low, high]) => format!("{:.3} ({low:.3}–{high:.3})", self.median),
            None => format!("{:.3}", self.median),
        }
    }
}

impl<'a> Report<'a> {
    pub fn new(
        args: &'a Ab,
        cpus: Cpus,
        variants: &'a [Variant],
        tests: &'a [Test],
        rows: &'a [Row],
    ) -> Self {
        let undisturbed = rows.iter().filter(|row| !row.disturbed);
        let times: Vec<f64> = undisturbed.flat_map(|row| row.ping_pong_ns).collect();
        Self { args, cpus, variants, tests, rows, states: states::find(&times) }
    }

    /// The state of a row that counts.
    fn state_of(&self, row: &Row) -> Option<usize> {
        if row.disturbed { None } else { states::of(&self.states, row.ping_pong_ns) }
    }

    /// None if no row counts.
    fn figures(&self, state: usize, test: usize) -> Option<Figures> {
        let rows: Vec<&Row> = (self.rows.iter())
            .filter(|row| row.test == test && self.state_of(row) == Some(state))
            .collect();
        (!rows.is_empty()).then(|| Figures {
            rows: rows.len(),
            ns: (0..self.variants.len())
                .map(|variant| median(rows.iter().map(|row| row.ns[variant])))
                .collect(),
            ratios: (0..self.variants.len())
                .map(|variant| {
                    Ratio::of(rows.iter().map(|row| row.ns[variant] / row.ns[0]).collect())
                })
                .collect(),
        })
    }

    pub fn text(&self) -> String {
        let (processor, kernel) = (processor(), kernel());
        let Cpus { near, far } = self.cpus;
        let all = self.rows.len();
        let disturbed = self.rows.iter().filter(|row| row.disturbed).count();
        let counted = self.rows.iter().filter(|row| self.state_of(row).is_some()).count();
        let changed = all - disturbed - counted;
        let mut text = String::new();
        for variant in self.variants {
            text += &format!("{} = {}\n", variant.name, variant.path.display());
        }
        text += &format!(
            "\n{processor}, Linux {kernel}, CPUs {near} and {far}; {} s in blocks of {} ms. {all} rows, \
             of which {disturbed} were dropped because another task ran, and {changed} because the \
             machine's state changed. Ratios: median (its 95 % interval).\n\n",
            self.args.seconds, self.args.block_ms,
        );
        if counted < all / 2 {
            text += "Most rows were dropped: on a busy machine, put `chrt --fifo 1` in front.\n\n";
        }
        for (index, state) in self.states.iter().enumerate() {
            let State { name, median_ns, .. } = state;
            let rows = self.rows.iter().filter(|row| self.state_of(row) == Some(index)).count();
            text += &format!(
                "State {name}: ping-pong of a cache line {median_ns:.0} ns, {rows} rows\n\n"
            );
            self.table(index).write(&mut text);
        }
        text
    }

    fn table(&self, state: usize) -> Table {
        let (first, others) = self.variants.split_first().expect("there is one at least");
        let mut head = vec!["".into(), "rows".into(), format!("{}, ns", first.name)];
        head.extend(others.iter().map(|other| format!("{} / {}", other.name, first.name)));
        let mut table = Table::new(head);
        for (index, test) in self.tests.iter().enumerate() {
            let Some(figures) = self.figures(state, index) else { continue };
            let mut row = vec![test.to_string(), figures.rows.to_string(), ns(figures.ns[0])];
            row.extend(figures.ratios[1..].iter().map(Ratio::text));
            table.row(row);
        }
        table
    }

    pub fn json(&self) -> Value {
        let figures = |state: usize| -> Vec<Value> {
            let of_test = |(index, test): (usize, &Test)| {
                let Figures { rows, ns, ratios } = self.figures(state, index)?;
                Some(json!({
                    "test": test.to_string(),
                    "rows": rows,
                    "median_ns": ns,
                    "median_ratio": ratios.iter().map(|ratio| ratio.median).collect::<Vec<_>>(),
                    "ratio_interval": ratios.iter().map(|ratio| ratio.interval).collect::<Vec<_>>(),
                }))
            };
            self.tests.iter().enumerate().filter_map(of_test).collect()
        };
        let states = self.states.iter().enumerate().map(|(index, state)| {
            json!({
                "name": state.name,
                "ping_pong_ns": state.median_ns,
                "figures": figures(index),
            })
        });
        let rows = self.rows.iter().map(|row| {
            json!({
                "test": self.tests[row.test].to_string(),
                "state": self.state_of(row).map(|state| &self.states[state].name),
                "disturbed": row.disturbed,
                "ping_pong_ns": row.ping_pong_ns,
                "ns": row.ns,
            })
        });
        json!({
            "processor": processor(),
            "kernel": kernel(),
            "cpus": [self.cpus.near, self.cpus.far],
            "seconds": self.args.seconds,
            "block_ms": self.args.block_ms,
            "builds": self.variants.iter()
                .map(|variant| json!({ "name": variant.name, "path": variant.path }))
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
