//! Formulas that select packages, in reprepro's language: `Section (== net), $Version (<< 2.0) | !Depends`.
//!
//! A comma means *and*, `|` means *or* and binds stronger, `!` negates the condition behind it. A condition names a field,
//! and may compare its value: `==`, `!=`, `<<`, `<=`, `>=`, `>>` by bytes, `%` and `!%` with a [`Glob`](crate::glob::Glob). Fields that
//! begin with `$` are properties of the package; `$Version` and `$SourceVersion` are compared as dpkg does.
//!
//! [`Formula::parse_query`] reads the common forms of aptly's queries as well: `Name` is the name of the package,
//! `Priority (required)` compares with `==`, and a word that begins with a small letter and is not the name of a field is
//! a package: `nginx`, `nginx (>= 1.22) {amd64}`, `nginx_1.22-1_amd64`. Where `,` and `|` are mixed, the rule of reprepro applies.

mod parser;
mod tree;

#[cfg(test)]
mod tests;

pub use parser::Error;
pub use tree::Subject;

/// A parsed formula.
#[derive(Debug, Clone)]
pub struct Formula(tree::Node);

impl Formula {
    /// Parses a formula.
    pub fn parse(text: &str) -> Result<Self, Error> {
        parser::parse(text, false).map(Self)
    }

    /// Parses a formula, or a query in the common forms of aptly.
    pub fn parse_query(text: &str) -> Result<Self, Error> {
        parser::parse(text, true).map(Self)
    }

    /// Whether it selects a package.
    #[must_use]
    pub fn selects(&self, subject: &Subject<'_>) -> bool {
        self.0.holds(subject)
    }
}
