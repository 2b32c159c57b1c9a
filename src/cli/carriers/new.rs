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
    after_help = "Examples:\n  wismo carriers new acme                            into the configured carriers.dir, else ./carriers\n  wismo carriers new acme --dir /etc/wismo/carriers\n  wismo carriers test /etc/wismo/carriers/acme       what is still to be filled in\n  wismo carriers new ups --from ups                  the built-in definition, to be mended in the folder of your own"
)]
pub struct NewArgs {
    /// Its code: a-z, 0-9, - and _
    code: String,
    /// Folder of carriers to put it into [default: the configured carriers.dir, else ./carriers]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Begin with the built-in definition of this carrier
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
    let begin = match beginning(&code, args.from.as_deref()) {
        Ok(text) => text,
        Err(message) => return fail(USAGE, message),
    };
    let dir = match super::folder(args.dir.as_deref(), &args.config) {
        Ok(dir) => dir,
        Err(code) => return code,
    };
    let folder = dir.join(code.as_str());
    if folder.exists() {
        return fail(USAGE, format!("{} is there already: nothing is written", folder.display()));
    }
    match write(&folder, code.as_str(), &dir, begin.as_deref()) {
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

/// The built-in definition to begin with; none where the skeleton is wanted.
fn beginning(code: &CarrierCode, from: Option<&str>) -> Result<Option<String>, String> {
    let builtin = Registry::builtin();
    let Some(from) = from else {
        return match builtin.get(code.as_str()) {
            None => Ok(None),
            Some(known) => Err(format!(
                "{code} is built in ({}); `wismo carriers new {code} --from {code}` writes its definition, for you to mend",
                known.definition().name
            )),
        };
    };
    let known = builtin.get(from).ok_or_else(|| {
        let near = nearest(from, builtin.codes().map(CarrierCode::as_str));
        let near = near.map(|near| format!(": did you mean {near:?}?")).unwrap_or_default();
        format!("no built-in carrier is called {from:?}{near}")
    })?;
    let text = builtin.text(known.code()).unwrap_or_default();
    if known.code() == code {
        return Ok(Some(text.to_owned()));
    }
    // Another carrier has another code, and names of its own.
    let own = text.replacen(&format!("code = \"{}\"", known.code()), &format!("code = \"{code}\""), 1);
    let lines: Vec<&str> = own.lines().filter(|line| !line.starts_with("aliases = ")).collect();
    Ok(Some(lines.join("\n") + "\n"))
}

fn write(folder: &Path, code: &str, dir: &Path, begin: Option<&str>) -> std::io::Result<Vec<PathBuf>> {
    let mut name: Vec<char> = code.replace(['_', '-'], " ").chars().collect();
    if let Some(first) = name.first_mut() {
        *first = first.to_ascii_uppercase();
    }
    let name: String = name.into_iter().collect();
    let dir = dir.display().to_string();
    let mut written = Vec::new();
    let skeleton = [
        ("carrier.toml", DEFINITION),
        ("samples/moving.json", SAMPLE),
        ("samples/moving.expect.json", EXPECTATION),
        ("calls/request.json", CALL),
    ];
    let given = begin.map(|text| [("carrier.toml", text)]);
    for (file, text) in given.as_ref().map_or(&skeleton[..], |given| &given[..]) {
        let file = folder.join(file);
        std::fs::create_dir_all(file.parent().unwrap_or(folder))?;
        std::fs::write(&file, text.replace("@CODE@", code).replace("@NAME@", &name).replace("@DIR@", &dir))?;
        written.push(file);
    }
    Ok(written)
}
