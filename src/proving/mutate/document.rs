//! Places in a TOML document, and changes of it.

use std::fmt;

use toml::{Table, Value};

/// A place in a document: keys and indexes from the top.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

impl Place {
    /// The place of dotted keys from the top.
    pub fn of(path: &str) -> Self {
        Self(path.split('.').map(|key| Step::Key(key.to_owned())).collect())
    }

    /// The place of a key in what stands here.
    pub fn key(&self, key: &str) -> Self {
        self.and(Step::Key(key.to_owned()))
    }

    /// The place of an item of what stands here.
    pub fn at(&self, index: usize) -> Self {
        self.and(Step::Index(index))
    }

    /// The text that stands here.
    pub fn text_in<'d>(&self, document: &'d Table) -> Option<&'d str> {
        let mut steps = self.0.iter();
        let Step::Key(first) = steps.next()? else { return None };
        let found = steps.try_fold(document.get(first)?, |value, step| match step {
            Step::Key(key) => value.get(key.as_str()),
            Step::Index(index) => value.get(*index),
        });
        found?.as_str()
    }

    fn and(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if at == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// What is done at a place.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Another value stands there.
    Set(Value),
    /// Its key is another one.
    Rename(String),
    /// It is taken away.
    Remove,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(value) => write!(f, "= {value}"),
            Self::Rename(name) => write!(f, "renamed to {name}"),
            Self::Remove => f.write_str("taken away"),
        }
    }
}

/// What stands at a dotted path.
pub fn get<'d>(document: &'d Table, path: &str) -> Option<&'d Value> {
    let mut keys = path.split('.');
    let first = document.get(keys.next()?)?;
    keys.try_fold(first, |value, key| value.get(key))
}

/// The document with one change; nothing where the place is not there.
pub fn changed(document: &Table, place: &Place, change: &Change) -> Option<Table> {
    let mut whole = Value::Table(document.clone());
    let (last, parents) = place.0.split_last()?;
    let mut at = &mut whole;
    for step in parents {
        at = match step {
            Step::Key(key) => at.get_mut(key.as_str())?,
            Step::Index(index) => at.get_mut(*index)?,
        };
    }
    match (last, change, at) {
        (Step::Key(key), Change::Set(value), Value::Table(table)) => drop(table.insert(key.clone(), value.clone())),
        (Step::Key(key), Change::Remove, Value::Table(table)) => drop(table.remove(key)?),
        (Step::Key(key), Change::Rename(name), Value::Table(table)) => {
            let value = table.remove(key)?;
            table.insert(name.clone(), value);
        }
        (Step::Index(index), Change::Set(value), Value::Array(items)) => *items.get_mut(*index)? = value.clone(),
        (Step::Index(index), Change::Remove, Value::Array(items)) if *index < items.len() => drop(items.remove(*index)),
        _ => return None,
    }
    match whole {
        Value::Table(table) => Some(table),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_made_where_it_is_meant() {
        let document: Table = toml::from_str("a.b = [{c = 1}, {c = 2}]\nd = 'x'").unwrap();
        let place = Place::of("a.b").at(1).key("c");
        assert_eq!(place.to_string(), "a.b[1].c");
        let set = changed(&document, &place, &Change::Set(9.into())).unwrap();
        assert_eq!(set["a"]["b"][1]["c"], Value::from(9));
        let renamed = changed(&document, &Place::of("d"), &Change::Rename("e".into())).unwrap();
        assert!(renamed.contains_key("e") && !renamed.contains_key("d"));
        let removed = changed(&document, &Place::of("a.b").at(0), &Change::Remove).unwrap();
        assert_eq!(removed["a"]["b"].as_array().unwrap().len(), 1);
        assert_eq!(changed(&document, &Place::of("a.z").at(0), &Change::Remove), None);
    }
}
