//! Notes which expressions failed. In the daemon a failed expression just gives nothing; whoever proves a definition
//! wants to know.

use std::cell::RefCell;

use super::ExprProblem;

thread_local! {
    static NOTED: RefCell<Option<Vec<ExprProblem>>> = const { RefCell::new(None) };
}

/// Runs something and gives every failure of an expression that happened in it, each once.
pub fn failures<T>(run: impl FnOnce() -> T) -> (T, Vec<ExprProblem>) {
    NOTED.set(Some(Vec::new()));
    let done = run();
    (done, NOTED.take().unwrap_or_default())
}

pub(super) fn note(problem: &ExprProblem) {
    NOTED.with_borrow_mut(|noted| {
        if let Some(noted) = noted.as_mut().filter(|noted| !noted.contains(problem)) {
            noted.push(problem.clone());
        }
    });
}
