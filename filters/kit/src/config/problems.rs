//! What is wrong with a configuration, and where.

use std::fmt;

use super::words::one_line;

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Where it is: `rules[2].limits[0].per`. Empty for the whole.
    pub path: String,
    /// What was found and what is expected, on one line.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.text) } else { write!(f, "{}: {}", self.path, self.text) }
    }
}

/// All that is wrong with a configuration, in the order in which it was read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Problems {
    kept: Vec<Problem>,
    left_out: usize,
}

/// How many problems are kept: who has more reads the first ones.
const MOST_PROBLEMS: usize = 50;

impl Problems {
    /// Returns the first fifty problems.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.kept.iter()
    }

    /// Returns how many problems there are, those that are not kept included.
    pub fn count(&self) -> usize {
        self.kept.len().saturating_add(self.left_out)
    }

    /// Returns these problems, or this result if there are none.
    pub(super) fn or<T>(self, read: Option<T>) -> Result<T, Self> {
        match read {
            Some(read) if self.kept.is_empty() => Ok(read),
            None if self.kept.is_empty() => Err(Self::one("the configuration cannot be used".to_owned())),
            Some(_) | None => Err(self),
        }
    }

    pub(super) fn one(text: String) -> Self {
        let mut problems = Self::default();
        problems.add(String::new(), text);
        problems
    }

    pub(super) fn add(&mut self, path: String, text: String) {
        if self.kept.len() < MOST_PROBLEMS {
            self.kept.push(Problem { path, text: one_line(text) });
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
    }

    /// Forgets a problem that another one explains.
    pub(super) fn take_back(&mut self, path: &str, text: &str) {
        self.kept.retain(|problem| problem.path != path || problem.text != text);
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.kept.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        if self.left_out == 0 { Ok(()) } else { write!(f, "\nand {} more", self.left_out) }
    }
}

impl std::error::Error for Problems {}
