//! The command line.

use harness::process::Cpus;
use std::path::PathBuf;
use std::str::FromStr;

pub const USAGE: &str = "\
Measures the ring beside the floors that the hardware and the kernel set, and beside what else the
system has, between two processes.

  cargo run --release -p measure -- [OPTIONS]

  --rounds N       how often to measure everything; figures are medians (15)
  --sizes A,B,…    bytes of a message in streams (8,64,256,1024,4096,65536)
  --rings A,B,…    bytes of a ring; round trips use the first (65536,1048576)
  --cpus A,B       the CPUs to run on (two of different cores)
  --only A,B,…     groups: floors, alternatives, hot, cold, throughput, calls;
                   ring is the last four
  --via A,B        the ring's interfaces: rust, c
  --quick          3 rounds of a tenth: to see that it works, no figures to rely on
  --json FILE      write all figures of all rounds
  --svg DIR        draw latency.svg and throughput.svg
  --markdown FILE  write the tables, between <!-- table --> and <!-- /table --> if FILE has these
";

pub struct Args {
    pub rounds: usize,
    pub sizes: Vec<usize>,
    pub rings: Vec<usize>,
    pub cpus: Option<Cpus>,
    only: Vec<String>,
    via: Vec<String>,
    pub quick: bool,
    pub json: Option<PathBuf>,
    pub svg: Option<PathBuf>,
    pub markdown: Option<PathBuf>,
}

const GROUPS: [&str; 7] = ["floors", "alternatives", "hot", "cold", "throughput", "calls", "ring"];
const INTERFACES: [&str; 2] = ["rust", "c"];

impl Args {
    /// The arguments after the program's name, or what is wrong with them.
    pub fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut args = Self {
            rounds: 0,
            sizes: vec![8, 64, 256, 1024, 4096, 65536],
            rings: vec![65536, 1 << 20],
            cpus: None,
            only: Vec::new(),
            via: Vec::new(),
            quick: false,
            json: None,
            svg: None,
            markdown: None,
        };
        let mut words = words;
        while let Some(option) = words.next() {
            if option == "--help" {
                return Err(String::new());
            }
            if option == "--quick" {
                args.quick = true;
                continue;
            }
            let value = words.next().ok_or(format!("{option}: unknown, or without its value"))?;
            match option.as_str() {
                "--rounds" => args.rounds = numbers(&value)?[0],
                "--sizes" => args.sizes = numbers(&value)?,
                "--rings" => args.rings = numbers(&value)?,
                "--cpus" => match numbers(&value)?[..] {
                    [near, far] if near != far => args.cpus = Some(Cpus { near, far }),
                    _ => return Err(format!("{value}: not two CPUs")),
                },
                "--only" => args.only = some_of(&GROUPS, &value)?,
                "--via" => args.via = some_of(&INTERFACES, &value)?,
                "--json" => args.json = Some(value.into()),
                "--svg" => args.svg = Some(value.into()),
                "--markdown" => args.markdown = Some(value.into()),
                _ => return Err(format!("{option}: unknown")),
            }
        }
        if args.sizes.contains(&0) || args.rings.contains(&0) {
            return Err("a size of 0".into());
        }
        if let Some(size) = args.sizes.iter().find(|&size| size > args.rings.iter().min().unwrap())
        {
            return Err(format!("a message of {size} bytes does not fit the smallest ring"));
        }
        if args.rounds == 0 {
            args.rounds = if args.quick { 3 } else { 15 };
        }
        Ok(args)
    }

    /// Whether to measure this group.
    pub fn wants(&self, group: &str) -> bool {
        let within_ring = ["hot", "cold", "throughput", "calls"].contains(&group);
        self.only.is_empty()
            || self.only.iter().any(|one| one == group || (one == "ring" && within_ring))
    }

    /// Whether to measure the ring through this interface.
    pub fn wants_via(&self, interface: &str) -> bool {
        self.via.is_empty() || self.via.iter().any(|one| one == interface)
    }
}

fn numbers(list: &str) -> Result<Vec<usize>, String> {
    let number = |word| usize::from_str(word).map_err(|_| format!("{word}: not a number"));
    list.split(',').map(number).collect()
}

fn some_of(known: &[&str], list: &str) -> Result<Vec<String>, String> {
    list.split(',')
        .map(|word| match known.contains(&word) {
            true => Ok(word.to_owned()),
            false => Err(format!("{word}: not one of {}", known.join(", "))),
        })
        .collect()
}
