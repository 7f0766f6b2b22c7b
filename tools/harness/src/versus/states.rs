//! How far the two CPUs are from each other: a virtual machine's move about under it, and each place
//! has its own round trip of a cache line.

use crate::stats::median;

/// A place of the two CPUs, as the ping-pong tells it.
#[derive(Debug, PartialEq)]
pub struct State {
    /// What to call it, beside the others.
    pub name: String,
    /// From here on …
    pub low_ns: f64,
    /// … to just below here.
    pub high_ns: f64,
    /// The middle of them.
    pub median_ns: f64,
}

/// A cluster is as wide as the noise of a ping-pong: a few percent.
const WIDTH: f64 = 0.1;
const STEP: f64 = 0.02;
/// Where fewer lie than this share of the lower peak beside it, a cluster ends.
const VALLEY: f64 = 0.3;
/// A cluster with a smaller share of all is noise.
const SHARE: f64 = 0.02;

/// The clusters of these times, the nearest first.
pub fn find(times_ns: &[f64]) -> Vec<State> {
    let mut logs: Vec<f64> = times_ns.iter().map(|ns| ns.ln()).collect();
    logs.sort_by(f64::total_cmp);
    let (Some(first), Some(last)) = (logs.first(), logs.last()) else { return Vec::new() };
    let steps = ((last - first) / STEP).ceil() as usize;
    let place = |step: usize| first + step as f64 * STEP;
    let density = |step: usize| -> f64 {
        logs.iter().map(|log| (1.0 - (log - place(step)).abs() / WIDTH).max(0.0)).sum()
    };
    let densities: Vec<f64> = (0..=steps).map(density).collect();

    // Walks along, and cuts at the lowest place of each valley that is deep enough on both sides.
    let mut cuts = vec![f64::NEG_INFINITY];
    let (mut peak, mut valley) = (0.0, (0, f64::INFINITY));
    for (step, &density) in densities.iter().enumerate() {
        if density < valley.1 {
            valley = (step, density);
        }
        if valley.1 >= VALLEY * peak {
            // Still on the way up.
            if density > peak {
                (peak, valley) = (density, (step, density));
            }
        } else if valley.1 < VALLEY * density {
            cuts.push(place(valley.0));
            (peak, valley) = (density, (step, density));
        }
    }
    cuts.push(f64::INFINITY);

    let mut states: Vec<State> = cuts
        .windows(2)
        .filter_map(|cut| {
            let within = |log: &&f64| (cut[0]..cut[1]).contains(*log);
            let members: Vec<f64> = logs.iter().filter(within).map(|log| log.exp()).collect();
            let counts = members.len() as f64 > SHARE * logs.len() as f64;
            counts.then(|| State {
                name: String::new(),
                low_ns: cut[0].exp(),
                high_ns: cut[1].exp(),
                median_ns: median(members.into_iter()),
            })
        })
        .collect();
    let names: &[&str] = match states.len() {
        1 => &["the only one"],
        2 => &["near", "far"],
        3 => &["nearest", "near", "far"],
        _ => &["nearest"],
    };
    for (index, state) in states.iter_mut().enumerate() {
        state.name = names.get(index).map_or(format!("number {}", index + 1), |&name| name.into());
    }
    states
}

/// The state in which both times are, if it is the same.
pub fn of(states: &[State], times_ns: [f64; 2]) -> Option<usize> {
    states
        .iter()
        .position(|state| times_ns.iter().all(|ns| (state.low_ns..state.high_ns).contains(ns)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times that scatter by some percent.
    fn around(ns: f64, count: usize) -> Vec<f64> {
        (0..count).map(|i| ns * (0.93 + 0.14 * (i * 7 % count) as f64 / count as f64)).collect()
    }

    /// To the nearest multiple of 5.
    fn medians(times: &[f64]) -> Vec<i64> {
        find(times).iter().map(|state| (state.median_ns / 5.0).round() as i64 * 5).collect()
    }

    #[test]
    fn nothing_has_no_state() {
        assert_eq!(find(&[]), []);
    }

    #[test]
    fn a_machine_that_stays_as_it_is_has_one_state() {
        assert_eq!(medians(&[135.0]), [135]);
        assert_eq!(medians(&around(135.0, 100)), [135]);
    }

    #[test]
    fn each_cluster_is_a_state_however_large_it_is() {
        let times = [around(515.0, 40), around(62.0, 30), around(135.0, 300)].concat();
        assert_eq!(medians(&times), [60, 135, 515]);
        let names: Vec<String> = find(&times).into_iter().map(|state| state.name).collect();
        assert_eq!(names, ["nearest", "near", "far"]);
    }

    #[test]
    fn clusters_side_by_side_are_told_apart() {
        assert_eq!(medians(&[around(100.0, 200), around(140.0, 200)].concat()), [100, 140]);
    }

    #[test]
    fn a_few_strays_are_no_state() {
        let times = [around(135.0, 300), vec![300.0, 2000.0]].concat();
        let states = find(&times);
        assert_eq!(states.len(), 1);
        assert_eq!(of(&states, [136.0, 300.0]), None);
        assert_eq!(of(&states, [136.0, 130.0]), Some(0));
    }

    #[test]
    fn times_of_two_states_are_of_none() {
        let states = find(&[around(135.0, 300), around(515.0, 300)].concat());
        assert_eq!(of(&states, [130.0, 520.0]), None);
        assert_eq!(of(&states, [510.0, 520.0]), Some(1));
    }
}
