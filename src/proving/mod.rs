//! A folder of carriers held against its own samples and call vectors, without a carrier and without a network.
//!
//! | file | purpose |
//! |---|---|
//! | `folder` | what stands in the folder: definitions, samples with expectations, call vectors |
//! | `sample` | an answer against its expectation |
//! | `vector` | a request against one that another tool made |
//! | `differ` | two values, place by place |
//! | `lint` | what nobody mapped, what nothing hits, what everything would hit |
//! | [`mutate`] | whether anything notices when a definition is altered |
//! | [`table`] | all carriers of a folder on one page |
//! | `reads` | what gives nothing in any sample |
//! | `report` | what was found |

mod differ;
mod folder;
mod lint;
pub mod mutate;
mod reads;
mod report;
mod sample;
pub mod table;
mod vector;

pub use differ::{Difference, differences};
pub use folder::{CarrierFolder, House};
pub use report::{Finding, Kind, Report};
pub use sample::{Expectation, Rewrite, Sample, printed, rewrite};
pub use vector::Vector;

use crate::carrier::{Carrier, document};
use lint::Touched;

/// Loads one carrier of a house and holds it against all that stands in its folder.
#[must_use]
pub fn prove(house: &House, folder: &CarrierFolder) -> Report {
    let mut report = Report::new(&folder.code);
    let carrier = match house.load(folder) {
        Ok(carrier) => carrier,
        Err(problems) => {
            report.findings.extend(problems.into_iter().map(Finding::of_definition));
            return report;
        }
    };
    for (name, other) in house.clashes(folder) {
        let message = format!("{name:?} means {other}, too: a name belongs to one carrier");
        report.problem_at(Kind::Definition, "carrier.toml", "aliases".to_owned(), &message);
    }
    report.codes = codes(&carrier);
    run_samples(house, folder, &carrier, &mut report);
    run_vectors(folder, &carrier, &mut report);
    lint::unfinished(&folder.text, &mut report);
    let unplaced = |finding: &&mut Finding| finding.file == "carrier.toml" && finding.line.is_none();
    for finding in report.findings.iter_mut().filter(unplaced) {
        let key = finding.key.as_deref().unwrap_or_default();
        finding.line = document::line_of(&folder.text, key.split(' ').next().unwrap_or_default());
    }
    report
}

/// How many codes and texts a definition knows.
#[must_use]
pub fn codes(carrier: &Carrier) -> usize {
    carrier.definition().codes.iter().map(|lookup| lookup.body.len()).sum()
}

fn run_samples(house: &House, folder: &CarrierFolder, carrier: &Carrier, report: &mut Report) {
    if folder.samples.is_empty() {
        report.problem(Kind::Sample, "samples", "a folder without samples proves nothing");
    }
    let mut touched = Touched::default();
    for found in &folder.samples {
        match found {
            Err((file, message)) => report.problem(Kind::Sample, file, message),
            Ok(sample) => {
                report.samples += 1;
                let made = touched.run(sample, carrier, report);
                report.differences(&sample.name, sample.compare(&made));
            }
        }
    }
    let name = |found: &Result<Sample, (String, String)>| match found {
        Ok(sample) => sample.name.clone(),
        Err((file, _)) => file.clone(),
    };
    let names: Vec<String> = folder.samples.iter().map(name).collect();
    lint::definition(carrier.definition(), &names, report);
    // What a sample that cannot be used would hit is not known.
    if report.samples > 0 && folder.samples.iter().all(Result::is_ok) {
        touched.untouched(carrier.definition(), &house.origins(folder), &folder.text, report);
    }
}

fn run_vectors(folder: &CarrierFolder, carrier: &Carrier, report: &mut Report) {
    for found in &folder.vectors {
        match found {
            Err((file, message)) => report.problem(Kind::Call, file, message),
            Ok(vector) => {
                report.calls += 1;
                match vector.differences(carrier) {
                    Ok(found) => report.differences(&vector.name, found),
                    Err(message) => report.problem(Kind::Call, &vector.name, &message),
                }
            }
        }
    }
}
