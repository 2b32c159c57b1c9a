//! From the text of an expression to its native form, for the part of the language that has one.
//!
//! The grammar is the engine's: ternary, `or`, `and`, `not`, one comparison, `~`, then paths with filters and tests.
//! Whatever is not understood here with certainty (arithmetic, calls, chained comparisons, characters by their number) has no
//! native form, and is left to the engine.

use std::borrow::Cow;

use regex::Regex;

use super::filters::{Filter, TestOf, text_filter};
use super::{Comparison, Texts, Tree, Unsure};
use crate::carrier::expr::engine;

/// The native form, where there is one.
pub fn parse(text: &str) -> Option<Tree> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
    let tree = parser.ternary()?;
    (parser.at == parser.tokens.len()).then_some(tree)
}

/// Deeper nesting is left to the engine.
const MAX_DEPTH: u32 = 40;
const WORDS: &[&str] = &["and", "or", "not", "in", "is", "if", "else"];

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token<'t> {
    Name(&'t str),
    Text(Cow<'t, str>),
    Int(i64),
    Sign(&'t str),
}

fn tokens(text: &str) -> Option<Vec<Token<'_>>> {
    let (mut tokens, mut rest) = (Vec::new(), text.trim_start());
    while let Some(first) = rest.chars().next() {
        let (token, len) = token(rest, first)?;
        tokens.push(token);
        rest = rest[len..].trim_start();
    }
    Some(tokens)
}

fn token(rest: &str, first: char) -> Option<(Token<'_>, usize)> {
    let while_in = |good: fn(char) -> bool| rest.find(|c| !good(c)).unwrap_or(rest.len());
    if first.is_ascii_alphabetic() || first == '_' {
        let len = while_in(|c| c.is_alphanumeric() || c == '_');
        return rest[..len].is_ascii().then(|| (Token::Name(&rest[..len]), len));
    }
    if first.is_ascii_digit() {
        let len = while_in(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
        let digits = &rest[..len];
        // `007`, `1e3`, `1.5`, `1_000` are the engine's.
        let plain = digits.bytes().all(|b| b.is_ascii_digit()) && (len == 1 || first != '0');
        return plain.then(|| digits.parse().ok().map(|n| (Token::Int(n), len)))?;
    }
    if matches!(first, '\'' | '"') {
        let inner = quoted(&rest[1..], first)?;
        return Some((Token::Text(unescape(inner)?), inner.len() + 2));
    }
    let len = ["==", "!=", "<=", ">=", "**", "//"].iter().any(|sign| rest.starts_with(sign));
    let len = if len { 2 } else { first.len_utf8() };
    Some((Token::Sign(&rest[..len]), len))
}

/// What stands before the quote that ends a text.
fn quoted(rest: &str, quote: char) -> Option<&str> {
    let mut escaped = false;
    let end = rest.find(|c: char| {
        let ends = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    Some(&rest[..end?])
}

/// A text without its escapes, as the engine reads them: what is no escape (`\d`) stays as it is. Those that name a
/// character by its number or as a letter are left to the engine.
fn unescape(inner: &str) -> Option<Cow<'_, str>> {
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    let (mut out, mut chars) = (String::with_capacity(inner.len()), inner.chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next()? {
                'b' | 'f' | 'n' | 'r' | 't' | 'u' | 'x' | '0'..='7' => return None,
                plain @ ('"' | '\\' | '/' | '\'') => out.push(plain),
                other => out.extend(['\\', other]),
            },
            c => out.push(c),
        }
    }
    Some(Cow::Owned(out))
}

struct Parser<'t> {
    tokens: Vec<Token<'t>>,
    at: usize,
    depth: u32,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<Token<'t>> {
        self.tokens.get(self.at).cloned()
    }

    fn eat(&mut self, token: Token<'_>) -> bool {
        let found = self.peek() == Some(token);
        self.at += usize::from(found);
        found
    }

    fn sign(&mut self, sign: &str) -> Option<()> {
        self.eat(Token::Sign(sign)).then_some(())
    }

    fn word(&mut self, word: &str) -> bool {
        self.eat(Token::Name(word))
    }

    fn name(&mut self) -> Option<&'t str> {
        let Some(Token::Name(name)) = self.peek() else { return None };
        self.at += 1;
        Some(name)
    }

    fn ternary(&mut self) -> Option<Tree> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let mut tree = self.or()?;
        while self.word("if") {
            let test = self.or()?;
            let otherwise = if self.word("else") { self.ternary()? } else { Tree::Missing };
            tree = Tree::If(Box::new([test, tree, otherwise]));
        }
        self.depth -= 1;
        Some(tree)
    }

    fn or(&mut self) -> Option<Tree> {
        let mut left = self.and()?;
        while self.word("or") {
            left = Tree::Or(Box::new([left, self.and()?]));
        }
        Some(left)
    }

    fn and(&mut self) -> Option<Tree> {
        let mut left = self.not()?;
        while self.word("and") {
            left = Tree::And(Box::new([left, self.not()?]));
        }
        Some(left)
    }

    fn not(&mut self) -> Option<Tree> {
        let mut times = 0;
        while self.word("not") {
            times += 1;
        }
        let tree = self.comparison()?;
        Some((0..times).fold(tree, |tree, _| Tree::Not(Box::new(tree))))
    }

    fn comparison(&mut self) -> Option<Tree> {
        let left = self.concat()?;
        let Some((comparison, negated)) = self.comparator().ok()? else { return Some(left) };
        let right = self.concat()?;
        let texts = if comparison == Comparison::In { Texts::of(&right) } else { None };
        let tree = match texts {
            Some(texts) => Tree::OneOf(texts, Box::new(left)),
            None => Tree::Compare(comparison, Box::new([left, right])),
        };
        // A chain of comparisons means something else.
        let chained = self.comparator().ok()?.is_some();
        (!chained).then(|| if negated { Tree::Not(Box::new(tree)) } else { tree })
    }

    /// The comparison that starts here, and whether it is negated.
    fn comparator(&mut self) -> Result<Option<(Comparison, bool)>, Unsure> {
        let found = match self.peek() {
            Some(Token::Sign("==")) => (Comparison::Equal, false),
            Some(Token::Sign("!=")) => (Comparison::Equal, true),
            Some(Token::Sign("<")) => (Comparison::Less, false),
            Some(Token::Sign("<=")) => (Comparison::AtMost, false),
            Some(Token::Sign(">")) => (Comparison::More, false),
            Some(Token::Sign(">=")) => (Comparison::AtLeast, false),
            Some(Token::Name("in")) => (Comparison::In, false),
            Some(Token::Name("not")) => {
                self.at += 1;
                if self.peek() != Some(Token::Name("in")) {
                    return Err(Unsure);
                }
                (Comparison::In, true)
            }
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(found))
    }

    fn concat(&mut self) -> Option<Tree> {
        let mut left = self.filtered()?;
        while self.sign("~").is_some() {
            left = Tree::Concat(Box::new([left, self.filtered()?]));
        }
        Some(left)
    }

    fn filtered(&mut self) -> Option<Tree> {
        let mut tree = self.primary()?;
        loop {
            if self.sign(".").is_some() {
                tree = Tree::Attr(Box::new(tree), self.name()?.to_owned());
            } else if self.sign("[").is_some() {
                tree = self.subscript(tree)?;
            } else {
                break;
            }
        }
        loop {
            if self.sign("|").is_some() {
                tree = Tree::Filter(self.filter()?, Box::new(tree));
            } else if self.word("is") {
                let negated = self.word("not");
                let defined = match self.name()? {
                    "defined" => true,
                    "undefined" => false,
                    _ => return None,
                };
                tree = Tree::Defined(Box::new(tree));
                if negated == defined {
                    tree = Tree::Not(Box::new(tree));
                }
                // A test may take a value without brackets: not these.
                let ends = match self.peek() {
                    None => true,
                    Some(Token::Sign(sign)) => matches!(sign, ")" | "]" | "," | "}"),
                    Some(Token::Name(word)) => matches!(word, "and" | "or" | "else"),
                    Some(_) => false,
                };
                if !ends {
                    return None;
                }
            } else {
                return Some(tree);
            }
        }
    }

    fn subscript(&mut self, of: Tree) -> Option<Tree> {
        let inner = self.ternary()?;
        self.sign("]")?;
        Some(match (of, inner) {
            (Tree::Words(words), key) => Tree::Pick(words, Box::new(key)),
            (of, Tree::Int(index)) => Tree::At(Box::new(of), index),
            (of, Tree::Text(key)) => Tree::Attr(Box::new(of), key),
            _ => return None,
        })
    }

    fn primary(&mut self) -> Option<Tree> {
        let token = self.peek()?;
        self.at += 1;
        Some(match token {
            Token::Name("true" | "True") => Tree::Bool(true),
            Token::Name("false" | "False") => Tree::Bool(false),
            Token::Name("none" | "None") => Tree::Nothing,
            Token::Name(name) if !WORDS.contains(&name) && !is_function(name) => Tree::Name(name.to_owned()),
            // Two texts side by side are one to the engine.
            Token::Text(_) if matches!(self.peek(), Some(Token::Text(_))) => return None,
            Token::Text(text) => Tree::Text(text.into_owned()),
            Token::Int(n) => Tree::Int(n),
            Token::Sign("-") => match self.peek() {
                Some(Token::Int(n)) => {
                    self.at += 1;
                    // What stands behind it belongs to the number before the minus does.
                    if matches!(self.peek(), Some(Token::Sign("." | "[" | "("))) {
                        return None;
                    }
                    Tree::Int(-n)
                }
                _ => return None,
            },
            Token::Sign("(") => {
                let tree = self.ternary()?;
                self.sign(")")?;
                tree
            }
            Token::Sign("[") => Tree::List(self.list()?),
            Token::Sign("{") => Tree::Words(self.words()?),
            _ => return None,
        })
    }

    fn list(&mut self) -> Option<Vec<Tree>> {
        let mut items = Vec::new();
        while self.sign("]").is_none() {
            if !items.is_empty() {
                self.sign(",")?;
            }
            items.push(self.ternary()?);
        }
        Some(items)
    }

    /// An object of texts, which is only ever looked into; a key that stands twice is left to the engine.
    fn words(&mut self) -> Option<Vec<(String, String)>> {
        let mut words: Vec<(String, String)> = Vec::new();
        while self.sign("}").is_none() {
            if !words.is_empty() {
                self.sign(",")?;
            }
            let (Tree::Text(key), ()) = (self.primary()?, self.sign(":")?) else { return None };
            let Tree::Text(value) = self.primary()? else { return None };
            if words.iter().any(|(known, _)| *known == key) {
                return None;
            }
            words.push((key, value));
        }
        words.sort_unstable();
        Some(words)
    }

    fn filter(&mut self) -> Option<Filter> {
        let name = self.name()?;
        let mut arguments = Vec::new();
        let mut attribute = None;
        if self.sign("(").is_some() {
            while self.sign(")").is_none() {
                if !arguments.is_empty() || attribute.is_some() {
                    self.sign(",")?;
                }
                if name == "map" && self.word("attribute") {
                    self.sign("=")?;
                    attribute = Some(self.ternary()?);
                } else {
                    arguments.push(self.ternary()?);
                }
            }
        }
        if let Some(attribute) = attribute {
            let Tree::Text(path) = attribute else { return None };
            return arguments.is_empty().then(|| attributes(&path).map(Filter::Map))?;
        }
        filter_of(name, arguments)
    }
}

