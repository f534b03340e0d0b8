//! The archive's page: written by commits in proportion to their change, and used in a real browser.

use std::{fmt::Write as _, fs, path::Path, time::Instant};

use crate::{
    browser::Browser,
    deb_builder::deb,
    sandbox::{Sandbox, age, fixture},
    web::Web,
};

const DAY: u64 = 24 * 60 * 60;

fn config(more: &str) -> String {
    format!(
        "Codename: stable\nComponents: main\nArchitectures: amd64 arm64\nLabel: Example\nDescription: Packages of Example\n{more}\n"
    )
}

/// A signed archive with a page.
fn archive(more: &str) -> Sandbox {
    let sandbox = Sandbox::signed();
    sandbox.configure(&config(&format!("WebPage: yes\n{more}")));
    deb("hello").field("Homepage", "https://example.org/hello").write(sandbox.incoming());
    deb("hello-doc")
        .architecture("all")
        .field("Depends", "hello (>= 1.0) | other, libc6")
        .write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    sandbox
}

fn parts(sandbox: &Sandbox) -> Vec<String> {
    sandbox.tree().paths_with("page/")
}

/// The page and its parts as they are if they are written again, in a copy of the archive.
fn made_anew(sandbox: &Sandbox) -> (String, Vec<String>) {
    let copy = sandbox.path("copy");
    let _ = fs::remove_dir_all(&copy);
    sandbox.ask("cp", ["-a", "archive", "copy"]);
    fs::remove_dir_all(copy.join("page")).unwrap();
    fs::remove_file(copy.join("index.html")).unwrap();
    sandbox.publish(["--archive", "copy", "check", "--repair"]).ok().says(["Repaired index.html"]);
    let mut names: Vec<String> = fs::read_dir(copy.join("page"))
        .unwrap()
        .map(|entry| format!("page/{}", entry.unwrap().file_name().to_str().unwrap()))
        .collect();
    names.sort();
    (fs::read_to_string(copy.join("index.html")).unwrap(), names)
}

#[test]
fn each_commit_brings_the_page_up_to_date_with_few_files() {
    let sandbox = archive("Public-Url: https://packages.example.org");
    for number in 0..300 {
        deb(&format!("lib{number}")).write(sandbox.path("many"));
    }
    sandbox.publish(["add", "many"]).ok();
    let step = |arguments: &[&str]| {
        let before = sandbox.tree();
        sandbox.publish(arguments).ok();
        let old = before.paths_with("page/");
        let new = parts(&sandbox).into_iter().filter(|path| !old.contains(path)).count();
        assert!(new <= 4, "{arguments:?}: {new}");
        let (page, names) = made_anew(&sandbox);
        assert_eq!(sandbox.read("index.html"), page, "{arguments:?}");
        let now = sandbox.tree();
        assert!(names.iter().all(|name| now.has(name)), "{arguments:?}");
    };
    deb("new").version("2.0").write(sandbox.path("one"));
    step(&["add", "one"]);
    deb("hello").version("1.1").architecture("arm64").write(sandbox.path("two"));
    step(&["add", "two"]);
    step(&["remove", "lib77"]);
    step(&["remove", "hello-doc"]);
    step(&["rollback"]);
    step(&["refresh", "--force"]);
    step(&["snapshot", "1.0"]);
    assert!(sandbox.read("index.html").contains("stable/snapshots/1.0"));
    step(&["snapshot", "1.0", "--remove"]);
    assert!(!sandbox.read("index.html").contains("snapshots/1.0"));
}

