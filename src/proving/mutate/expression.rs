//! Paths and literals in an expression: enough of its grammar to alter one of them at a time.

use std::ops::Range;

/// Words of the language that are no paths.
const WORDS: &[&str] =
    &["and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None", "for"];
/// Arguments of filters that name an operator.
const OPERATORS: &[&str] = &["eq", "ne", "in", "lt", "le", "gt", "ge", "equalto", "startingwith", "containing"];

/// A part of an expression that can be altered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A path or the steps after a bracket: where it stands, and where its last name ends.
    Path(Range<usize>, usize),
    /// A text between quotes: where its inside stands.
    Text(Range<usize>),
    /// A number that something is compared with, and what it could be instead.
    Number(Range<usize>, i64),
}

impl Part {
    /// The expression with this part altered: a path leads nowhere, a text and a number are others.
    pub fn altered(&self, text: &str) -> String {
        match self {
            Self::Path(_, end) => format!("{}_zz{}", &text[..*end], &text[*end..]),
            Self::Text(at) => format!("{}~zz{}", &text[..at.end], &text[at.end..]),
            Self::Number(at, other) => format!("{}{other}{}", &text[..at.start], &text[at.end..]),
        }
    }

    /// The expression with this path giving nothing, where a name that is not declared would be refused.
    pub fn emptied(&self, text: &str) -> Option<String> {
        match self {
            Self::Path(at, _) if !text[..at.start].trim_end().ends_with([')', ']', '}']) => {
                Some(format!("{}''{}", &text[..at.start], &text[at.end..]))
            }
            _ => None,
        }
    }
}

/// The parts of an expression that can be altered.
pub fn parts(text: &str) -> Vec<Part> {
    let mut reader = Reader { text, at: 0, parts: Vec::new() };
    while reader.at < text.len() {
        reader.step();
    }
    reader.parts
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    parts: Vec<Part>,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn before(&self, at: usize) -> &str {
        self.text[..at].trim_end()
    }

    fn step(&mut self) {
        let Some(c) = self.rest().chars().next() else { return };
        let after_value = c == '.' && self.before(self.at).ends_with([')', ']', '}']);
        if c == '\'' || c == '"' {
            self.quoted(c);
        } else if c.is_alphabetic() || c == '_' || after_value {
            self.name();
        } else if c.is_ascii_digit() {
            self.number();
        } else {
            self.at += c.len_utf8();
        }
    }

    fn quoted(&mut self, quote: char) {
        let start = self.at + 1;
        let mut end = start;
        let mut escaped = false;
        for c in self.text[start..].chars() {
            if c == quote && !escaped {
                break;
            }
            escaped = c == '\\' && !escaped;
            end += c.len_utf8();
        }
        self.at = (end + 1).min(self.text.len());
        // An empty text stands for nothing: what it would be else is no less nothing.
        if start < end && !OPERATORS.contains(&&self.text[start..end]) {
            self.parts.push(Part::Text(start..end));
        }
    }

    /// A name with the steps after it: `a.b[0]['c-d'].e`.
    fn name(&mut self) {
        let start = self.at;
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let mut end = start;
        let mut named = start;
        loop {
            let rest = &self.text[end..];
            let dot = usize::from(rest.starts_with('.'));
            let name = rest[dot..].find(|c| !word(c)).unwrap_or(rest.len() - dot);
            if name > 0 && (dot == 1 || end == start) {
                // A method is no step of the path.
                if dot == 1 && rest[dot + name..].starts_with('(') {
                    end += dot + name;
                    break;
                }
                end += dot + name;
                named = end;
            } else if let Some(step) = bracket(rest) {
                let quoted = rest[1..].starts_with(['\'', '"']);
                named = if quoted { end + step - 2 } else { named };
                end += step;
            } else {
                break;
            }
        }
        self.at = end.max(start + 1);
        let (before, after) = (self.before(start), self.text[end..].trim_start());
        let filter = before.ends_with('|');
        let test = [" is", " is not"].iter().any(|word| before.ends_with(word));
        let argument = after.starts_with('=') && !after.starts_with("==");
        let function = self.text[start..end].chars().all(word) && after.starts_with('(');
        if named > start && !filter && !test && !argument && !function && !WORDS.contains(&&self.text[start..end]) {
            self.parts.push(Part::Path(start..end, named));
        }
    }

    /// Numbers count where something is compared with them: bounds are moved so that they shut out what they let in.
    fn number(&mut self) {
        let start = self.at;
        let length = self.rest().find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest().len());
        self.at += length;
        let before = self.before(start);
        let Ok(number) = self.text[start..self.at].parse::<i64>() else { return };
        let other = if before.ends_with("<=") || before.ends_with('<') {
            -1 - number
        } else if [">", ">=", "==", "!="].iter().any(|operator| before.ends_with(operator)) || self.in_list(start) {
            number + 100_000
        } else {
            return;
        };
        self.parts.push(Part::Number(start..self.at, other));
    }

    /// `x in [1, 2]`.
    fn in_list(&self, at: usize) -> bool {
        let before = &self.text[..at];
        let open = before.rfind('[').filter(|open| !before[*open..].contains(']'));
        open.is_some_and(|open| before[..open].trim_end().ends_with(" in"))
    }
}

