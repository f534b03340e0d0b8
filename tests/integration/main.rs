//! The program as its users see it: the real binary, real packages, and real apt as the test oracle.
//!
//! [`sandbox`] runs `publish` in an isolated environment, [`deb_builder`] builds the packages, [`apt_client`] is a
//! Debian 12 and a Debian 13 that use the archive, [`web`] is the smallest web server that apt accepts, [`servers`] are
//! the real stores that `tests/run` started, with a new bucket for each test, and a CDN in front of them, [`faults`] is
//! a store whose n-th write fails, waits or kills, [`publisher`] publishes there, and [`auditor`] is a client that
//! checks that an archive keeps all files it ever published. Each other file tests one command or one guarantee.
//!
//! A test whose client is missing reports it with [`sandbox::skipped`], which fails the test in CI. With
//! `PUBLISH_TEST_KEEP` set, the folder of a failed test is kept and printed.

#![expect(
    clippy::unwrap_used,
    reason = "clippy allows it in `#[test]` functions alone; the helpers are tests too"
)]

mod add;
mod adopt;
mod apt_client;
mod attach;
mod auditor;
mod bad_input;
mod bounds;
mod browser;
mod bucket_errors;
mod buckets;
mod cache;
mod check;
mod check_caches;
mod check_origin;
mod check_web;
mod ci_keys;
mod client;
mod clients;
mod completions;
mod composition;
mod config;
mod connections;
mod contents;
mod contents_names;
mod copies;
mod copy;
mod copy_races;
mod pull;
mod crash;
mod crash_steps;
mod damage;
mod deb_builder;
mod determinism;
mod diff;
mod doctor;
mod double;
mod drop_races;
mod export;
mod exit_status;
mod faults;
mod foreign;
mod gcs_logins;
mod guide;
mod harness;
mod help;
mod history;
mod hostile_sources;
mod hostile_text;
mod house;
mod import;
mod init;
mod json;
mod key_package;
mod key_rotate;
mod large;
mod list;
mod log;
mod model;
mod model_patches;
mod model_scenarios;
mod odd_names;
mod overrides;
mod package_rules;
mod page;
mod patches;
mod patches_derived;
mod patches_hostile;
mod patches_mirrors;
mod package_types;
mod phased;
mod pipelines;
mod preview;
mod prune;
mod prune_links;
mod prune_unlisted;
mod publish_buckets;
mod publisher;
mod purge;
mod races;
mod readers;
mod refresh;
mod release;
mod remove;
mod repair;
mod replace;
mod reprepro;
mod reprepro_incoming;
mod reprepro_indices;
mod reprepro_log;
mod reprepro_lost;
mod reprepro_pair;
mod reprepro_prefix;
mod reprepro_rules;
mod reprepro_signing;
mod reprepro_status;
mod reprepro_suites;
mod reprepro_uploads;
mod reprepro_versions;
mod resume;
mod retention;
mod rollback;
mod s3_checksums;
mod sandbox;
mod secrets;
mod serve;
mod servers;
mod show;
mod signals;
mod signing;
mod snapshot;
mod soak;
mod source_builder;
mod sources;
mod stats;
mod store_contract;
mod suite_links;
mod suites;
mod swap;
mod sync;
mod sync_buckets;
mod sync_faults;
mod sync_part;
mod sync_requests;
mod sync_trust;
mod translations;
mod trust;
mod upload_builder;
mod uploads;
mod variants;
mod verdicts;
mod web;
mod web_manners;
mod web_store;
