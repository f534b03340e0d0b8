# radosgw: S3 by Ceph, a server that checks every signature: one monitor, one disk in memory, the gateway. Sourced by `up`.
# shellcheck shell=bash disable=SC2154

start_rgw() {
    local data=$dir/data/rgw conf=$dir/data/rgw/ceph.conf log=$dir/log fsid disk tries=0
    mkdir -p "$data"/{mon,osd}
    fsid=$(cat /proc/sys/kernel/random/uuid)
    disk=$(cat /proc/sys/kernel/random/uuid)
    # No admin sockets: the length of their paths is limited.
    cat >"$conf" <<C
[global]
fsid = $fsid
mon_host = [v1:127.0.0.1:$mon_port]
mon_initial_members = a
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_msgr2 = false
ms_bind_port_min = $osd_port
ms_bind_port_max = $((osd_port + 15))
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
run_dir = $data
admin_socket =
pid_file =
log_file = $log/rgw-\$name.log
log_to_stderr = false
mon_cluster_log_file = $log/rgw-cluster.log
crash_dir = $data
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_data = $data/mon
mon_data_avail_warn = 2
mon_data_avail_crit = 1
osd_data = $data/osd
osd_objectstore = memstore
memstore_device_bytes = 2147483648
osd_class_load_list = *
osd_class_default_list = *
[client.rgw]
rgw_data = $data
keyring =
rgw_frontends = beast endpoint=127.0.0.1:$rgw_port
rgw_dns_name = 127.0.0.1
rgw_thread_pool_size = 64
rgw_num_control_oids = 1
rgw_gc_max_objs = 3
rgw_lc_max_objs = 3
C
    monmaptool --create --fsid "$fsid" --addv a "[v1:127.0.0.1:$mon_port]" "$data/monmap"
    ceph-mon -c "$conf" --id a --mkfs --monmap "$data/monmap"
    launch rgw.mon ceph-mon -c "$conf" --id a -f
    # A monitor that has just started rejects commands (EPERM); the retry is idempotent.
    until timeout --foreground 60 ceph -c "$conf" osd new "$disk"; do
        ((++tries < 20))
        sleep 1
    done
    tries=0
    ceph-osd -c "$conf" --id 0 --mkfs --osd-uuid "$disk"
    # Occasionally it connects before it knows the cluster id, is refused by the monitor (`wrong fsid`), and exits.
    until launch rgw.osd ceph-osd -c "$conf" --id 0 -f &&
        eventually 30 rgw.osd grep -q 'starting boot process' "$log/rgw-osd.0.log"; do
        ((++tries < 20))
    done
    launch rgw.gateway radosgw -c "$conf" -n client.rgw -f
    eventually 90 rgw answers "http://127.0.0.1:$rgw_port/"
    local admin=(timeout --foreground 60 radosgw-admin -c "$conf" -n client.rgw user create)
    "${admin[@]}" --uid=test --display-name=test --access-key=TESTKEY --secret-key=TESTSECRET
    # A user without buckets.
    "${admin[@]}" --uid=other --display-name=other --access-key=OTHERKEY --secret-key=OTHERSECRET
    offer PUBLISH_TEST_RGW "http://127.0.0.1:$rgw_port"
}
