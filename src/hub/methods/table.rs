//! The table of methods: what each is called, what it takes, who may call it, what it does.

use super::call::{Call, Outcome};
use super::files::{import, signing};
use super::generic;
use super::{introspection, login, reads, writes};
use crate::format::xmlrpc::Fault;

/// Who may call a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Anybody.
    Nothing,
    /// Who is logged in.
    Login,
    /// Who has a permission, or may do everything.
    Permission(&'static str),
}

/// A method.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// What callers call it.
    pub name: &'static str,
    /// What the hub's Python calls it, which faults about its arguments name.
    pub function: &'static str,
    /// Its parameters, as Koji's `_listapi` has them.
    pub parameters: &'static str,
    /// Who may call it.
    pub needs: Needs,
    /// Whether it changes the hub.
    pub writes: bool,
    /// What it does.
    pub run: fn(&mut Call<'_, '_>) -> Outcome,
}

impl Method {
    /// A method that anybody may call and that changes nothing.
    pub const fn read(
        name: &'static str,
        function: &'static str,
        parameters: &'static str,
        run: fn(&mut Call<'_, '_>) -> Outcome,
    ) -> Self {
        Self { name, function, parameters, needs: Needs::Nothing, writes: false, run }
    }

    /// A method that changes something and takes a permission.
    pub const fn write(
        name: &'static str,
        function: &'static str,
        parameters: &'static str,
        permission: &'static str,
        run: fn(&mut Call<'_, '_>) -> Outcome,
    ) -> Self {
        Self { name, function, parameters, needs: Needs::Permission(permission), writes: true, run }
    }

    /// A method that changes something and takes a login.
    pub const fn change(
        name: &'static str,
        function: &'static str,
        parameters: &'static str,
        run: fn(&mut Call<'_, '_>) -> Outcome,
    ) -> Self {
        Self { name, function, parameters, needs: Needs::Login, writes: true, run }
    }
}

/// All methods.
pub fn all() -> impl Iterator<Item = &'static Method> {
    let own = [login::METHODS, import::METHODS, signing::METHODS, introspection::METHODS];
    own.into_iter().chain(reads::METHODS.iter().copied()).chain(writes::METHODS.iter().copied()).flatten()
}

/// The method of a name.
pub fn find(name: &str) -> Result<&'static Method, Fault> {
    all().find(|method| method.name == name).ok_or_else(|| generic(format!("Invalid method: {name}")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_name_is_one_method() {
        let names: BTreeSet<_> = all().map(|method| method.name).collect();
        assert_eq!(names.len(), all().count());
        assert!(find("getTag").is_ok());
        assert_eq!(find("nosuchmethod").unwrap_err().text, "Invalid method: nosuchmethod");
    }
}
