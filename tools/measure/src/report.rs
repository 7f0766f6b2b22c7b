//! The tables, the plots, and all figures as JSON.

use crate::args::Survey;
use crate::chart::{Axis, Chart, Curve, decades};
use crate::machine::{kernel, processor};
use crate::results::{Flow, Key, Results, Series, What};
use crate::survey;
use crate::table::{Table, bytes, ns, or_dash};
use harness::process::Cpus;
use serde_json::{Value, json};
use std::fmt::Write;
use std::{fs, io};

pub const TWO_LINES: &str = "ping-pong of two lines";
pub const WALK: &str = "the same, walking 64 KiB";
pub const COPY: &str = "plain copy, per line (L)";
pub const FUTEX: &str = "ping-pong of a futex";

/// From here on a message's time is that of its bytes.
pub fn is_bulk(size: usize) -> bool {
    size >= 4096
}

/// What a ratio to the floor is meant to be.
#[derive(Clone, Copy)]
enum Target {
    AtMost(f64),
    /// Of the floor's bandwidth, at least.
    Share(f64),
}

impl Target {
    fn of(what: What) -> Option<Self> {
        match what {
            What::Hot | What::Cold => Some(Self::AtMost(1.1)),
            What::Stream(Flow { size, batches, .. }) => match (size, batches) {
                (8, false) => Some(Self::AtMost(2.2)),
                (8, true) => Some(Self::AtMost(1.2)),
                (64, false) => Some(Self::AtMost(5.0)),
                (64, true) => Some(Self::AtMost(2.5)),
                (size, _) if is_bulk(size) => Some(Self::Share(0.95)),
                _ => None,
            },
            What::Floor | What::Calls => None,
        }
    }

    fn text(self, unit: &str) -> String {
        match self {
            Self::AtMost(limit) => format!("≤ {limit}{unit}"),
            Self::Share(limit) => format!("≥ {limit} × copy"),
        }
    }

    fn mark(self, ratio: f64) -> &'static str {
        let met = match self {
            Self::AtMost(limit) => ratio <= limit,
            Self::Share(limit) => 1.0 / ratio >= limit,
        };
        mark(met)
    }
}

fn mark(met: bool) -> &'static str {
    if met { " ✓" } else { " ✗" }
}

/// The ratio to the floor, and whether it is as it is meant to be.
fn judged(series: &Series, what: What, unit: &str) -> Option<String> {
    let ratio = series.ratio()?;
    let shown = match what {
        What::Stream(flow) if is_bulk(flow.size) => format!("{:.2} × copy", 1.0 / ratio),
        _ => format!("{ratio:.2}{unit}"),
    };
    let mark = Target::of(what).map_or("", |target| target.mark(ratio));
    Some(format!("{shown}{mark}"))
}

/// All tables.
pub fn tables(results: &Results) -> String {
    let mut text = String::new();
    round_trips(results).write(&mut text);
    let (mut rings, mut kernel): (Vec<Flow>, Vec<Flow>) = (Vec::new(), Vec::new());
    for (key, _) in &results.series {
        if let What::Stream(flow) = key.what {
            let flows = if flow.ring.is_some() { &mut rings } else { &mut kernel };
            if !flows.contains(&flow) {
                flows.push(flow);
            }
        }
    }
    rings.sort_by_key(|flow| (flow.batches, flow.ring));
    if let Some(copy) = results.get(Key { what: What::Floor, via: COPY }) {
        let (line, gigabytes) = (copy.ns(), 64.0 / copy.ns());
        writeln!(
            text,
            "Plain copy in large blocks: L = {line:.2} ns a line, {gigabytes:.1} GB/s.\n"
        )
        .expect("a string takes all");
    }
    streams(results, &rings).write(&mut text);
    streams(results, &kernel).write(&mut text);
    calls(results, &mut text);
    text
}

fn round_trips(results: &Results) -> Table {
    let mut table = Table::new([
        "round trip of 64 B, ns",
        "median",
        "× floor",
        "target",
        "single: median",
        "p99",
        "p99.9",
        "p99.99",
        "p99.9 / median",
    ]);
    for (key, series) in &results.series {
        let state = match key.what {
            What::Hot => ", awake",
            What::Cold if series.samples[0].floor_ns.is_some() => ", asleep",
            What::Floor if !series.quantiles.is_empty() => "",
            What::Cold => "",
            _ => continue,
        };
        let target = series.ratio().and(Target::of(key.what));
        let tail = series.tail().map(|tail| {
            let mark = if key.what == What::Hot { mark(tail <= 3.0) } else { "" };
            format!("{tail:.1}{mark}")
        });
        let mut row = vec![
            format!("{}{state}", key.via),
            ns(series.ns()),
            or_dash(judged(series, key.what, "")),
            or_dash(target.map(|target| target.text(""))),
        ];
        row.extend((0..4).map(|index| or_dash(series.quantile(index).map(ns))));
        row.push(or_dash(tail));
        table.row(row);
    }
    table
}

