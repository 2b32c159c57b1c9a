//! What a killed process may not cost.

mod basics;