fn is_function(name: &str) -> bool {
    engine::environment().globals().any(|(known, _)| known == name)
}

/// The steps of an attribute path as `map` and `selectattr` take it.
fn attributes(path: &str) -> Option<Vec<String>> {
    let steps: Vec<String> = path.split('.').map(str::to_owned).collect();
    steps.iter().all(|step| !step.is_empty() && step.parse::<usize>().is_err()).then_some(steps)
}

fn filter_of(name: &str, arguments: Vec<Tree>) -> Option<Filter> {
    let mut arguments = arguments.into_iter();
    let all = [arguments.next(), arguments.next(), arguments.next(), arguments.next()];
    Some(match (name, all) {
        ("first", [None, ..]) => Filter::First,
        ("last", [None, ..]) => Filter::Last,
        ("list", [None, ..]) => Filter::List,
        ("string", [None, ..]) => Filter::String,
        ("urlencode", [None, ..]) => Filter::UrlEncode,
        ("flat", [None, ..]) => Filter::Flat,
        ("length" | "count", [None, ..]) => Filter::Length,
        ("select", [None, ..]) => Filter::Keep(Vec::new()),
        ("join", [None, ..]) => Filter::Join(String::new()),
        ("join", [Some(Tree::Text(between)), None, ..]) => Filter::Join(between),
        ("default", [Some(other), None, ..]) => Filter::Default(Box::new(other)),
        ("zfill", [Some(Tree::Int(width)), None, ..]) => {
            Filter::Zfill(usize::try_from(width).ok().filter(|width| *width <= 100)?)
        }
        ("slice", [Some(Tree::Int(from)), None, ..]) => Filter::Slice(from, None),
        ("slice", [Some(Tree::Int(from)), Some(Tree::Int(to)), None, _]) => Filter::Slice(from, Some(to)),
        ("find", [Some(Tree::Text(pattern)), None, ..]) => Filter::Find(Regex::new(&pattern).ok()?),
        ("replace", [Some(Tree::Text(from)), Some(Tree::Text(to)), None, _]) if !from.is_empty() => {
            Filter::Replace(from, to)
        }
        ("selectattr", [Some(Tree::Text(path)), None, ..]) => Filter::Keep(attributes(&path)?),
        ("selectattr" | "rejectattr", [Some(Tree::Text(path)), Some(Tree::Text(test)), Some(other), None]) => {
            let test = match test.as_str() {
                "eq" | "equalto" | "==" => TestOf::Equal(other),
                "in" => Texts::of(&other).map_or(TestOf::In(other), TestOf::OneOf),
                _ => return None,
            };
            Filter::Select { path: attributes(&path)?, test: Box::new(test), passes: name == "selectattr" }
        }
        (name, [None, ..]) => Filter::Text(text_filter(name)?),
        _ => return None,
    })
}