fn streams(results: &Results, flows: &[Flow]) -> Table {
    let mut ways: Vec<&'static str> = Vec::new();
    for (key, _) in &results.series {
        let listed = matches!(key.what, What::Stream(flow) if flows.contains(&flow));
        if listed && !ways.contains(&key.via) {
            ways.push(key.via);
        }
    }
    let both = ways.contains(&survey::RUST) && ways.contains(&survey::C);
    let in_rings = flows.iter().any(|flow| flow.ring.is_some());
    let mut head = vec!["messages, ns each".to_owned()];
    for way in &ways {
        head.push((*way).into());
        if in_rings {
            head.push("ratio".into());
        }
    }
    head.extend(in_rings.then(|| "target".into()));
    head.extend(both.then(|| "C − Rust".into()));
    let mut table = Table::new(head);
    for &flow in flows {
        let what = What::Stream(flow);
        let through = flow.ring.map_or(String::new(), |ring| {
            let how = if flow.batches { "batches" } else { "one by one" };
            format!(" {how}, ring of {}", bytes(ring))
        });
        let mut row = vec![format!("{}{through}", bytes(flow.size))];
        for &via in &ways {
            let series = results.get(Key { what, via });
            row.push(or_dash(series.map(|series| ns(series.ns()))));
            if in_rings {
                row.push(or_dash(series.and_then(|series| judged(series, what, " L"))));
            }
        }
        if in_rings {
            row.push(or_dash(Target::of(what).map(|target| target.text(" L"))));
        }
        if both {
            let cost = results.difference(what, survey::C, survey::RUST);
            row.push(or_dash(cost.map(|cost| format!("{cost:+.2}"))));
        }
        table.row(row);
    }
    table
}

fn calls(results: &Results, text: &mut String) {
    let through = |via| results.get(Key { what: What::Calls, via }).map(Series::ns);
    let (Some(rust), Some(c)) = (through(survey::RUST), through(survey::C)) else { return };
    let cost = results.difference(What::Calls, survey::C, survey::RUST).expect("both are there");
    writeln!(
        text,
        "Claim, publish, peek and release of 8 B by one thread: {rust:.2} ns in Rust, {c:.2} ns \
         through the C ABI, which costs {cost:.2} ns a message, {:.2} on either side (target \
         ≤ 2){}\n",
        cost / 2.0,
        mark(cost / 2.0 <= 2.0)
    )
    .expect("a string takes all");
}

/// Prints the tables, and writes the files that are asked for.
pub fn write(args: &Survey, cpus: Cpus, results: &Results) -> io::Result<()> {
    let mut text = machine(args, cpus, results);
    text.push_str(&tables(results));
    print!("{text}");
    if let Some(path) = &args.markdown {
        let old = fs::read_to_string(path).unwrap_or_default();
        fs::write(path, replaced(&old, &text).unwrap_or(text))?;
    }
    if let Some(path) = &args.json {
        fs::write(path, format!("{:#}\n", figures(args, cpus, results)))?;
    }
    if let Some(directory) = &args.svg {
        fs::create_dir_all(directory)?;
        for (name, chart) in [("latency", latencies(results)), ("throughput", rates(results))] {
            if let Some(chart) = chart {
                chart
                    .write(&directory.join(name).with_extension("svg"))
                    .map_err(io::Error::other)?;
            }
        }
    }
    Ok(())
}

/// `old` with `text` between the marks, if it has them.
fn replaced(old: &str, text: &str) -> Option<String> {
    const MARKS: (&str, &str) = ("<!-- table -->", "<!-- /table -->");
    let (before, rest) = old.split_once(MARKS.0)?;
    let (_, after) = rest.split_once(MARKS.1)?;
    Some(format!("{before}{}\n{text}{}{after}", MARKS.0, MARKS.1))
}

fn machine(args: &Survey, cpus: Cpus, results: &Results) -> String {
    let (processor, kernel, rounds) = (processor(), kernel(), args.rounds());
    let (Cpus { near, far }, Results { runs, disturbed, .. }) = (cpus, results);
    format!(
        "{processor}, Linux {kernel}, CPUs {near} and {far}, {rounds} rounds. Other tasks took \
         part of a CPU in {disturbed} of {runs} measurements.\n\n"
    )
}

