"""An nginx in front of a server or a folder, whose log counts the requests of a program."""

import os
import socket
import subprocess
import time

from measure import has_gnu_time


def free_port():
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return any_port.getsockname()[1]


class Front:
    """An nginx that answers all requests with one location, and logs a line for each."""

    def __init__(self, work, nginx, location, more=""):
        self.folder = work / "nginx"
        self.folder.mkdir()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = self.folder / "requests"
        configuration = f"""
            daemon off; master_process off; pid {self.folder}/pid; error_log {self.folder}/error;
            events {{ worker_connections 512; }}
            http {{
                log_format line '$request_method $request_uri $status $bytes_sent $request_length';
                access_log {self.log} line;
                client_max_body_size 0; proxy_request_buffering off; client_body_temp_path {self.folder}/body;
                proxy_temp_path {self.folder}/proxy; fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u;
                scgi_temp_path {self.folder}/s;
                {more}
                server {{
                    listen 127.0.0.1:{self.port};
                    location / {{ {location} }}
                }}
            }}"""
        (self.folder / "conf").write_text(configuration)
        self.process = subprocess.Popen([nginx, "-p", self.folder, "-c", self.folder / "conf"])
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            except OSError:
                time.sleep(0.1)

    def requests(self):
        """Returns the lines since the last call."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        open(self.log, "w").close()
        return lines

    def stop(self):
        self.process.kill()


def measure(command, environment, front, log):
    """Runs a command; returns its cost, and the lines of the server's log."""
    front.requests()
    report = log.with_suffix(".peak")
    # A child's peak memory includes that of the process that forked it, and Python's is large: GNU time is run in between.
    timed = ["/usr/bin/time", "-q", "-o", report, "-f", "%M", *command] if has_gnu_time() else command
    start = time.perf_counter()
    with open(log, "wb") as output:
        child = subprocess.Popen([str(part) for part in timed], env=environment, stdout=output, stderr=output)
        _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"{command} failed: {log.read_text(errors='replace')}")
    lines = front.requests()
    return {
        "wall_s": wall,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mib": int(report.read_text().split()[-1]) / 1024 if has_gnu_time() else float("nan"),
        "requests": len(lines),
        "received_mib": sum(int(line.split()[-2]) for line in lines) / 2**20,
        "sent_mib": sum(int(line.split()[-1]) for line in lines) / 2**20,
        "lines": lines,
    }
