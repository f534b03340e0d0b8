//! The package that a file of the pool is, by its name.

use super::escapes::decoded;

/// A version of a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PackageFile {
    pub(crate) package: String,
    pub(crate) version: String,
    /// `source` for a source package.
    pub(crate) architecture: String,
}

impl PackageFile {
    /// Parses the name of a file such as `hello_2.10-3_amd64.deb` or `hello_2.10-3.dsc`.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (stem, extension) = name.rsplit_once('.')?;
        let (package, version, architecture) = match extension {
            "deb" | "udeb" | "ddeb" => {
                // An underscore may be part of the name, which comes first.
                let mut parts = stem.rsplitn(3, '_');
                let (architecture, version) = (parts.next()?, parts.next()?);
                (parts.next()?, version, architecture)
            }
            "dsc" => {
                let (package, version) = stem.rsplit_once('_')?;
                (package, version, "source")
            }
            _ => return None,
        };
        let consists = |text: &str, more: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        let fits = consists(package, "+-._") && consists(version, "+-.~:") && consists(architecture, "-");
        fits.then(|| Self {
            package: package.to_owned(),
            version: version.to_owned(),
            architecture: architecture.to_owned(),
        })
    }
}

/// The spellings of a requested path: without host, query and escapes. S3 and `CloudFront` log some of them encoded twice.
pub(super) fn spellings(path: &str) -> [String; 2] {
    let path = match path.split_once("://") {
        Some((_, rest)) if !path.starts_with('/') => rest.find('/').map_or("", |at| &rest[at..]),
        _ => path,
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let once = decoded(path);
    let twice = decoded(&once);
    [once, twice]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_name_packages() {
        let parse =
            |name| PackageFile::parse(name).map(|file| [file.package, file.version, file.architecture]);
        let expect = |package: &str, version: &str, architecture: &str| {
            Some([package, version, architecture].map(ToOwned::to_owned))
        };
        assert_eq!(parse("hello_2.10-3_amd64.deb"), expect("hello", "2.10-3", "amd64"));
        assert_eq!(
            parse("g++_4:12~rc1+b1_kfreebsd-amd64.udeb"),
            expect("g++", "4:12~rc1+b1", "kfreebsd-amd64")
        );
        assert_eq!(parse("my_tool_1.0_all.ddeb"), expect("my_tool", "1.0", "all"));
        assert_eq!(parse("hello_2.10-3.dsc"), expect("hello", "2.10-3", "source"));
        for other in [
            "hello.deb",
            "hello_1.deb",
            "_1_all.deb",
            "a_b c_all.deb",
            "hello_1_all.rpm",
            "Packages",
            ".deb",
            "",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn paths_lose_what_is_no_part_of_the_name() {
        for (path, once, twice) in [
            ("/pool/a%2bb.deb?x=y", "/pool/a+b.deb", "/pool/a+b.deb"),
            ("/pool/a%252bb.deb", "/pool/a%2bb.deb", "/pool/a+b.deb"),
            ("http://example.org/pool/a.deb", "/pool/a.deb", "/pool/a.deb"),
            ("http://example.org", "", ""),
            ("/a://b/c", "/a://b/c", "/a://b/c"),
        ] {
            assert_eq!(spellings(path), [once, twice], "{path}");
        }
    }
}
