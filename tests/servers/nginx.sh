# nginx in front of moto, twice: as a store that ignores conditions, and as a double of Google Cloud Storage. Sourced by `up`.
#
# Some real servers (Garage) accept `If-Match` and `If-None-Match`, but overwrite anyway; the first instance does the same.
# It also gives a copy the headers of its source, whatever the request says, as gateways did.
# Google Cloud Storage cannot be run locally. The second instance maps the different names of its XML API: a generation is
# the ETag without quotes, which is opaque to clients. It checks no signature, and stores no custom metadata.
# shellcheck shell=bash disable=SC2154

start_nginx() {
    local data=$dir/data/nginx moto=127.0.0.1:$moto_port user=''
    mkdir -p "$data"
    [ "$(id -u)" != 0 ] || user='user root;'
    cat >"$data/conf" <<C
$user
daemon off;
worker_processes 1;
pid $data/pid;
error_log $dir/log/nginx-error.log warn;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path $data/1;
    proxy_temp_path $data/2;
    fastcgi_temp_path $data/3;
    uwsgi_temp_path $data/4;
    scgi_temp_path $data/5;
    client_max_body_size 0;
    proxy_http_version 1.1;

    server {
        listen 127.0.0.1:$ignoring_port;
        location / {
            proxy_pass http://$moto\$request_uri;
            proxy_set_header Host \$http_host;
            proxy_set_header If-Match "";
            proxy_set_header If-None-Match "";
            proxy_set_header X-Amz-Metadata-Directive "";
        }
    }

    map \$http_x_goog_if_generation_match \$if_none_match { default \$http_if_none_match; "0" "*"; }
    map \$http_x_goog_if_generation_match \$if_match { default \$http_x_goog_if_generation_match; "0" ""; "" \$http_if_match; }
    map \$upstream_http_etag \$generation { default ""; "~^\"(?<bare>.*)\"\$" \$bare; }
    # A client without OAuth does not sign, and moto serves only signed requests.
    server {
        listen 127.0.0.1:$gcs_port;
        location / {
            proxy_pass http://$moto\$request_uri;
            proxy_set_header Host $moto;
            proxy_set_header Authorization "AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
            proxy_set_header If-Match \$if_match;
            proxy_set_header If-None-Match \$if_none_match;
            proxy_set_header X-Amz-Copy-Source \$http_x_goog_copy_source;
            proxy_set_header X-Amz-Metadata-Directive \$http_x_goog_metadata_directive;
            proxy_set_header X-Amz-Acl \$http_x_goog_acl;
            add_header X-Goog-Generation \$generation always;
        }
    }
}
C
    launch nginx nginx -c "$data/conf" -e "$dir/log/nginx-error.log"
    until [ -s "$dir/state.moto" ]; do sleep 0.1; done
    eventually 10 nginx answers "http://127.0.0.1:$ignoring_port/"
    eventually 10 nginx answers "http://127.0.0.1:$gcs_port/"
    offer PUBLISH_TEST_S3_IGNORING "http://127.0.0.1:$ignoring_port"
    offer PUBLISH_TEST_GCS "http://127.0.0.1:$gcs_port"
    offer PUBLISH_TEST_NGINX "$(command -v nginx)"
}
