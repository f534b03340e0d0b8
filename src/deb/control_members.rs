//! The rules of dpkg for files beside `control`: it never unpacks a package that breaks them (deb-conffiles(5),
//! deb-triggers(5)).

use super::control_fault::ControlFault;

/// The directives of `triggers`.
const DIRECTIVES: [&str; 6] =
    ["interest", "interest-await", "interest-noawait", "activate", "activate-await", "activate-noawait"];

type Rule = fn(&[u8]) -> Result<(), ControlFault>;

/// Returns the rule for a file; `None` if dpkg does not read it when it unpacks a package.
pub(super) fn rule_of(name: &[u8]) -> Option<Rule> {
    match name {
        b"conffiles" => Some(check_conffiles),
        b"triggers" => Some(check_triggers),
        _ => None,
    }
}

fn check_conffiles(text: &[u8]) -> Result<(), ControlFault> {
    for (at, line) in text.split_inclusive(|&b| b == b'\n').enumerate() {
        let bad = |why| Err(ControlFault::Conffiles { line: at + 1, why });
        if !line.ends_with(b"\n") {
            return bad("the line has no newline");
        }
        let line = line.trim_ascii_end();
        let path = line.strip_prefix(b"remove-on-upgrade ").map_or(line, <[u8]>::trim_ascii_start);
        if !line.is_empty() && !path.starts_with(b"/") {
            return bad("expected an absolute path, and before it at most `remove-on-upgrade`");
        }
    }
    Ok(())
}

fn check_triggers(text: &[u8]) -> Result<(), ControlFault> {
    for (at, line) in text.split_inclusive(|&b| b == b'\n').enumerate() {
        let bad = |why| Err(ControlFault::Triggers { line: at + 1, why });
        if !line.ends_with(b"\n") {
            return bad("the line has no newline");
        }
        let line = line.split(|&b| b == b'#').next().unwrap_or_default().trim_ascii();
        if line.is_empty() {
            continue;
        }
        let Some(blank) = line.iter().position(u8::is_ascii_whitespace) else {
            return bad("the name of a trigger is missing");
        };
        let (directive, name) = (&line[..blank], line[blank..].trim_ascii_start());
        if !DIRECTIVES.iter().any(|known| known.as_bytes() == directive) {
            return bad("the directive is unknown");
        }
        // A path may contain blanks; the name of a trigger may not.
        if !name.starts_with(b"/") && !name.iter().all(u8::is_ascii_graphic) {
            return bad("the name of a trigger has a blank or a character that is not ASCII");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_stop_dpkg_are_refused_with_the_line() {
        for (name, text, says) in [
            ("conffiles", "/etc/a\n\n/etc/b \nremove-on-upgrade /etc/c\n", ""),
            ("conffiles", "/etc/a\netc/b\n", "line 2"),
            ("conffiles", "/etc/a", "newline"),
            ("conffiles", "bogus /etc/a\n", "absolute"),
            ("triggers", "# x\n\ninterest-noawait /usr/share/a b\nactivate ldconfig # y\n", ""),
            ("triggers", "interest\n", "missing"),
            ("triggers", "bogus x\n", "unknown"),
            ("triggers", "activate ldconfig", "newline"),
            ("triggers", "interest a b\n", "blank"),
        ] {
            let found = rule_of(name.as_bytes()).unwrap()(text.as_bytes());
            let found = found.map_or_else(|fault| fault.to_string(), |()| String::new());
            assert!(if says.is_empty() { found.is_empty() } else { found.contains(says) }, "{text}: {found}");
        }
        assert!(rule_of(b"postinst").is_none());
    }
}
