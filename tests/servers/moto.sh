# moto: S3 as Amazon documents it, conditional writes included. It checks no signature. Sourced by `up`.
# shellcheck shell=bash disable=SC2154

start_moto() {
    launch moto "$python/bin/python" "$here/serve_moto.py" "$moto_port"
    eventually 60 moto answers "http://127.0.0.1:$moto_port/moto-api/"
    offer PUBLISH_TEST_MOTO "http://127.0.0.1:$moto_port"
}
