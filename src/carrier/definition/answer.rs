//! The answer side of a definition (placeholder until the answer side lands: CARRIER-B's file replaces this one).

use serde::Deserialize;

/// `[answer]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct AnswerSpec(pub toml::Value);

/// One `[[outcome]]` or `[[item_outcome]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct OutcomeRule(pub toml::Value);

/// `[map]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct MapSpec(pub toml::Value);

/// One `[[codes]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct CodeLookup(pub toml::Value);
