# Keystone: OpenStack's identity service, version 3, for the Swift server. Sourced by `up`.
# shellcheck shell=bash disable=SC2154

start_keystone() {
    # Creating its database is slow, so `install` does it once.
    cp -a "$python/keystone" "$dir/data/keystone"
    launch keystone "$python/bin/python" "$here/serve_keystone.py" serve "$dir/data/keystone" "$keystone_port" \
        "http://127.0.0.1:$swift_keystone_port"
    eventually 60 keystone answers "http://127.0.0.1:$keystone_port/v3"
    offer PUBLISH_TEST_KEYSTONE "http://127.0.0.1:$keystone_port/v3"
    offer PUBLISH_TEST_KEYSTONE_USER publisher
    offer PUBLISH_TEST_KEYSTONE_PASSWORD publisherpass
    offer PUBLISH_TEST_KEYSTONE_PROJECT publishing
}