#[test]
fn several_suites_share_the_page_and_leave_it() {
    let sandbox = archive("");
    let both = format!("{}\n{}", config("WebPage: yes"), config("WebPage: yes").replace("stable", "testing"));
    sandbox.configure(&both);
    sandbox.publish(["add", "incoming", "--suite", "testing"]).ok();
    let shows = |suite: &str| sandbox.read("index.html").contains(&format!("<strong>{suite}</strong>"));
    assert!(shows("stable") && shows("testing"));
    sandbox.publish(["drop", "stable", "--yes"]).ok();
    assert!(!shows("stable") && shows("testing"));
    // Without the field the page is kept up to date; with `no` the suite leaves it, and the last one takes it along.
    sandbox.configure(&config("").replace("stable", "testing"));
    sandbox.publish(["remove", "hello", "--suite", "testing"]).ok();
    assert_eq!(sandbox.read("index.html"), made_anew_with(&sandbox, "testing"));
    sandbox.configure(&config("WebPage: no").replace("stable", "testing"));
    sandbox.publish(["add", "incoming", "--suite", "testing"]).ok();
    assert!(!sandbox.archive("index.html").exists());
    // An archive without a page gets none, unless it is asked for.
    sandbox.configure(&config(""));
    sandbox.publish(["add", "incoming", "--suite", "stable"]).ok();
    assert!(!sandbox.archive("index.html").exists());
}

fn made_anew_with(sandbox: &Sandbox, suite: &str) -> String {
    sandbox.configure(&config("WebPage: yes").replace("stable", suite));
    let (page, _) = made_anew(sandbox);
    sandbox.configure(&config("").replace("stable", suite));
    page
}

#[test]
fn init_gives_a_new_archive_a_page_and_an_existing_one_none() {
    let sandbox = Sandbox::new();
    sandbox.publish(["init", "--unsigned"]).ok();
    assert!(sandbox.read("conf/distributions").contains("WebPage: yes\n"));
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    assert!(sandbox.read("index.html").contains("The archive is not signed."));
    sandbox.publish(["init", "--unsigned", "--suite", "testing"]).ok();
    assert_eq!(sandbox.read("conf/distributions").matches("WebPage: yes\n").count(), 2);
    fs::remove_dir_all(sandbox.archive("conf")).unwrap();
    sandbox.publish(["init", "--unsigned", "--suite", "testing"]).ok();
    assert!(!sandbox.read("conf/distributions").contains("WebPage"));
}

#[test]
fn a_page_of_the_owner_is_left_alone() {
    let sandbox = Sandbox::signed();
    sandbox.configure(&config("WebPage: yes"));
    fs::write(sandbox.archive("index.html"), "<h1>mine</h1>").unwrap();
    deb("hello").write(sandbox.incoming());
    let said = sandbox.publish(["add", "incoming"]).ok();
    said.says(["`index.html` was not written by publish and is left as it is", "WebPage: no"]);
    sandbox.publish(["check", "--repair"]).ok();
    assert_eq!(sandbox.read("index.html"), "<h1>mine</h1>");
    assert_eq!(parts(&sandbox), [""; 0]);
}

#[test]
fn check_finds_lost_parts_and_repairs_them_and_prune_deletes_unused_ones() {
    let sandbox = archive("");
    // Without its list, which parts there are is not known.
    let page = sandbox.read("index.html");
    let list = page.split("\"manifest\":\"").nth(1).unwrap()[..64].to_owned();
    let all: Vec<String> = parts(&sandbox).into_iter().filter(|path| !path.contains(&list)).collect();
    assert!(all.len() >= 2, "{all:?}");
    fs::remove_file(sandbox.archive(&all[0])).unwrap();
    fs::write(sandbox.archive(&all[1]), "damaged").unwrap();
    let found = sandbox.publish(["check"]);
    assert_eq!(found.status, Some(4), "{found}");
    assert!(found.stdout.contains(&all[0]) && found.stdout.contains(&all[1]), "{}", found.stdout);
    // A commit does not build on damaged parts.
    deb("world").write(sandbox.path("one"));
    sandbox.publish(["add", "one"]).ok();
    sandbox.publish(["remove", "world"]).ok();
    sandbox.publish(["check", "--repair"]).ok();
    sandbox.publish(["check"]).ok();
    fs::write(sandbox.archive("index.html"), &sandbox.read("index.html")[..2000]).unwrap();
    sandbox.publish(["check", "--repair"]).ok().says(["Repaired index.html"]);

    let own = "page/mine.gz";
    fs::write(sandbox.archive(own), "mine").unwrap();
    age(&sandbox.archive(""), 30);
    sandbox.publish_after(30 * DAY, &["prune", "--keep-for", "1d", "--keep-generations", "1"]).ok();
    let left = parts(&sandbox);
    assert!(left.contains(&own.to_owned()) && left.len() < all.len() + 3, "{left:?}");
    sandbox.publish(["check"]).ok();
}

