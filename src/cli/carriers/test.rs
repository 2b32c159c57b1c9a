//! `wismo carriers test`: a folder of carriers held against its samples and call vectors.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::{ConfigArgs, USAGE, fail, output, words};
use crate::proving::{self, Difference, Finding, House, Report};

/// Lines of one file that are shown.
const MAX_DIFFERENCES: usize = 30;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  wismo carriers test                        the configured carriers.dir, else ./carriers\n  wismo carriers test carriers --carrier ups --strict\n  wismo carriers test /etc/wismo/carriers/acme --json   exit code 1 when something is wrong\n  wismo carriers test carriers --carrier ups --mutate      exit code 1 when something survives"
)]
pub struct TestArgs {
    /// Folder of carriers, or the folder of one [default: the configured carriers.dir, else ./carriers]
    dir: Option<PathBuf>,
    /// Only this carrier (may be given again)
    #[arg(long = "carrier", value_name = "CODE")]
    carriers: Vec<String>,
    /// Warnings fail, too: rules that no sample hits, numbers without examples, kinds of samples that are missing
    #[arg(long)]
    strict: bool,
    /// Alter each code, path, zone, time format, outcome rule and part of a request in turn, and list what no sample
    /// and no call vector notices
    #[arg(long)]
    mutate: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs it.
pub fn run(args: &TestArgs) -> ExitCode {
    let house = match house(args) {
        Ok(house) => house,
        Err(code) => return code,
    };
    if args.mutate {
        return super::mutate::run(&house, &args.carriers, args.json);
    }
    let mut reports: Vec<Report> = house.carriers.iter().map(|folder| proving::prove(&house, folder)).collect();
    if args.strict {
        reports.iter_mut().for_each(Report::be_strict);
    }
    let wrong = house.problems.len() + reports.iter().map(|report| report.problems().count()).sum::<usize>();
    if args.json {
        output::json(&as_json(&house, &reports, wrong));
    } else {
        print(&house, &reports, wrong);
    }
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn house(args: &TestArgs) -> Result<House, ExitCode> {
    let dir = super::folder(args.dir.as_deref(), &args.config)?;
    if !dir.is_dir() {
        return Err(fail(USAGE, format!("{} is no folder: name the one that holds the carriers", dir.display())));
    }
    let mut house = House::read(&dir);
    if let Some(unknown) = args.carriers.iter().find(|code| house.carriers.iter().all(|folder| folder.code != **code)) {
        return Err(fail(USAGE, format!("{} has no folder {unknown:?}", dir.display())));
    }
    // What is shared is proven by all who share it.
    if !args.mutate && !args.carriers.is_empty() {
        house.carriers.retain(|folder| args.carriers.contains(&folder.code));
    }
    if house.carriers.is_empty() && house.problems.is_empty() {
        return Err(fail(USAGE, format!("{} holds no carrier: no CODE/carrier.toml is in it", dir.display())));
    }
    Ok(house)
}

fn as_json(house: &House, reports: &[Report], wrong: usize) -> Value {
    let sum = |of: fn(&Report) -> usize| reports.iter().map(of).sum::<usize>();
    let unreadable: Vec<Finding> = house.problems.iter().cloned().map(Finding::of_definition).collect();
    json!({
        "carriers": reports,
        "unreadable": unreadable,
        "samples": sum(|report| report.samples),
        "calls": sum(|report| report.calls),
        "codes": sum(|report| report.codes),
        "problems": wrong,
        "warnings": sum(|report| report.warnings().count()),
    })
}

fn print(house: &House, reports: &[Report], wrong: usize) {
    for problem in &house.problems {
        output::line(words::alarm(&problem.to_string()));
    }
    let widest = reports.iter().map(|report| report.carrier.len()).max().unwrap_or(0);
    for report in reports {
        let counted = counted(report.samples, report.calls, report.codes);
        let (problems, warnings) = (report.problems().count(), report.warnings().count());
        let verdict = match (problems, warnings) {
            (0, 0) => words::fine("good"),
            (0, _) => format!("{}, {}", words::fine("good"), output::count(warnings, "warning", "warnings")),
            _ => words::alarm(&output::count(problems, "problem", "problems")),
        };
        output::line(format!("{:<widest$}  {counted}: {verdict}", report.carrier));
        for finding in report.problems().chain(report.warnings()) {
            print_finding(folder_of(house, report), finding);
        }
    }
    if reports.iter().flat_map(|report| &report.findings).any(|finding| !finding.differences.is_empty()) {
        output::line("- is what the file expects, + is what came out");
    }
    let sum = |of: fn(&Report) -> usize| reports.iter().map(of).sum::<usize>();
    let all = counted(sum(|report| report.samples), sum(|report| report.calls), sum(|report| report.codes));
    let end =
        if wrong == 0 { words::fine("all good") } else { words::alarm(&output::count(wrong, "problem", "problems")) };
    output::line(format!("{}, {all}: {end}", output::count(reports.len(), "carrier", "carriers")));
}

fn counted(samples: usize, calls: usize, codes: usize) -> String {
    let samples = output::count(samples, "sample", "samples");
    format!("{samples}, {}, {}", output::count(calls, "call", "calls"), output::count(codes, "code", "codes"))
}

/// The folder of a carrier, so that each file is named as it can be opened from here.
fn folder_of<'h>(house: &'h House, report: &Report) -> &'h Path {
    let folder = house.carriers.iter().find(|folder| folder.code == report.carrier);
    folder.map_or(Path::new(""), |folder| &folder.path)
}

fn print_finding(folder: &Path, finding: &Finding) {
    let named = Path::new(&finding.file);
    let file = if named.starts_with(folder) { named.to_owned() } else { folder.join(named) };
    let file = file.display();
    let line = finding.line.map_or_else(String::new, |line| format!(":{line}"));
    let key = finding.key.as_ref().map_or_else(String::new, |key| format!(" {key}:"));
    let place = if finding.warning { format!("{file}{line}") } else { words::alarm(&format!("{file}{line}")) };
    let mark = if finding.warning { "warning: " } else { "" };
    output::line(format!("  {mark}{place}:{key} {}", finding.message));
    for difference in finding.differences.iter().take(MAX_DIFFERENCES) {
        print_difference(difference);
    }
    if let Some(more) = finding.differences.len().checked_sub(MAX_DIFFERENCES).filter(|more| *more > 0) {
        output::line(format!("      … and {}", output::count(more, "place more", "places more")));
    }
}

/// What is expected in red, what came out in green.
fn print_difference(difference: &Difference) {
    output::line(format!("      {}", words::strong(&difference.at)));
    let shown =
        |value: &Option<Value>, absent: &str| value.as_ref().map_or_else(|| absent.to_owned(), Value::to_string);
    output::line(words::alarm(&format!("        - {}", shown(&difference.expected, "(not expected)"))));
    output::line(words::fine(&format!("        + {}", shown(&difference.found, "(absent)"))));
}
