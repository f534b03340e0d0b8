//! The command `publish`.

fn main() {}