#[test]
fn a_sync_brings_the_page_along_for_the_suites_that_it_copies() {
    let sandbox = archive("");
    let both = format!("{}\n{}", config("WebPage: yes"), config("WebPage: yes").replace("stable", "testing"));
    sandbox.configure(&both);
    sandbox.publish(["add", "incoming", "--suite", "testing"]).ok();
    let url = ["--public-url", "https://cdn.example.org/apt"];
    sandbox.publish([&["sync", "./there", "--suite", "stable"], &url[..]].concat()).ok();
    let page = || fs::read_to_string(sandbox.path("there/index.html")).unwrap();
    assert!(page().contains("https://cdn.example.org/apt") && !page().contains("<strong>testing"));
    sandbox.publish(["--archive", "there", "check"]).ok();
    sandbox.publish([&["sync", "./there"], &url[..]].concat()).ok();
    assert!(page().contains("<strong>testing"));
    deb("world").write(sandbox.path("one"));
    sandbox.publish(["add", "one", "--suite", "testing"]).ok();
    sandbox.publish([&["sync", "./there"], &url[..]].concat()).ok();
    let said = sandbox.publish(["--archive", "there", "check"]).ok();
    assert!(!said.stderr.contains("earlier state"), "{}", said.stderr);
}

/// The page and the stanza of a mirror of a part name what it has, and the page has only its packages: when it is widened,
/// when it is narrowed, and when it is repaired.
#[test]
fn the_page_of_a_mirror_of_a_part_names_its_architectures() {
    let sandbox = archive("Public-Url: https://packages.example.org");
    deb("other").architecture("arm64").write(sandbox.path("one"));
    sandbox.publish(["add", "one"]).ok();
    let sync = |architectures: &[&str]| {
        let part = architectures.iter().flat_map(|name| ["--architecture", name]);
        let words = ["sync", "./there", "--public-url", "https://cdn.example.org/apt"];
        sandbox.publish(words.into_iter().chain(part)).ok();
    };
    let files = || {
        ["index.html", "example.sources"]
            .map(|file| fs::read_to_string(sandbox.path("there").join(file)).unwrap())
    };
    let is_made_of_the_mirror = || {
        let page = fs::read_to_string(sandbox.path("there/index.html")).unwrap();
        fs::remove_dir_all(sandbox.path("there/page")).unwrap();
        sandbox.publish(["--archive", "there", "check"]).fails(4);
        sandbox.publish(["--archive", "there", "check", "--repair"]).ok().says(["Repaired index.html"]);
        assert_eq!(fs::read_to_string(sandbox.path("there/index.html")).unwrap(), page);
    };
    let named = |architectures: &str| {
        for text in files() {
            let line = format!("\nArchitectures: {architectures}\n");
            assert_eq!(text.matches("\nArchitectures: ").count(), text.matches(&line).count(), "{text}");
            assert!(text.contains(&line), "{text}");
        }
        sandbox.publish(["--archive", "there", "check"]).ok();
        is_made_of_the_mirror();
    };
    sync(&["amd64"]);
    named("amd64");
    sync(&["amd64", "arm64"]);
    named("amd64 arm64");
    sync(&["arm64"]);
    named("arm64");
    assert!(files()[0].contains("https://cdn.example.org/apt"), "{}", files()[0]);
    // All of it, at last: the stanza leaves nothing out.
    sync(&[]);
    for text in files() {
        assert!(!text.contains("\nArchitectures: "), "{text}");
    }
    sandbox.publish(["--archive", "there", "check"]).ok();
}