/// The length of `[0]` or `['x']` at the start.
fn bracket(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('[')?;
    let end = match inside.chars().next()? {
        quote @ ('\'' | '"') => inside[1..].find(quote)? + 2,
        _ => inside.find(|c: char| !c.is_ascii_digit() && c != '-').filter(|end| *end > 0)?,
    };
    inside[end..].starts_with(']').then_some(end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn altered(text: &str) -> Vec<String> {
        parts(text).iter().map(|part| part.altered(text)).collect()
    }

    #[test]
    fn each_path_and_each_literal_is_altered() {
        assert_eq!(altered("a.b[0].c"), ["a.b[0].c_zz"]);
        assert_eq!(altered("e['x-y']"), ["e['x-y_zz']"]);
        assert_eq!(altered("errors[0]"), ["errors_zz[0]"]);
        assert_eq!(
            altered("p.a in [104, 105]"),
            ["p.a_zz in [104, 105]", "p.a in [100104, 105]", "p.a in [104, 100105]"]
        );
        assert_eq!(altered("x >= 500 and x <= 599").len(), 4);
        assert!(altered("x <= 599").contains(&"x <= -600".to_owned()));
        assert_eq!(
            altered("(p.d | selectattr('type', 'eq', 'SDD') | first).date"),
            [
                "(p.d_zz | selectattr('type', 'eq', 'SDD') | first).date",
                "(p.d | selectattr('type~zz', 'eq', 'SDD') | first).date",
                "(p.d | selectattr('type', 'eq', 'SDD~zz') | first).date",
                "(p.d | selectattr('type', 'eq', 'SDD') | first).date_zz",
            ]
        );
        assert_eq!(altered("root.l | map(attribute='t') | list | slice(0, 10)").len(), 2);
        assert_eq!(
            altered("x is defined and not y is not string"),
            ["x_zz is defined and not y is not string", "x is defined and not y_zz is not string"]
        );
        assert_eq!(
            altered("a.get('b') if range(3) else none"),
            ["a_zz.get('b') if range(3) else none", "a.get('b~zz') if range(3) else none"]
        );
        assert_eq!(altered("{'1': 'A'}[p.h]"), ["{'1~zz': 'A'}[p.h]", "{'1': 'A~zz'}[p.h]", "{'1': 'A'}[p.h_zz]"]);
    }

    #[test]
    fn a_path_can_be_emptied() {
        let text = "credentials.a ~ number | md5";
        let emptied: Vec<String> = parts(text).iter().filter_map(|part| part.emptied(text)).collect();
        assert_eq!(emptied, ["'' ~ number | md5", "credentials.a ~ '' | md5"]);
    }
}