fn figures(args: &Survey, cpus: Cpus, results: &Results) -> Value {
    let series = |(key, series): &(Key, Series)| {
        let (kind, flow) = match key.what {
            What::Floor => ("floor", None),
            What::Hot => ("round trip awake", None),
            What::Cold => ("round trip asleep", None),
            What::Calls => ("calls", None),
            What::Stream(flow) => ("stream", Some(flow)),
        };
        json!({
            "what": kind,
            "via": key.via,
            "size": flow.map(|flow| flow.size),
            "ring": flow.and_then(|flow| flow.ring),
            "batches": flow.map(|flow| flow.batches),
            "median_ns": series.ns(),
            "median_ratio": series.ratio(),
            "ratio_quartiles": [series.ratio_at(0.25), series.ratio_at(0.75)],
            "rounds_ns": series.samples.iter().map(|sample| sample.ns).collect::<Vec<_>>(),
            "rounds_floor_ns":
                series.samples.iter().map(|sample| sample.floor_ns).collect::<Vec<_>>(),
            "rounds_p50_p99_p999_p9999_ns": series.quantiles,
        })
    };
    json!({
        "processor": processor(),
        "kernel": kernel(),
        "cpus": [cpus.near, cpus.far],
        "rounds": args.rounds(),
        "measurements": results.runs,
        "disturbed": results.disturbed,
        "series": results.series.iter().map(series).collect::<Vec<_>>(),
    })
}

fn time(ns: f64) -> String {
    match ns {
        ns if ns < 1e3 => format!("{ns} ns"),
        ns if ns < 1e6 => format!("{} µs", ns / 1e3),
        ns => format!("{} ms", ns / 1e6),
    }
}

/// Round trips by quantile: the rarer, the further to the right.
fn latencies(results: &Results) -> Option<Chart> {
    let rarities = (0..=40).map(|step| 10f64.powf(f64::from(step) / 10.0));
    let curves: Vec<Curve> = results
        .series
        .iter()
        // The C ABI's curves would lie on those of Rust.
        .filter(|(key, _)| ![survey::C, survey::C_SMALL].contains(&key.via))
        .filter_map(|(key, series)| {
            let trips = series.trips.as_ref()?;
            let at = |rarity: f64| trips.value_at_quantile(1.0 - 1.0 / rarity).max(1) as f64;
            let state = match key.what {
                What::Hot => ", awake",
                What::Cold if key.via.starts_with("ring") => ", asleep",
                _ => "",
            };
            Some(Curve {
                name: format!("{}{state}", key.via),
                dashed: key.what == What::Floor,
                marks: false,
                points: rarities.clone().map(|rarity| (rarity, at(rarity))).collect(),
            })
        })
        .collect();
    if curves.is_empty() {
        return None;
    }
    let times = curves.iter().flat_map(|curve| curve.points.iter().map(|point| point.1));
    let ticks = ["0 %", "90 %", "99 %", "99.9 %", "99.99 %"];
    let ticks = ticks.iter().zip(0..).map(|(label, power)| (10f64.powi(power), (*label).into()));
    Some(Chart {
        title: "Round trip of 64 bytes".into(),
        x: Axis {
            title: "share of round trips that take at most so long".into(),
            low: 1.0,
            high: 1e4,
            ticks: ticks.collect(),
        },
        y: decades("time", times, time),
        curves,
    })
}

/// Bytes per second by the size of a message.
fn rates(results: &Results) -> Option<Chart> {
    let mut curves: Vec<Curve> = Vec::new();
    let mut sizes: Vec<usize> = Vec::new();
    for (key, series) in &results.series {
        let What::Stream(flow) = key.what else { continue };
        if !sizes.contains(&flow.size) {
            sizes.push(flow.size);
        }
        // The C ABI's curves would lie on those of Rust.
        if key.via == survey::C {
            continue;
        }
        let how = match flow {
            Flow { ring: None, .. } => key.via.to_owned(),
            Flow { ring: Some(ring), batches: true, .. } => format!("{}, batches", bytes(ring)),
            Flow { ring: Some(ring), .. } => format!("{}, one by one", bytes(ring)),
        };
        let name = if flow.ring.is_some() { format!("ring of {how}") } else { how };
        let point = (flow.size as f64, flow.size as f64 / series.ns());
        match curves.iter_mut().find(|curve| curve.name == name) {
            Some(curve) => curve.points.push(point),
            None => {
                curves.push(Curve { name, dashed: false, marks: true, points: vec![point] });
            }
        }
    }
    sizes.sort_unstable();
    let (&low, &high) = (sizes.first()?, sizes.last()?);
    if low == high {
        return None;
    }
    if let Some(copy) = results.get(Key { what: What::Floor, via: COPY }) {
        let rate = 64.0 / copy.ns();
        let points = vec![(low as f64, rate), (high as f64, rate)];
        curves.insert(0, Curve { name: "plain copy".into(), dashed: true, marks: false, points });
    }
    let all = curves.iter().flat_map(|curve| curve.points.iter().map(|point| point.1));
    let y = decades("GB/s", all, |rate| rate.to_string());
    Some(Chart {
        title: "Throughput by the size of a message".into(),
        x: Axis {
            title: "bytes of a message".into(),
            low: low as f64,
            high: high as f64,
            ticks: sizes.iter().map(|&size| (size as f64, bytes(size))).collect(),
        },
        y,
        curves,
    })
}