#[test]
fn the_preview_shows_the_page() {
    let sandbox = archive("");
    let server = sandbox.serve();
    let part = parts(&sandbox).remove(0);
    for path in ["index.html", &part] {
        let got = sandbox.ask("curl", ["-sf", "-o", "got", &format!("{}/{path}", server.url)]);
        assert_eq!(got, "");
        assert_eq!(
            fs::read(sandbox.path("got")).unwrap(),
            fs::read(sandbox.archive(path)).unwrap(),
            "{path}"
        );
    }
}

/// Shows the page in every width and both themes, and returns the widest overflow.
fn looks(browser: &mut Browser, name: &str) {
    for (width, theme) in [(1100, "light"), (1100, "dark"), (320, "light"), (320, "dark")] {
        browser.shows(width, theme);
        browser.screenshot(&format!("{name}-{width}-{theme}"));
        let wide = browser.value("document.documentElement.scrollWidth");
        assert!(wide.as_u64().unwrap() <= u64::from(width), "{name}: {wide} at {width}");
        let back = browser.text("getComputedStyle(document.body).backgroundColor");
        assert_eq!(back == "rgb(255, 255, 255)", theme == "light", "{name}: {back}");
    }
    browser.shows(1100, "light");
}

#[test]
fn a_browser_searches_and_shows_packages() {
    let sandbox =
        archive("Suite: oldstable\nChangelogs: https://changelogs.example.org/@CHANGEPATH@_changelog");
    let hostile = "</script><script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">{{data}}";
    deb("evil")
        .field("Description", &format!("{hostile}\n {hostile}\n .\n more"))
        .field("Homepage", "javascript:document.title='broken'")
        .field("Maintainer", &format!("{hostile} <a@example.org>"))
        .field("Section", "net")
        .write(sandbox.path("more"));
    deb("libstdc++6").version("1:2.0~rc1-1").field("Source", "gcc-12 (12.2)").write(sandbox.path("more"));
    sandbox.publish(["add", "more"]).ok();
    sandbox.publish(["add", "--phased", "10", "more"]).ok();
    let web = Web::of(sandbox.archive(""));
    let Some(mut browser) = Browser::start(&sandbox) else { return };
    let at = |path: &str| format!("{}/index.html{path}", web.url);
    browser.open(&at(""));
    assert_eq!(browser.text("document.title"), "Example");
    looks(&mut browser, "start");

    // Keyboard only: `/` goes to the search, arrows through what was found, Enter opens it, Escape clears.
    browser.presses("/");
    assert_eq!(browser.text("document.activeElement.id"), "query");
    browser.types("hel");
    browser.until("document.querySelectorAll('#found a').length === 2");
    assert_eq!(browser.text("document.getElementById('status').textContent"), "2 packages");
    browser.presses("ArrowDown");
    browser.presses("ArrowDown");
    assert!(browser.text("document.activeElement.textContent").starts_with("hello-doc stable 1.0"));
    browser.presses("ArrowUp");
    browser.presses("ArrowUp");
    browser.presses("Escape");
    assert_eq!(browser.text("document.getElementById('query').value"), "");
    browser.types("doc hel");
    browser.until("document.querySelectorAll('#found a').length === 1");
    browser.screenshot("search");
    browser.presses("Enter");
    browser.until("location.hash === '#package=hello-doc' && document.querySelector('article') !== null");
    assert_eq!(browser.text("document.activeElement.textContent"), "hello-doc");
    let article = browser.text("document.querySelector('article').innerText");
    for part in ["hello (>= 1.0) | other, libc6", "all (in amd64, arm64)", "sudo apt install hello-doc=1.0"] {
        assert!(article.contains(part), "{part}: {article}");
    }
    // A dependency is a link.
    browser.value("[...document.querySelectorAll('dd a')].find((a) => a.textContent === 'hello').click()");
    browser.until(
        "document.querySelector('h2').textContent === 'hello' && document.querySelector('article') !== null",
    );
    let links =
        browser.text("[...document.querySelectorAll('dd a')].map((a) => a.getAttribute('href')).join(' ')");
    for link in [
        "https://example.org/hello",
        "pool/main/h/hello/hello_1.0_amd64.deb",
        "/main/h/hello/hello_1.0_changelog",
    ] {
        assert!(links.contains(link), "{link}: {links}");
    }
    let status = browser
        .value("fetch(document.querySelector('dd a[href^=pool]').href).then((answer) => answer.status)");
    assert_eq!(status, 200);
    looks(&mut browser, "package");

    // Copy.
    browser.value("document.querySelector('article .code button').click()");
    browser.until("document.querySelector('article .code button').textContent === 'Copied'");
    assert_eq!(browser.text("navigator.clipboard.readText()"), "sudo apt install hello=1.0\n");

    // A package that tries to break out, and one whose name and version need escapes.
    browser.open(&at("#package=evil"));
    browser.until("document.querySelector('article') !== null");
    assert_eq!(browser.text("document.title"), "evil - Example");
    assert!(browser.text("document.querySelector('article').innerText").contains(hostile));
    assert_eq!(
        browser.value("document.querySelectorAll('main img, main script, a[href^=javascript]').length"),
        0
    );
    browser.screenshot("hostile");
    browser.open(&at("#package=libstdc%2B%2B6"));
    browser.until("document.querySelector('article') !== null");
    let article = browser.text("document.querySelector('article').innerText");
    assert!(article.contains("to 10 % of machines") && article.contains("1:2.0~rc1-1"), "{article}");
    let link = "document.querySelector('dd a[href^=pool]').href";
    assert_eq!(browser.value(&format!("fetch({link}).then((answer) => answer.status)")), 200);
    browser.open(&at("#package=nothing"));
    browser.until("document.getElementById('package').textContent.includes('No suite of this archive')");

    // The instructions are for the address of the page, and the suites of the table.
    browser.open(&at(""));
    let commands = browser.text("document.getElementById('commands').textContent");
    let script = sandbox.publish(["--archive", &web.url, "client"]).ok().stdout;
    assert!(script.contains(&format!("URIs: {}\nSuites: stable\nComponents: main\n", web.url)), "{script}");
    assert!(
        commands.contains(&format!("URIs: {}\nSuites: stable\nComponents: main\n", web.url)),
        "{commands}"
    );

    assert_eq!(browser.errors, [""; 0]);
    let foreign: Vec<&String> =
        browser.requests.iter().filter(|url| !url.starts_with(&web.url) && *url != "about:blank").collect();
    assert_eq!(foreign, [""; 0].iter().collect::<Vec<_>>());
    assert!(!browser.requests.iter().any(|url| url.contains("/dists/")), "no index is fetched");

    // Without scripts it is readable.
    browser.scripts(false);
    browser.open(&at(""));
    browser.shows(1100, "light");
    browser.screenshot("no-scripts");
}

