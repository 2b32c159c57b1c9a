//! `wismo carriers unmapped`: codes that no table knows, ready to be pasted into one.

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::desk::ReadArgs;
use super::failure::Failure;
use super::{output, words};
use crate::carrier::Registry;
use crate::model::CarrierCode;
use crate::model::time::from_millis;
use crate::store::UnmappedCode;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  wismo carriers unmapped\n  wismo carriers unmapped --carrier laposte\n  wismo carriers unmapped --json | jq '.carriers[].codes[] | {code, count}'\n\nWrite the meaning in the place of the dots; docs/changes.md#substatuses lists the words, and \"note\" is what tells no\nprogress. A code that the definition as it is now knows is left out. An unknown code moves no status."
)]
pub struct UnmappedArgs {
    /// Only this carrier
    #[arg(long, value_name = "CODE")]
    carrier: Option<CarrierCode>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    read: ReadArgs,
}

/// Lists them.
pub async fn run(args: &UnmappedArgs) -> Result<ExitCode, Failure> {
    let desk = args.read.open().await?;
    let registry = Registry::find(desk.carriers_dir.as_deref()).registry;
    let with_some = desk.reader.carriers_with_unmapped().await?;
    let carriers = match &args.carrier {
        Some(name) => vec![known(name, &registry, &with_some)?],
        None => with_some,
    };
    let mut found: Vec<(CarrierCode, Vec<UnmappedCode>)> = Vec::new();
    for carrier in carriers {
        let mut codes = desk.reader.unmapped(&carrier).await?;
        // They are kept for a while; what was mapped since is no question any more.
        let definition = registry.get(carrier.as_str());
        codes.retain(|code| definition.as_ref().is_none_or(|known| !known.knows(&code.code, &code.text)));
        if !codes.is_empty() {
            found.push((carrier, codes));
        }
    }
    if args.json {
        let carriers: Vec<_> = found
            .iter()
            .map(|(carrier, codes)| json!({"carrier": carrier, "codes": codes.iter().map(as_json).collect::<Vec<_>>()}))
            .collect();
        output::json(&json!({"carriers": carriers}));
        return Ok(ExitCode::SUCCESS);
    }
    if found.is_empty() {
        output::line("Every code that carriers sent is known.");
    }
    for (carrier, codes) in &found {
        let written = registry.written(carrier.as_str());
        let file =
            written.map_or_else(|| format!("carriers/{carrier}/carrier.toml"), |written| written.file.to_owned());
        output::line(format!("# {file}"));
        for code in codes {
            output::line(as_toml(code, desk.now));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The carrier of this name; one that is known no more may have left codes behind.
fn known(name: &CarrierCode, registry: &Registry, with_some: &[CarrierCode]) -> Result<CarrierCode, Failure> {
    if let Some(carrier) = registry.get(name.as_str()) {
        return Ok(carrier.code().clone());
    }
    if with_some.contains(name) {
        return Ok(name.clone());
    }
    Err(Failure::usage(registry.unknown(name.as_str())))
}

fn as_json(code: &UnmappedCode) -> serde_json::Value {
    json!({"code": code.code, "text": code.text, "number": code.number, "count": code.count,
        "first": from_millis(code.first), "last": from_millis(code.last)})
}

/// A line of the table `codes.table`, or of `codes.text` where the scans have words only.
fn as_toml(code: &UnmappedCode, now: Timestamp) -> String {
    let text = words::plain(&code.text);
    let seen = format!(
        "{}, last {} on {}",
        output::count(usize::try_from(code.count).unwrap_or(usize::MAX), "scan", "scans"),
        words::ago(now, from_millis(code.last)),
        code.number
    );
    if code.code.is_empty() {
        return format!("{{ contains = [{}], is = \"...\" }},   # {seen}", quoted(&text));
    }
    let bare = code.code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    let key = if bare { code.code.clone() } else { quoted(&words::plain(&code.code)) };
    format!("{key} = \"...\"   # {text} ({seen})")
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
