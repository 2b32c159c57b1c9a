//! `wismo carriers new`: a folder to begin a carrier with.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::carrier::Registry;
use crate::cli::{ConfigArgs, DATA, USAGE, fail, output};
use crate::model::CarrierCode;
use crate::spelling::nearest;

const DEFINITION: &str = include_str!("skeleton/carrier.toml");
const SAMPLE: &str = include_str!("skeleton/moving.json");
const EXPECTATION: &str = include_str!("skeleton/moving.expect.json");
const CALL: &str = include_str!("skeleton/request.json");

#[derive(Args)]
#[command(
    after_help = "Examples:\n  wismo carriers new acme                            into the configured carriers.dir, else ./carriers\n  wismo carriers new acme --dir /etc/wismo/carriers\n  wismo carriers test /etc/wismo/carriers/acme       what is still to be filled in\n  wismo carriers new ups --from ups                  the built-in definition, to be mended; yours stands in its place\n\nWith --from only carrier.toml is written: samples and call vectors of the built-in carriers lie in the sources."
)]
pub struct NewArgs {
    /// Its code: a-z, 0-9, - and _
    code: String,
    /// Folder of carriers to put it into [default: the configured carriers.dir, else ./carriers]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Begin with the definition of a carrier that is built in, to mend it or to write one like it
    #[arg(long, value_name = "CODE")]
    from: Option<String>,
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
    let builtin = Registry::builtin();
    let from = match args.from.as_deref().map(|from| origin(&builtin, from)).transpose() {
        Ok(from) => from,
        Err(code) => return code,
    };
    if let Some(known) = builtin.get(code.as_str()).filter(|_| from.is_none()) {
        let advice = format!("--from {known} writes its definition to be mended", known = known.code());
        let told = format!(
            "wismo knows {code} already, and a blank definition would take its place: {advice}, or choose another code"
        );
        return fail(USAGE, told);
    }
    let folder = dir.join(code.as_str());
    if folder.exists() {
        return fail(USAGE, format!("{} is there already: nothing is written", folder.display()));
    }
    let made = match &from {
        Some(text) => copy(&folder, code.as_str(), text).map(|file| vec![file]),
        None => write(&folder, code.as_str(), &dir),
    };
    match made {
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

/// The text of the definition to begin from.
fn origin(builtin: &Registry, from: &str) -> Result<String, ExitCode> {
    if let Some(written) = builtin.written(from) {
        return Ok(written.text.to_owned());
    }
    let near = nearest(from, builtin.codes().map(CarrierCode::as_str));
    let hint =
        near.map_or_else(|| "`wismo carriers list` shows them".to_owned(), |near| format!("did you mean {near}?"));
    Err(fail(USAGE, format!("--from {from}: no such carrier is built in; {hint}")))
}

/// A definition under a code. Under another one than its own it leaves its aliases behind: a name belongs to one
/// carrier. The shared tables that it includes are known everywhere.
fn copy(folder: &Path, code: &str, text: &str) -> std::io::Result<PathBuf> {
    let own = format!("code = \"{code}\"");
    let renamed = text.lines().all(|line| line != own);
    let head = text.find("\n[").unwrap_or(text.len());
    let lines = text[..head].split('\n').map(|line| match line.split_once(" = ").map(|(key, _)| key) {
        Some("code") if renamed => own.as_str(),
        Some("aliases") if renamed => "aliases = []",
        _ => line,
    });
    let head_lines = lines.collect::<Vec<_>>().join("\n");
    let file = folder.join("carrier.toml");
    std::fs::create_dir_all(folder)?;
    std::fs::write(&file, head_lines + &text[head..])?;
    Ok(file)
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