/// The lines of stanzas, without the keys in them.
fn lines_of(text: &str, fields: &[&str]) -> Vec<String> {
    let is_of = |line: &&str| fields.iter().any(|field| line.starts_with(&format!("{field}:")));
    text.lines().filter(is_of).map(ToOwned::to_owned).collect()
}

#[test]
fn each_suite_is_installed_as_publish_client_says() {
    let sandbox = Sandbox::new();
    let key = format!("SignWith: {}\n", fixture("keys/test.asc").display());
    let suite = |name: &str, components: &str, more: &str| {
        format!(
            "Codename: {name}\nComponents: {components}\nArchitectures: amd64\nLabel: Example\nWebPage: yes\n\
             Public-Url: https://packages.example.org/apt\n{more}\n"
        )
    };
    sandbox.configure(&format!(
        "{}\n{}",
        suite("alpha", "main", "SignWith: no\n"),
        suite("beta", "main contrib", &key).replace("amd64", "amd64 source")
    ));
    deb("hello").write(sandbox.incoming());
    for name in ["alpha", "beta"] {
        sandbox.publish(["add", "incoming", "--suite", name]).ok();
    }
    let source = crate::source_builder::source("world").write(sandbox.path("sources"));
    sandbox.publish(["add", source.to_str().unwrap(), "--suite", "beta"]).ok();
    let fields = ["Types", "URIs", "Suites", "Components", "Trusted", "Signed-By"];
    let commands = |name: &str| {
        let page = sandbox.read("index.html");
        let (_, text) = page.split_once(&format!("<div data-suite=\"{name}\">")).unwrap();
        text.split_once("</pre>").unwrap().0.to_owned()
    };
    for name in ["alpha", "beta"] {
        let client = sandbox.publish(["client", name]).ok().stdout;
        assert_eq!(lines_of(&commands(name), &fields), lines_of(&client, &fields));
    }
    assert!(commands("alpha").contains("Trusted: yes") && !commands("alpha").contains("archive-key"));
    let beta = commands("beta");
    for part in ["Types: deb deb-src", "Components: main contrib", "Signed-By: /etc/apt/keyrings/example.asc"]
    {
        assert!(beta.contains(part), "{part}: {beta}");
    }
    assert!(beta.contains("https://packages.example.org/apt/archive-key.asc"), "{beta}");

    let web = Web::of(sandbox.archive(""));
    let Some(mut browser) = Browser::start(&sandbox) else { return };
    browser.open(&format!("{}/index.html", web.url));
    let shown = "document.getElementById('commands').innerText";
    assert!(browser.text(shown).contains("Suites: alpha") && !browser.text(shown).contains("Signed-By"));
    browser.value(
        "(() => { const choice = document.getElementById('suite'); choice.value = 'beta';\
         choice.dispatchEvent(new Event('change')); })()",
    );
    let beta = browser.text(shown);
    assert!(beta.contains("Suites: beta") && beta.contains("Signed-By"), "{beta}");
    assert!(!beta.contains("alpha") && !beta.contains("Trusted"), "{beta}");
    looks(&mut browser, "install");
    // Without scripts every suite has its own commands.
    browser.scripts(false);
    browser.open(&format!("{}/index.html", web.url));
    browser.screenshot("install-no-scripts");
    browser.scripts(true);
    assert_eq!(browser.errors, [""; 0]);
}

