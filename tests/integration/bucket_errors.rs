//! What a user reads who got something wrong about a bucket.
