//! Compares the Rust interface with the committed description of it. What is there may change only as
//! the version says: by the rules of cargo, whatever is lost needs a version that is incompatible.
//!
//!     api RUSTDOC.json DESCRIPTION
//!
//! `SPSC_UPDATE_API=1` writes the description, as far as the version allows. A version that was never
//! released binds nobody: remove its description first. `.ci/12-packages.sh` makes the JSON.

use semver::{Version, VersionReq};
use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

/// An interface: a version, and a line for each item.
struct Api {
    version: Version,
    items: BTreeSet<String>,
}

impl Api {
    fn parse(description: &str) -> Result<Self, Box<dyn Error>> {
        let (first, items) = description.split_once('\n').unwrap_or_default();
        let version = first.strip_prefix("version ").ok_or("the first line names no version")?;
        let items = items.lines().map(str::to_owned).collect();
        Ok(Self { version: Version::parse(version)?, items })
    }

    fn describe(&self) -> String {
        let items: String = self.items.iter().map(|item| format!("{item}\n")).collect();
        format!("version {}\n{items}", self.version)
    }

    /// Whether a program that was written for `older` may be built with this one.
    fn is_compatible(&self, older: &Self) -> bool {
        let requirement = VersionReq::parse(&older.version.to_string());
        requirement.is_ok_and(|requirement| requirement.matches(&self.version))
    }

    /// Whether this one's version says what was done to the `older` one.
    fn may_follow(&self, older: &Self) -> Result<(), String> {
        let lost: String =
            older.items.difference(&self.items).map(|item| format!("\n  - {item}")).collect();
        if !lost.is_empty() && self.is_compatible(older) {
            return Err(format!("this breaks programs; raise the version or undo it:{lost}"));
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [json, description] = &arguments[..] else {
        eprintln!("usage: api RUSTDOC.json DESCRIPTION");
        return ExitCode::FAILURE;
    };
    match run(Path::new(json), Path::new(description)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(json: &Path, description: &Path) -> Result<(), Box<dyn Error>> {
    // Without what every type has, and a trait that no program can name.
    let api = public_api::Builder::from_rustdoc_json(json).omit_blanket_impls(true).build()?;
    let nameable = |item: &String| !item.contains("core::marker::Freeze");
    let items = api.items().map(ToString::to_string).filter(nameable).collect();
    let now = Api { version: Version::parse(env!("CARGO_PKG_VERSION"))?, items };
    let committed = fs::read_to_string(description).ok();
    if let Some(committed) = &committed {
        now.may_follow(&Api::parse(committed)?)?;
    }
    if env::var_os("SPSC_UPDATE_API").is_some() {
        fs::write(description, now.describe())?;
    } else if committed.as_deref() != Some(&now.describe()) {
        let name = description.display();
        return Err(format!("{name} is out of date; refresh it with SPSC_UPDATE_API=1").into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(version: &str, items: &[&str]) -> Api {
        let items = items.iter().map(|&item| item.to_owned()).collect();
        Api { version: version.parse().expect("a version"), items }
    }

    #[test]
    fn a_description_says_all_that_it_was_made_of() {
        let api = api("0.2.0", &["pub fn a()", "pub fn b()"]);
        let parsed = Api::parse(&api.describe()).expect("a description");
        assert_eq!((parsed.version, parsed.items), (api.version, api.items));
    }

    #[test]
    fn items_may_be_added_in_any_version() {
        let old = api("0.2.0", &["a"]);
        assert!(api("0.2.0", &["a", "b"]).may_follow(&old).is_ok());
        assert!(api("0.2.1", &["a", "b"]).may_follow(&old).is_ok());
    }

    #[test]
    fn what_is_lost_or_changed_needs_an_incompatible_version() {
        let old = api("0.2.0", &["a", "b"]);
        assert!(api("0.2.1", &["a"]).may_follow(&old).is_err());
        assert!(api("0.2.1", &["a", "b()"]).may_follow(&old).is_err());
        assert!(api("0.3.0", &["a"]).may_follow(&old).is_ok());
        let old = api("1.2.0", &["a", "b"]);
        assert!(api("1.3.0", &["a"]).may_follow(&old).is_err());
        assert!(api("2.0.0", &["a"]).may_follow(&old).is_ok());
    }
}