#[test]
fn a_package_that_is_opened_while_another_loads_is_shown_alone() {
    let sandbox = archive("");
    let web = Web::of(sandbox.archive(""));
    let Some(mut browser) = Browser::start(&sandbox) else { return };
    browser.open(&format!("{}/index.html", web.url));
    browser.value(
        "(async () => { const real = fetch; window.fetch = async (...given) => {\
         await new Promise((done) => setTimeout(done, 300)); return real(...given); };\
         location.hash = '#package=hello'; await new Promise((done) => setTimeout(done, 100));\
         location.hash = '#package=hello-doc'; await new Promise((done) => setTimeout(done, 2500)); })()",
    );
    browser.until("document.querySelector('article') !== null");
    assert_eq!(browser.text("document.querySelector('h2').textContent"), "hello-doc");
    assert_eq!(browser.value("document.querySelectorAll('article').length"), 1);

    // The first link of the page keeps the package.
    browser.value("document.querySelector('.skip').focus()");
    browser.presses("Enter");
    browser.until("document.activeElement.id === 'main'");
    assert_eq!(browser.value("document.getElementById('package').hidden"), false);
    assert_eq!(browser.text("location.hash"), "#package=hello-doc");

    // A link that was cut replaces the package too.
    browser.value("location.hash = '#package=%E0'");
    browser.until("document.getElementById('package').textContent.includes('No suite of this archive')");
    assert_eq!(browser.text("document.querySelector('h2').textContent"), "%E0");
    assert_eq!(browser.value("document.querySelectorAll('article').length"), 0);
    assert_eq!(browser.errors, [""; 0]);
}

