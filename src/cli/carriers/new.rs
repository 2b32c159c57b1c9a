//! `wismo carriers new`: a folder to begin a carrier with.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::cli::{ConfigArgs, DATA, USAGE, fail, output};
use crate::model::CarrierCode;

const DEFINITION: &str = include_str!("skeleton/carrier.toml");
const SAMPLE: &str = include_str!("skeleton/moving.json");
const EXPECTATION: &str = include_str!("skeleton/moving.expect.json");
const CALL: &str = include_str!("skeleton/request.json");

#[derive(Args)]
#[command(
    after_help = "Examples:\n  wismo carriers new acme                            into the configured carriers.dir, else ./carriers\n  wismo carriers new acme --dir /etc/wismo/carriers\n  wismo carriers test /etc/wismo/carriers/acme       what is still to be filled in"
)]
pub struct NewArgs {
    /// Its code: a-z, 0-9, - and _
    code: String,
    /// Folder of carriers to put it into [default: the configured carriers.dir, else ./carriers]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Writes a definition, a sample with its expectation, and a call vector.
pub fn run(args: &NewArgs) -> ExitCode {
    let code: CarrierCode = match args.code.parse() {
        Ok(code) => code,
        Err(error) => return fail(USAGE, format!("{:?} is no code of a carrier: {error}", args.code)),
    };
    let dir = match super::folder(args.dir.as_deref(), &args.config) {
        Ok(dir) => dir,
        Err(code) => return code,
    };
    let folder = dir.join(code.as_str());
    if folder.exists() {
        return fail(USAGE, format!("{} is there already: nothing is written", folder.display()));
    }
    match write(&folder, code.as_str(), &dir) {
        Ok(files) => {
            for file in files {
                output::line(format!("wrote {}", file.display()));
            }
            output::line(format!("Next: wismo carriers test {}", folder.display()));
            ExitCode::SUCCESS
        }
        Err(error) => fail(DATA, format!("{}: {error}", folder.display())),
    }
}

fn write(folder: &Path, code: &str, dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut name: Vec<char> = code.replace(['_', '-'], " ").chars().collect();
    if let Some(first) = name.first_mut() {
        *first = first.to_ascii_uppercase();
    }
    let name: String = name.into_iter().collect();
    let dir = dir.display().to_string();
    let mut written = Vec::new();
    for (file, text) in [
        ("carrier.toml", DEFINITION),
        ("samples/moving.json", SAMPLE),
        ("samples/moving.expect.json", EXPECTATION),
        ("calls/request.json", CALL),
    ] {
        let file = folder.join(file);
        std::fs::create_dir_all(file.parent().unwrap_or(folder))?;
        std::fs::write(&file, text.replace("@CODE@", code).replace("@NAME@", &name).replace("@DIR@", &dir))?;
        written.push(file);
    }
    Ok(written)
}
