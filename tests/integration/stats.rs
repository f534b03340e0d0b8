//! Tests of `publish stats`.

use std::{fmt::Write as _, fs};

use crate::{deb_builder::deb, sandbox::Sandbox};

const APT: &str = "Debian APT-HTTP/1.3 (2.6.1)";

/// A line of nginx.
fn line(client: &str, time: &str, request: &str, status: u16, agent: &str) -> String {
    format!("{client} - - [01/Nov/2026:{time} +0000] \"{request} HTTP/1.1\" {status} 100 \"-\" \"{agent}\"\n")
}

const HELLO: &str = "GET /apt/pool/main/h/hello/hello_1.0_amd64.deb";

#[test]
fn whole_files_are_counted_by_package_version_and_day() {
    let sandbox = Sandbox::new();
    let log = [
        line("192.0.2.1", "10:00:00", HELLO, 200, APT),
        line("192.0.2.1", "10:00:09", HELLO, 200, APT),
        line("192.0.2.2", "10:00:09", HELLO, 200, "curl/8"),
        line("192.0.2.1", "11:00:00", HELLO, 200, APT),
        line("192.0.2.3", "11:00:00", HELLO, 206, APT),
        line("192.0.2.3", "11:00:00", HELLO, 304, APT),
        line("192.0.2.3", "11:00:00", &HELLO.replace("GET", "HEAD"), 200, APT),
        line("192.0.2.3", "11:00:00", HELLO, 404, APT),
        line("192.0.2.3", "11:00:00", "GET /apt/pool/main/g/g++/g%2b%2b_2%7erc1_arm64.deb?x", 200, APT),
        line("192.0.2.3", "11:00:00", "GET /apt/dists/stable/InRelease", 200, APT),
        "not a line of a log\n".to_owned(),
    ]
    .concat();
    fs::write(sandbox.path("access.log"), &log).unwrap();
    let said = sandbox.publish(["stats", "access.log"]).ok();
    assert_eq!(said.stdout, "2026-11-01 g++ 2~rc1 arm64 1 1\n2026-11-01 hello 1.0 amd64 3 2\n");
    said.says([
        "1 line of 11 cannot be read",
        "4 downloads, 3 by apt",
        "1 repeated",
        "1 partial content",
        "1 failed",
    ]);
    // One row for each value of the columns, in the order of the columns.
    let by = |columns: &str| sandbox.publish(["stats", "--by", columns, "access.log"]).ok().stdout;
    assert_eq!(by("package"), "g++ 1 1\nhello 3 2\n");
    assert_eq!(by("architecture,day"), "amd64 2026-11-01 3 2\narm64 2026-11-01 1 1\n");
    sandbox.publish(["stats", "--by", "day,package,day", "access.log"]).fails(2).says(["twice"]);
    let only = ["stats", "--package", "h*", "--by", "version", "access.log"];
    assert_eq!(sandbox.publish(only).ok().stdout, "1.0 3 2\n");
    for (option, day) in [("--since", "2026-11-02"), ("--until", "2026-11-01"), ("--since", "12h")] {
        let said =
            sandbox.publish_with(&[("PUBLISH_DATE", "1796083200")], ["stats", option, day, "access.log"]);
        assert_eq!(said.ok().stdout, "", "{option} {day}");
    }
    // Compressed, in a folder, and from standard input.
    fs::write(sandbox.path("bad.log"), "odd\n").unwrap();
    let mut shell = sandbox.command("sh");
    let publish = env!("CARGO_BIN_EXE_publish");
    let script = format!(
        "mkdir logs; xz -c access.log >logs/1; gzip -c bad.log >logs/2.gz; {publish} stats --by package logs; \
         gzip -c access.log | {publish} stats --by package -"
    );
    shell.args(["-ec", &script]);
    let said = sandbox.run(shell).ok();
    assert_eq!(said.stdout, "g++ 1 1\nhello 3 2\ng++ 1 1\nhello 3 2\n");
}

/// A log that holds no access is an error; one that ends early, or has odd lines, is not.
#[test]
fn a_log_is_read_as_far_as_it_goes() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("bad.log"), "a\nb\n").unwrap();
    sandbox.publish(["stats", "bad.log"]).fails(1).says(["2 lines", "hint: the formats are"]);
    sandbox.publish(["stats", "missing.log"]).fails(1).says(["`missing.log`", "No such file"]);
    sandbox.publish(["stats", "-", "-"]).fails(2).says(["only once"]);
    fs::create_dir(sandbox.path("no-logs")).unwrap();
    sandbox.publish(["stats", "no-logs"]).ok().says(["warning: there is no file in `no-logs`"]);
    fs::write(sandbox.path("empty.log"), "").unwrap();
    assert_eq!(sandbox.publish(["stats", "empty.log"]).ok().stdout, "");
    let mut text = line("192.0.2.1", "10:00:00", HELLO, 200, APT);
    let _ = writeln!(text, "{}", "x".repeat(100_000));
    text += &line("192.0.2.2", "10:00:00", HELLO, 200, APT);
    fs::write(sandbox.path("odd.log"), [text.as_bytes(), b"\xff\xfe\0\x1b]0;x\x07\n"].concat()).unwrap();
    fs::write(sandbox.path("cut.gz"), b"\x1f\x8b\x08\0\0\0").unwrap();
    let said = sandbox.publish(["stats", "--by", "package", "cut.gz", "odd.log"]).ok();
    assert_eq!(said.stdout, "hello 2 2\n");
    said.says(["`cut.gz` cannot be read to its end", "3 lines of 5 cannot be read"]);
}

/// The archive knows what its files are: versions with their epochs.
#[test]
fn packages_are_found_in_the_archive_by_path() {
    let sandbox = Sandbox::new();
    deb("hello").version("2:1.0").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    let path = sandbox.tree().paths_with("pool/").pop().unwrap();
    let request = format!("GET /below/{}", path.replace('%', "%25"));
    fs::write(sandbox.path("access.log"), line("192.0.2.1", "10:00:00", &request, 200, APT)).unwrap();
    let said = sandbox.publish(["stats", "access.log"]).ok();
    assert_eq!(said.stdout, "2026-11-01 hello 2:1.0 amd64 1 1\n");
}
