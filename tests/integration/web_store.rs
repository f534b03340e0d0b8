//! Any web server as a store to read from.
