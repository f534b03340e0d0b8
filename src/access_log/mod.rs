//! Access logs of web servers: nginx and Apache (combined or common), Amazon S3, `CloudFront` and others in the extended format
//! of the W3C. A line becomes an [`Access`], and accesses become downloads of packages. Pure: no file is opened here.
//!
//! The formats: <https://nginx.org/en/docs/http/ngx_http_log_module.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html>,
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logs-reference.html>.

mod lines;
mod extended;
mod quoted;
mod downloads;
mod package_file;
mod escapes;
mod times;
mod access;

pub(crate) use downloads::{Column, Count, Downloads, LeftOut, Row};
pub(crate) use lines::{Line, Lines};
pub(crate) use package_file::PackageFile;
pub(crate) use times::start_of_day;
