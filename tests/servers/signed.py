"""Sends one signed HTTP request, by the rules of Amazon and Microsoft, with only Python's standard library.

usage: signed.py s3|azure USER SECRET METHOD URL ['Name: value']... <BODY

Prints the response: status, headers, an empty line, body. It is independent of `publish`, so that the tests do not share
its implementation of signatures.
"""

import base64
import datetime
import hashlib
import hmac
import http.client
import sys
import urllib.parse


def hmac256(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def s3(user, secret, method, url, headers, body):
    """Signature version 4, service `s3`."""
    now = datetime.datetime.now(datetime.timezone.utc)
    date, region = now.strftime("%Y%m%d"), "us-east-1"
    headers["x-amz-date"] = now.strftime("%Y%m%dT%H%M%SZ")
    headers["x-amz-content-sha256"] = hashlib.sha256(body).hexdigest()
    signed = {"host": url.netloc, **{name: value for name, value in headers.items() if name.startswith("x-amz-")}}
    query = sorted(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
    # Whatever the encoding of the path on the wire, it is signed in Amazon's encoding.
    path = urllib.parse.quote(urllib.parse.unquote(url.path), safe="/~")
    request = [method, path, urllib.parse.urlencode(query, quote_via=urllib.parse.quote)]
    request += [f"{name}:{signed[name]}" for name in sorted(signed)]
    request += ["", ";".join(sorted(signed)), headers["x-amz-content-sha256"]]
    scope = f"{date}/{region}/s3/aws4_request"
    digest = hashlib.sha256("\n".join(request).encode()).hexdigest()
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = hmac256(key, part)
    signature = hmac256(key, "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, digest])).hex()
    names = ";".join(sorted(signed))
    return f"AWS4-HMAC-SHA256 Credential={user}/{scope}, SignedHeaders={names}, Signature={signature}"


def azure(user, secret, method, url, headers, body):
    """Shared key, for the blob service."""
    headers["x-ms-date"] = datetime.datetime.now(datetime.timezone.utc).strftime("%a, %d %b %Y %H:%M:%S GMT")
    headers["x-ms-version"] = "2021-08-06"
    plain = ["content-encoding", "content-language", "content-length", "content-md5", "content-type", "date"]
    plain += ["if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"]
    length = {"content-length": str(len(body)) if body else ""}
    request = [method] + [{**headers, **length}.get(name, "") for name in plain]
    request += [f"{name}:{headers[name]}" for name in sorted(headers) if name.startswith("x-ms-")]
    request.append(f"/{user}{url.path}")
    request += [f"{name}:{value}" for name, value in sorted(urllib.parse.parse_qsl(url.query))]
    signature = base64.b64encode(hmac256(base64.b64decode(secret), "\n".join(request))).decode()
    return f"SharedKey {user}:{signature}"


way, user, secret, method, url, *lines = sys.argv[1:]
url = urllib.parse.urlsplit(url)
headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
body = sys.stdin.buffer.read()
headers["authorization"] = {"s3": s3, "azure": azure}[way](user, secret, method, url, headers, body)
connection = http.client.HTTPConnection(url.netloc, timeout=60)
connection.request(method, url.path + (f"?{url.query}" if url.query else ""), body=body, headers=headers)
answer = connection.getresponse()
head = [str(answer.status), *(f"{name}: {value}" for name, value in answer.getheaders())]
sys.stdout.buffer.write(("\n".join(head) + "\n\n").encode() + answer.read())
