"""Keystone in one folder. (Not `keystone.py`, which would hide the package of that name.)

usage: serve_keystone.py make FOLDER                  a database with a project, a user `publisher`, and a catalogue
       serve_keystone.py serve FOLDER PORT SWIFT      serves a copy of it, with the URL of that Swift in the catalogue
"""

import os
import sqlite3
import subprocess
import sys

# The placeholder in the catalogue until the ports are known.
KEYSTONE, SWIFT = "http://keystone.invalid", "http://swift.invalid"

CONF = """
[DEFAULT]
log_file = {0}/keystone.log
[database]
connection = sqlite:///{0}/keystone.db
[token]
expiration = 3600
[fernet_tokens]
key_repository = {0}/fernet
[fernet_receipts]
key_repository = {0}/fernet
[credential]
key_repository = {0}/credential
"""


def application(folder):
    """Returns the real application, for this folder."""
    conf = os.path.join(folder, "keystone.conf")
    with open(conf, "w") as file:
        file.write(CONF.format(folder))
    os.environ["OS_KEYSTONE_CONFIG_FILES"] = conf
    sys.argv = ["keystone"]
    from keystone.server.wsgi import initialize_public_application

    return initialize_public_application()


def make(folder):
    for name in ["fernet", "credential"]:
        os.makedirs(os.path.join(folder, name), mode=0o700)
    conf = os.path.join(folder, "keystone.conf")
    with open(conf, "w") as file:
        file.write(CONF.format(folder))
    bootstrap = ["bootstrap", "--bootstrap-password", "adminpass", "--bootstrap-region-id", "RegionOne"]
    bootstrap += ["--bootstrap-public-url", KEYSTONE + "/v3"]
    ours = ["--keystone-user", str(os.getuid()), "--keystone-group", str(os.getgid())]
    manage = [sys.executable, "-c", "from keystone.cmd.manage import main; main()", "--config-file", conf]
    for command in [["db_sync"], ["fernet_setup", *ours], ["credential_setup", *ours], bootstrap]:
        subprocess.run([*manage, *command], check=True)

    from werkzeug.test import Client

    client = Client(application(folder))

    def call(method, path, body=None, token=None):
        answer = client.open("/v3" + path, method=method, json=body, headers={"X-Auth-Token": token} if token else {})
        if answer.status_code >= 300:
            sys.exit(f"{method} {path}: {answer.status}: {answer.text}")
        return answer

    domain = {"id": "default"}
    user = {"name": "admin", "domain": domain, "password": "adminpass"}
    identity = {"methods": ["password"], "password": {"user": user}}
    scope = {"project": {"name": "admin", "domain": domain}}
    token = call("POST", "/auth/tokens", {"auth": {"identity": identity, "scope": scope}}).headers["X-Subject-Token"]

    def create(kind, **fields):
        return call("POST", f"/{kind}s", {kind: fields}, token).json[kind]["id"]

    roles = {role["name"]: role["id"] for role in call("GET", "/roles", token=token).json["roles"]}
    # The first is Swift itself, which validates tokens.
    for project, name, password, role in [
        ("service", "swift", "swiftpass", "admin"),
        ("publishing", "publisher", "publisherpass", "member"),
    ]:
        project = create("project", name=project, domain_id="default")
        user = create("user", name=name, password=password, domain_id="default", default_project_id=project)
        call("PUT", f"/projects/{project}/users/{user}/roles/{roles[role]}", token=token)
    service = create("service", name="swift", type="object-store")
    url = SWIFT + "/v1/KEY_%(project_id)s"
    create("endpoint", service_id=service, url=url, interface="public", region_id="RegionOne")


def serve(folder, port, swift):
    with sqlite3.connect(os.path.join(folder, "keystone.db")) as database:
        for old, new in [(KEYSTONE, f"http://127.0.0.1:{port}"), (SWIFT, swift)]:
            database.execute("UPDATE endpoint SET url = replace(url, ?, ?)", [old, new])

    from werkzeug.serving import run_simple

    run_simple("127.0.0.1", int(port), application(folder), threaded=False)


if sys.argv[1] == "make":
    make(os.path.abspath(sys.argv[2]))
else:
    serve(os.path.abspath(sys.argv[2]), *sys.argv[3:])
