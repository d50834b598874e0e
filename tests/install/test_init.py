"""`postbell init` on a fresh Debian with the package: one command, one start, and a device is told over TLS."""

from __future__ import annotations

import re

from tests.install.server import NAME
from tests.install.test_server import readme

INIT = f"sudo postbell init --host {NAME} --user alice --address alice@example.org --device phone --mta postfix"
AUTHORITY = "/etc/postbell/ca.pem"


def test_the_package(server):
    server.installed(readme()[0])
    serves_after_one_command_and_one_start(server)


def serves_after_one_command_and_one_start(server):
    login = server.typed([f"{INIT} --tls local-ca --apply-mta"])
    assert "to be done by hand" not in login
    [start] = re.findall(r"1\. start it, now and from now on: (.+)", login)
    server.typed([start])
    device = server.watching(login, "mail/alice/text", authority=AUTHORITY)
    server.send("first")
    server.told(device, "first")
    server.delivered("first")
    assert server.root("stat -c '%U:%G %a' /run/postbell/lmtp.sock") == "postbell:postfix 660"
    assert server.root("find /var/lib/postbell ! -user postbell ! -type l") == ""
    assert server.root("systemctl is-active postbell-certificate.timer") == "active"

    before = server.root("openssl x509 -noout -serial -in /etc/postbell/tls/fullchain.pem")
    server.root("systemctl start postbell-certificate.service")
    assert server.root("openssl x509 -noout -serial -in /etc/postbell/tls/fullchain.pem") == before, "it is not due"
    server.typed(["sudo postbell certificate renew --now"])
    after = server.root("openssl x509 -noout -serial -in /etc/postbell/tls/fullchain.pem")
    assert after != before
    shown = f"openssl s_client -connect {NAME}:8883 -CAfile {AUTHORITY} -verify_return_error </dev/null"
    server.root(
        f"timeout 60 sh -c 'until {shown} 2>/dev/null | openssl x509 -noout -serial | grep -q {after}; do :; done'"
    )

    again = server.typed([f"{INIT} --tls local-ca --apply-mta"])
    assert "made  " not in again
    server.send("second")
    server.told(device, "second")
    takes_lets_encrypts(server, device)


def takes_lets_encrypts(server, device):
    """From the local CA to certbot's certificate, which comes anew by its hook."""
    said = server.typed([f"{INIT} --tls letsencrypt --force --no-apply-mta"])
    assert "a copy of /etc/letsencrypt/live" in said
    server.root(f"cmp /etc/letsencrypt/live/{NAME}/fullchain.pem /etc/postbell/tls/fullchain.pem")
    assert server.root("stat -c '%U:%G %a' /etc/postbell/tls/privkey.pem") == "root:postbell 640"
    server.root(
        f"cd /etc/letsencrypt/archive/{NAME} && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
        f" -days 30 -subj /CN={NAME} -addext subjectAltName=DNS:{NAME} -keyout privkey2.pem -out fullchain2.pem"
        f" && cd ../../live/{NAME} && ln -sf ../../archive/{NAME}/privkey2.pem privkey.pem"
        f" && ln -sf ../../archive/{NAME}/fullchain2.pem fullchain.pem"
        f" && RENEWED_LINEAGE=/etc/letsencrypt/live/{NAME} run-parts /etc/letsencrypt/renewal-hooks/deploy"
    )
    server.root(f"cmp /etc/letsencrypt/archive/{NAME}/fullchain2.pem /etc/postbell/tls/fullchain.pem")
    server.send("third")
    server.told(device, "third")
    assert server.active("postbell.service", "postbell.socket") == ["active", "active"]
