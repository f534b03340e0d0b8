# OpenStack Swift: one node with one disk, which is a folder, and two proxies in front of it: one with its own tokens, the
# other with those of Keystone. (A combined one would query Keystone for each foreign token.) Sourced by `up`.
# shellcheck shell=bash disable=SC2154

start_swift() {
    local data=$dir/data/swift memcached=127.0.0.1:$((swift_port + 4)) part
    mkdir -p "$data"/{etc,disks/d1}
    printf '%s\n' '[swift-hash]' 'swift_hash_path_prefix = test' 'swift_hash_path_suffix = bed' \
        '[storage-policy:0]' 'name = one' 'default = yes' >"$data/etc/swift.conf"
    "$python/bin/python" "$here/serve_swift.py" rings "$data" "$swift_port"

    launch swift.memcached memcached -l 127.0.0.1 -p "${memcached##*:}" -U 0 -m 64 -u "$(id -un)"
    local port=$swift_port
    for part in account container object; do
        port=$((port + 1))
        swift_common "$port" >"$data/etc/$part.conf"
        cat >>"$data/etc/$part.conf" <<C
devices = $data/disks
mount_check = false
fallocate_reserve = 0
disable_fallocate = true
$([ $part != object ] || echo 'splice = no')
[pipeline:main]
pipeline = healthcheck $part-server
[filter:healthcheck]
use = egg:swift#healthcheck
[app:$part-server]
use = egg:swift#$part
C
        launch "swift.$part" "$python/bin/python" "$here/serve_swift.py" "$part" "$data"
    done

    { swift_common "$swift_port" && swift_proxy tempauth "$memcached"; } >"$data/etc/proxy.conf"
    launch swift.proxy "$python/bin/python" "$here/serve_swift.py" proxy "$data"
    { swift_common "$swift_keystone_port" && swift_proxy 'authtoken keystoneauth' "$memcached"; } \
        >"$data/etc/proxy-keystone.conf"
    launch swift.proxy-keystone "$python/bin/python" "$here/serve_swift.py" proxy "$data" proxy-keystone

    for part in 1 2 3 0; do
        eventually 60 swift answers --fail "http://127.0.0.1:$((swift_port + part))/healthcheck"
    done
    # A token proves that memcached is available too.
    eventually 30 swift curl -fsS -H 'X-Auth-User: test:tester' -H 'X-Auth-Key: testing' \
        "http://127.0.0.1:$swift_port/auth/v1.0"
    eventually 60 swift answers --fail "http://127.0.0.1:$swift_keystone_port/healthcheck"
    offer PUBLISH_TEST_SWIFT "http://127.0.0.1:$swift_port"
}

# swift_common PORT
swift_common() {
    cat <<C
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $1
user = $(id -un)
swift_dir = $dir/data/swift/etc
workers = 0
log_level = WARNING
log_address = $dir/data/no-syslog
C
}

# swift_proxy FILTERS MEMCACHED
swift_proxy() {
    local filter
    cat <<C
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk tempurl $1 copy staticweb container_quotas slo dlo versioned_writes proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
# Do not exclude the only node for a minute after one slow response.
error_suppression_interval = 1
error_suppression_limit = 1000000
[filter:cache]
use = egg:swift#memcache
memcache_servers = $2
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
user_test_reader = reading
user_other_tester = testing3 .admin
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
auth_type = password
auth_url = http://127.0.0.1:$keystone_port
www_authenticate_uri = http://127.0.0.1:$keystone_port
project_domain_id = default
user_domain_id = default
project_name = service
username = swift
password = swiftpass
interface = public
delay_auth_decision = true
memcached_servers = $2
service_token_roles_required = true
[filter:keystoneauth]
use = egg:swift#keystoneauth
reseller_prefix = KEY
operator_roles = admin, member
C
    for filter in catch_errors gatekeeper healthcheck listing_formats bulk tempurl copy staticweb container_quotas slo dlo; do
        printf '[filter:%s]\nuse = egg:swift#%s\n' "$filter" "$filter"
    done
}