/// The picture of the README is one of this archive, made by
/// `PUBLISH_TEST_SCREENSHOTS=.github tests/run --test integration -- picture_in_the_readme`.
#[test]
fn the_picture_in_the_readme_is_of_the_page() {
    let sandbox = Sandbox::signed();
    let suite = |name: &str| {
        format!(
            "Codename: {name}\nComponents: main contrib\nArchitectures: amd64 arm64\nLabel: Harbour\nDescription: Harbour, a \
             time series database: server, agent and client libraries\nPublic-Url: https://packages.example.org/apt\nWebPage: yes\n"
        )
    };
    sandbox.configure(&format!("{}\n{}", suite("stable"), suite("testing")));
    let packages = [
        ("harbour-server", "amd64", "database server with its own storage engine"),
        ("harbour-server", "arm64", "database server with its own storage engine"),
        ("harbour-agent", "amd64", "collects the metrics of a machine"),
        ("harbour-agent", "arm64", "collects the metrics of a machine"),
        ("harbour-client", "amd64", "command line client with a query shell"),
        ("harbour-doc", "all", "manual and reference in HTML"),
        ("libharbour2", "amd64", "client library in C"),
        ("libharbour-dev", "amd64", "headers of the client library"),
        ("python3-harbour", "all", "client library for Python 3"),
        ("grafana-harbour", "all", "data source for dashboards"),
    ];
    for (version, folder) in [("2.4.1-1", "stable"), ("2.5.0~rc1-1", "testing")] {
        for (name, architecture, description) in packages {
            let package = deb(name).version(version).architecture(architecture).source("harbour");
            package.field("Description", description).write(sandbox.path(folder));
        }
        sandbox.publish(["add", folder, "--suite", folder]).ok();
    }
    let web = Web::of(sandbox.archive(""));
    let Some(mut browser) = Browser::start(&sandbox) else { return };
    browser.open(&format!("{}/index.html", web.url));
    browser.shows(1000, "light");
    browser.value("document.getElementById('query').focus()");
    browser.types("lib");
    browser.until("document.querySelectorAll('#found a').length === 3");
    // Without the key, which is one of the fixtures.
    browser.screenshot_of_top("page", 1000, 1040);
    assert_eq!(browser.errors, [""; 0]);

    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(fs::read_to_string(root.join("README.md")).unwrap().contains("](.github/page.png)"));
    assert!(fs::metadata(root.join(".github/page.png")).unwrap().len() < 150_000);
}

#[test]
fn a_search_in_sixty_thousand_packages_answers_while_one_types() {
    let sandbox = Sandbox::new();
    let mut index = String::new();
    for number in 0..60_000 {
        let _ = write!(
            index,
            "Package: package-{number}\nVersion: 1.{number}\nArchitecture: amd64\nMaintainer: Example <a@example.org>\nFilename: pool/p_{number}.deb\nSize: 1\nSHA256: {number:064}\nDescription: does thing number {number} well\n\n"
        );
    }
    sandbox.adopt_index(&index);
    sandbox
        .configure("Codename: stable\nComponents: main\nArchitectures: amd64\nWebPage: yes\nSignWith: no\n");
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    assert!(sandbox.read("index.html").contains("<td data-label=\"Packages\">60001</td>"));
    let before = parts(&sandbox);
    deb("hello").version("2.0").write(sandbox.path("two"));
    let start = Instant::now();
    sandbox.publish(["add", "two"]).ok();
    let new: Vec<String> = parts(&sandbox).into_iter().filter(|path| !before.contains(path)).collect();
    assert_eq!(
        new.len(),
        3,
        "one part of packages, one for the search, the list: {new:?} in {:?}",
        start.elapsed()
    );

    let web = Web::of(sandbox.archive(""));
    let Some(mut browser) = Browser::start(&sandbox) else { return };
    browser.open(&format!("{}/index.html", web.url));
    browser.value("document.getElementById('query').focus()");
    browser.types("package-59");
    browser.until("document.querySelectorAll('#found a').length === 100");
    assert!(browser.text("document.getElementById('status').textContent").contains("1111 packages"));
    let slowest = browser.value(
        "(async () => { let most = 0; for (const text of ['p', 'thing', 'number 4', '77', 'nothing at all', 'package-1']) {\
         const start = performance.now(); const input = document.getElementById('query'); input.value = text;\
         input.dispatchEvent(new Event('input')); await new Promise((done) => setTimeout(done));\
         most = Math.max(most, performance.now() - start); } return most; })()",
    );
    assert!(slowest.as_f64().unwrap() < 500.0, "{slowest} ms");
    assert_eq!(browser.errors, [""; 0]);
}
