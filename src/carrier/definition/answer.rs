//! The answer side of a definition (placeholder until the answer side lands: CARRIER-B's file replaces this one).

use serde::Deserialize;

/// `[answer]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct AnswerSpec(pub toml::Table);

/// One `[[outcome]]` or `[[item_outcome]]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct OutcomeRule(pub toml::Table);

/// `[map]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct MapSpec(pub toml::Table);

/// One `[[codes]]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct CodeLookup(pub toml::Table);

/// `[drops]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct DropsSpec(pub toml::Table);
