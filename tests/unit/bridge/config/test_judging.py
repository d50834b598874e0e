"""A configuration judged: every mistake at once, each with its place, key, value, what is wrong, and what to do."""

from __future__ import annotations

import contextlib
import grp
import json
import os
import socket
import sys

import pytest

from bridge.config import brokers, judging, loading, system
from bridge.config.brokers import BrokerSilentError
from bridge.config.problems import Problem, shown
from bridge.errors import ConfigurationError
from broker import checking as broker_checking
from tests.support.certificates import self_signed

NOBODY = 65_534


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch, request):
    """The broker judges here, as a process for each text would take its time; but for the test that asks for one."""
    if "real_broker" not in request.fixturenames:
        monkeypatch.setattr(brokers, "problems", lambda values: broker_checking.check(json.loads(json.dumps(values))))


@pytest.fixture
def real_broker():
    return brokers.problems


@contextlib.contextmanager
def as_nobody():
    """Not as root, who may do all."""
    root = os.geteuid() == 0
    if root:
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
            os.setegid(0)


def open_up(path):
    """Others may look for files below a path."""
    for directory in (path, *path.parents[:4]):  # those that pytest made
        if directory.name.startswith(("pytest", "popen", path.name)):
            directory.chmod(directory.stat().st_mode | 0o005)


@pytest.fixture
def judged(tmp_path):
    """Judges a text as a file; returns the problems, as text without the file's path."""

    def judge(text, **variables):
        path = tmp_path / "postbell.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        if "state_dir" not in str(text):
            variables.setdefault("POSTBELL_STATE_DIR", str(tmp_path / "state"))
        found = judging.judge(path, environ=variables)
        assert found.path == path
        return [str(problem).replace(str(path), path.name) for problem in found.problems]

    return judge


@pytest.mark.parametrize("text", ["", "[smtp]\nlisten = ''", "[broker]\nsession_days = 3\n[limits]\ninflight = 9"])
def test_what_is_right_has_no_problems(judged, text):
    assert judged(text) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[smtp]\nlsiten = '1:1'", "2: smtp.lsiten: no such key; did you mean smtp.listen?"),
        ("smtp.Listen = '1:1'", "1: smtp.Listen: no such key; did you mean smtp.listen?"),
        ("smtp = {tls-listen = '1:1'}", "1: smtp.tls-listen: no such key; did you mean smtp.tls_listen?"),
        ("[broker]\ntls_listne = 3", "2: broker.tls_listne: no such key; did you mean broker.tls_listen?"),
        ("[smtp]\npublic_url = 3", "2: smtp.public_url: no such key; did you mean broker.public_url or http"),
        ("[smtp]\nqueue_byte = 3", "2: smtp.queue_byte: no such key; did you mean limits.queue_bytes?"),
        ("[mqtt]\npassword = 'geheim'", "2: mqtt.password: no such key; did you mean mqtt.password_file?"),
        ("[smtp]\nport = 25", "2: smtp.port: no such key; did you mean smtp.listen?"),
        ("[mqtt]\nca = 'x'", "2: mqtt.ca: no such key; did you mean mqtt.ca_file?"),
        ("\ufeff[smtp]\nport = 25", "2: smtp.port: no such key; did you mean smtp.listen?"),
        ("state_dir = '~/x'", "1: state_dir = '~/x': the ~ of a shell means nothing here; write the whole path"),
        ("[http]\ntls_cert = '~/x'", "2: http.tls_cert = '~/x': the ~ of a shell means nothing here"),
        ("[broker]\ntls_cert = '~/x'", "2: broker.tls_cert = '~/x': the ~ of a shell means nothing here"),
        ("[log]\nxyzzy = 3", "2: log.xyzzy: no such key; [log] has format, level"),
        ("\n[stmp]\nx = 1", "2: [stmp]: no such section; did you mean [smtp]?"),
        ("[http.tls]\n", "1: http.tls: no such key; did you mean http.tls_key?"),
        ("[xyzzy]", "1: [xyzzy]: no such section; there are "),
        ("state_dir = 'rel/x'", "1: state_dir = 'rel/x': another directory for each place that a command is run in"),
        ("[broker]\nembedded = 'yes'", "2: broker.embedded = 'yes': neither true nor false; write true or false"),
        ("[broker]\ninsecure = 1", "2: broker.insecure = 1: neither true nor false; write true or false"),
        ("statedir = '/x'", "1: statedir: no such key; did you mean state_dir?"),
        ("embedded = true", "1: embedded: no such key; did you mean broker.embedded? It stands below its [section]"),
        ("smtp = 3", "1: smtp = 3: not a section; write [smtp] alone on a line, and below it key = value"),
        ("[[smtp]]", "1: smtp: not a section; write [smtp] alone"),
        ("[retain]\ncount = true", "2: retain.count = true: not a whole number; write one without quotes, as 100"),
        ("[retain]\ncount = 1.5", "2: retain.count = 1.5: not a whole number; write one"),
        ("[retain]\ndays = 'x'", "2: retain.days = 'x': not a number; write one"),
        ("[broker]\nembedded = 'maybe'", "2: broker.embedded = 'maybe': neither true nor false; write true or false"),
        ("[broker]\ninsecure = 'maybe'", "2: broker.insecure = 'maybe': neither true nor false; write true or false"),
        ("[smtp]\nhostname = 3", "2: smtp.hostname = 3: not a text; write it in quotes"),
        ("[smtp]\ntls_cert = 3", "2: smtp.tls_cert = 3: not a path; write it in quotes"),
        ("[smtp]\nproxies = 3", "2: smtp.proxies = 3: not a list; write one in brackets"),
        ("[smtp]\nproxies = [\n'::1',\n'x']", "4: smtp.proxies.1 = 'x': not a network; write a network as 10.0.0.0/8"),
        ("[smtp]\nproxies = '[1'", "2: smtp.proxies = '[1': not a list; write"),
        ("[spam]\naction = 'eat'", "2: spam.action = 'eat': not one of the choices; write 'mark', "),
        ("[broker]\npublic_url = 'http://a'", "2: broker.public_url = 'http://a': not the URL of a broker; did"),
        ("[broker]\nsession_days = 0", "2: broker.session_days = 0: too small; write more than 0"),
        ("[limits]\nqueue = 50_001", "2: limits.queue = 50001: too large; write 50000 or less"),
        ("[limits]\nqueue = 'x'", "2: limits.queue = 'x': not a whole number; write one"),
        ("[limits]\nqueue_bytes = 'x'", "2: limits.queue_bytes = 'x': not a whole number; write one"),
        ("[broker]\nlisten='0.0.0.0:1883'", "2: broker.listen = '0.0.0.0:1883': passwords and mail would cross"),
        ("[broker]\ntls_listen='0.0.0.0:1'", "2: broker.tls_listen = '0.0.0.0:1': needs a certificate; set broker"),
        ("[smtp]\ntls_listen='0.0.0.0:1'", "2: smtp.tls_listen = '0.0.0.0:1': needs a certificate; set smtp.tls_cert"),
        ("[broker]\nlisten=''", "2: broker.listen = '': the bridge itself comes this way; write host:port"),
        (
            "[broker]\nembedded=false\n[mqtt]\nurl='ws://a/x'\n[http]\nlisten='127.0.0.1:1'",
            "4: mqtt.url = 'ws://a/x': pages of the web client do not go over a WebSocket to the broker; write",
        ),
        ("[broker]\nembedded=false", "2: mqtt.url = '': with broker.embedded = false there is no broker; write"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_text_is_told_with_its_line(judged, text, told):
    said = judged(text)
    assert len(said) == 1
    assert said[0].removeprefix("postbell.toml:").strip().startswith(told)


@pytest.mark.parametrize("section", ["smtp", "http", "broker"])
@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("tls_cert", "a certificate without its key; set {}.tls_key"),
        ("tls_key", "a key without its certificate; set {}."),
    ],
)
def test_half_a_certificate_is_told(judged, tmp_path, section, key, told):
    file, _ = self_signed(tmp_path)
    (said,) = judged(f"[{section}]\n{key} = '{file}'")
    assert said.startswith(f"postbell.toml:2: {section}.{key} = '{file}': {told.format(section)}")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[smtp\n", ["1: not TOML: a section that does not end as it should; write it as [smtp], alone on its line"]),
        ("[smtp]\nlisten = 127.0.0.1:25\n", ["2: not TOML: a value that is none; write a text in quotes"]),
        ("[broker]\nembedded = False", ["2: not TOML: neither true nor false; write true or false, in small letters"]),
        ("[smtp]\nlisten = 'x\n", ["2: not TOML: a value that does not end as it should; look for a quote"]),
        ("[smtp]\nlisten\n", ["2: not TOML: expected '=' after a key in a key/value pair; write key = value"]),
        ("node = 'a'\nnode = 'b'", ["2: not TOML: a key or section that was there before; remove one of the two"]),
        ("[smtp]\n[smtp]\n", ["2: not TOML: a key or section that was there before; remove one of the two"]),
        ("[smtp]\nproxies = [\n'::1',\n", ["2: not TOML: a value that does not end as it should; look"]),
        (b"node = '\xff'", ["1: not UTF-8; save the file as UTF-8"]),
        (
            "[smtp]\nlisten = 25:25\n[retain]\ncount = 0\ndays = many\n",
            ["2: not TOML: a value", "4: retain.count = 0: too small", "5: not TOML: a value"],
        ),
    ],
)  # fmt: skip
def test_what_is_no_toml_is_told_with_its_line_and_the_rest_is_judged(judged, text, told):
    said = judged(text)
    assert len(said) == len(told)
    for each, begin in zip(said, told, strict=True):
        assert each.startswith(f"postbell.toml:{begin}")


def test_all_is_told_at_once_in_the_order_of_the_file(judged):
    said = judged(
        "nodes = 1\n[smtp]\nlisten = 25\nhostnam = 'x'\n[stmp]\n[limits]\nqueue = 0\n[broker]\ntls_cert = '/absent'\n",
        POSTBELL_RETAIN__COUNT="0",
        POSTBELL_RETAIN__DAY="1",
    )
    assert [each.partition(": ")[0] for each in said] == [
        *(f"postbell.toml:{line}" for line in (1, 3, 4, 5, 7, 9)),
        "POSTBELL_RETAIN__COUNT",
        "POSTBELL_RETAIN__DAY",
    ]


@pytest.mark.parametrize(
    ("variable", "told"),
    [
        ("POSTBELL_SMTP_LISTEN", "no such variable; did you mean POSTBELL_SMTP__LISTEN?"),
        ("POSTBELL_STATEDIR", "no such variable; did you mean POSTBELL_STATE_DIR?"),
        ("POSTBELL_XYZZY__KEY", "xyzzy: no such section; there are "),
        ("POSTBELL_SMTP", "a whole section; write POSTBELL_SMTP__KEY for one of its keys"),
        ("POSTBELL_SMTP__LISTEN", "smtp.listen = 'x': not an address; the port is missing: write"),
        ("POSTBELL_BROKER__TLS_LISTEN", "broker.tls_listen = 'x': not an address; write host:port or"),
        ("POSTBELL_SMTP__LSITEN", "smtp.lsiten: no such key; did you mean smtp.listen?"),
    ],
)
def test_a_mistake_in_a_variable_is_told_by_its_name(judged, variable, told):
    (said,) = judged("[smtp]\nlisten = ''", **{variable: "x"})
    assert said.startswith(f"{variable}: {told}")


def test_variables_that_are_for_commands_or_somebody_else_are_left_alone(judged):
    others = ("CONFIG", "DEBUG", "URL", "PASSWORD", "ID", "PROGRAM", "IMAGE_VERSION", "BROKER_SERVICE_HOST")
    links = ("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_SMTP", "PORT", "PORT_25_TCP", "PORT_25_TCP_ADDR")
    assert judged("", **{f"POSTBELL_{name}": "x" for name in (*others, *links)}) == []


@pytest.mark.parametrize(
    ("variable", "cure"),
    [
        ("POSTBELL_FOO", "write POSTBELL_SECTION__KEY (config show --all has every key), or take it away if nothing"),
        ("POSTBELL_SESSION_DAYS", "did you mean POSTBELL_BROKER__SESSION_DAYS?"),
        ("POSTBELL_LISTEN", "did you mean POSTBELL_BROKER__LISTEN or POSTBELL_HTTP__LISTEN or POSTBELL_LMTP__LISTEN"),
        ("POSTBELL_SMTP_PORT", "did you mean POSTBELL_SMTP__LISTEN?"),
    ],
)
def test_a_variable_that_sets_nothing_is_told_and_keeps_nothing_from_running(judged, variable, cure, tmp_path):
    (said,) = judged("", **{variable: "x"})
    assert said.startswith(f"{variable}: no such variable, and nothing is set by it; {cure}")
    environ = {variable: "x", "POSTBELL_STATE_DIR": str(tmp_path)}
    assert all(each.may_pass for each in judging.judge(environ=environ).problems)
    assert loading.load(environ=environ).state_dir == tmp_path


def test_a_variable_is_a_text_and_is_typed_where_the_command_is_run(judged):
    assert judged("", POSTBELL_BROKER__EMBEDDED="yes", POSTBELL_STATE_DIR="rel/x") == []


def test_nothing_secret_is_told():
    assert shown("mqtt://me:secret@host", key="mqtt.url") == "'mqtt://***@host'"
    assert shown("geheim", key="mqtt.password") == "***"
    assert shown("/etc/x", key="mqtt.password_file") == "'/etc/x'"
    assert len(shown("x" * 1000)) == 100
    assert str(Problem("wrong", "mend it")) == "defaults: wrong; mend it"


def test_files_that_are_not_there_are_told(judged, tmp_path):
    listen = f"unix:{tmp_path}/lmtp"
    said = judged(
        f"[smtp]\ntls_cert='/absent/c'\ntls_key='{tmp_path}'\n[http]\ntls_cert='/absent/c'\ntls_key='/absent/k'\n"
        f"[broker]\ntls_cert='/absent/c'\ntls_key='/absent/k'\ntls_client_ca='/absent/a'\n"
        f"[mqtt]\npassword_file='/absent/p'\nca_file='/absent/a'\n"
        f"[lmtp]\nlisten='{listen}'\nsocket_owner='nobody-here:no-group-here'\n"
    )
    wrong = [each.partition(": ")[2] for each in said]
    assert [each.partition(" = ")[0] for each in wrong] == [
        "smtp.tls_cert", "smtp.tls_key", "http.tls_cert", "http.tls_key", "broker.tls_cert", "broker.tls_key",
        "broker.tls_client_ca", "mqtt.password_file", "mqtt.ca_file", "lmtp.socket_owner", "lmtp.socket_owner",
    ]  # fmt: skip
    assert "': there is no such file; name a PEM file" in wrong[0]
    assert "': this is a directory; name its PEM key, which is a file" in wrong[1]
    assert "there is no user nobody-here; install the mail server first" in wrong[-2]
    assert "there is no group no-group-here; " in wrong[-1]


def test_files_that_are_no_certificates_are_told(judged, tmp_path):
    pem, key = self_signed(tmp_path, "one")
    other, locked = self_signed(tmp_path, "two")[1], self_signed(tmp_path, "three", passphrase=b"x")[1]
    empty = tmp_path / "empty"
    empty.touch()
    for section in ("smtp", "broker", "http"):
        (said,) = judged(f"[{section}]\ntls_cert = '{pem}'\ntls_key = '{other}'")
        assert f":3: {section}.tls_key = '{other}': it does not belong to the certificate; name two that do" in said
        (said,) = judged(f"[{section}]\ntls_cert = '{pem}'\ntls_key = '{locked}'")
        assert f":3: {section}.tls_key = '{locked}': the key has a passphrase; write the key without one: " in said
        (said,) = judged(f"[{section}]\ntls_cert = '{key}'\ntls_key = '{pem}'")
        assert f":2: {section}.tls_cert = '{key}': this is the key, and tls_key the certificate; change" in said
        (said,) = judged(f"[{section}]\ntls_cert = '{empty}'\ntls_key = '{empty}'")
        assert f":2: {section}.tls_cert = '{empty}': no certificate with its key in PEM form; name the" in said
    both = f"tls_cert = '{pem}'\ntls_key = '{key}'\n"
    assert judged(f"[broker]\n{both}[smtp]\n{both}[http]\n{both}") == []
    said = judged(f"[broker]\n{both}tls_client_ca='{empty}'\n[mqtt]\nca_file='{empty}'\npassword_file='{empty}'")
    assert [each.partition(": ")[2].partition(" = ")[0] for each in said] == [
        "broker.tls_client_ca",
        "mqtt.ca_file",
        "mqtt.password_file",
    ]


def test_files_that_this_user_may_not_read_are_told_with_the_user(judged, tmp_path):
    open_up(tmp_path)
    pem, key = self_signed(tmp_path)
    key.chmod(0)
    state = tmp_path / "state"
    state.mkdir(mode=0o500)
    text = (
        f"state_dir='{state}'\n[smtp]\ntls_cert='{pem}'\ntls_key='{key}'\n[broker]\ntls_cert='{pem}'\ntls_key='{key}'"
    )
    judged(text)
    with as_nobody():
        me = system.whoami()
        said = [
            str(problem).partition(": ")[2]
            for problem in judging.judge(tmp_path / "postbell.toml", environ={}).problems
        ]
    assert said[0].startswith(f"state_dir = '{state}': user {me} may not write there; run this as its owner: sudo -u ")
    assert said[1].startswith(f"smtp.tls_key = '{key}': user {me} may not read it; give it to that user's group")
    assert said[2].startswith(f"broker.tls_key = '{key}': this user may not read it; give it")


@pytest.mark.parametrize(
    ("there", "told"),
    [
        ("state/below", "/state is no directory; name a directory, or a place for one"),
        ("state", "/state is no directory; name a directory, or a place for one"),
        ("locked/below", "it is not there, and user {} may not make it; make it: sudo install -d -o {} -m 0700 "),
    ],
)
def test_a_state_directory_that_cannot_be_one_is_told(judged, tmp_path, there, told):
    (tmp_path / "state").touch()
    (tmp_path / "locked").mkdir(mode=0o500)
    open_up(tmp_path)
    judged(f"state_dir = '{tmp_path / there}'")
    with as_nobody():
        me = system.whoami()
        (said,) = judging.judge(tmp_path / "postbell.toml", environ={}).problems
    assert told.format(me, me) in str(said)
    assert f"state_dir = '{tmp_path / there}'" in str(said)


def test_the_path_of_a_socket_that_cannot_be_made_is_told(judged, tmp_path):
    (tmp_path / "file").touch()
    for listen, told in [
        (f"unix:{tmp_path}/file", "there is a file that is not a socket; remove it, or choose another path"),
        (f"unix:{tmp_path}/file/below", f"{tmp_path}/file is no directory; choose another path"),
        (f"unix:/{'x' * 110}", "the path is too long for a socket; choose one of at most"),
    ]:
        (said,) = judged(f"[lmtp]\nlisten = '{listen}'")
        assert said.startswith(f"postbell.toml:2: lmtp.listen = {shown(listen)}: {told}")
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(tmp_path / "socket"))
        assert judged(f"[lmtp]\nlisten = 'unix:{tmp_path}/socket'") == []


def test_an_owner_that_this_user_cannot_give_is_told(judged, tmp_path):
    (tmp_path / "run").mkdir(mode=0o777)
    (tmp_path / "run").chmod(0o777)
    group = next(each.gr_name for each in grp.getgrall() if each.gr_gid not in {NOBODY, os.getegid(), *os.getgroups()})
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o777)
    judged(f"state_dir='{tmp_path}/state'\n[lmtp]\nlisten='unix:{tmp_path}/run/s'\nsocket_owner='root:{group}'")
    open_up(tmp_path)
    with as_nobody():
        me = system.whoami()
        said = [str(each) for each in judging.judge(tmp_path / "postbell.toml", environ={}).problems]
    assert [each.partition(f"socket_owner = 'root:{group}': ")[2] for each in said] == [
        f'only root may give the socket to another user; write ":{group}" and put {me} into that group',
        f"user {me} is not in the group {group}; sudo usermod -aG {group} {me}, then start Postbell anew",
    ]


def test_the_broker_is_asked_as_a_program(real_broker):
    (said,) = real_broker({"broker": {"session_days": 0}, "smtp": {"listen": "x"}})
    assert said["key"] == "broker.session_days"


def test_the_broker_is_not_asked_where_nothing_is_said_of_it(judged, monkeypatch):
    assert broker_checking.check({}) == [], "with its defaults nothing is wrong"
    monkeypatch.setattr(brokers, "problems", lambda values: pytest.fail(f"asked of {values}"))
    assert judged("[smtp]\nlisten = ''\n[mqtt]\nroot = 'post'") == []
    with pytest.raises(pytest.fail.Exception, match="session_days"):
        judged("", POSTBELL_BROKER__SESSION_DAYS="3")


def test_a_broker_that_does_not_answer_is_told(real_broker, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/absent/python")
    with pytest.raises(BrokerSilentError, match="the broker's program does not tell of its configuration"):
        real_broker({})


def test_a_file_that_cannot_be_read_is_told(judged, tmp_path):
    judged("")
    (tmp_path / "postbell.toml").chmod(0)
    open_up(tmp_path)
    with as_nobody():
        found = judging.judge(tmp_path / "postbell.toml", environ={"POSTBELL_STATE_DIR": "/"})
    assert ": cannot be read: Permission denied; give it to the group of the user" in str(found.problems[0])


def test_a_default_that_cannot_be_is_told_with_its_value(tmp_path):
    file = tmp_path / "postbell.toml"
    file.write_text("")
    fine = judging.judge(file, environ={"POSTBELL_STATE_DIR": str(tmp_path)})
    (problem,) = fine.including([system.Fault(("broker", "listen"), "in use", "end it")]).problems
    assert str(problem) == f"{file}: broker.listen = '127.0.0.1:1883': in use; end it"
    (problem,) = fine.including([system.Fault(("smtp", "tls_listen"), "off", "write one")]).problems
    assert problem.value == "''"


def test_for_the_broker_alone_what_the_bridge_needs_of_the_system_may_be_missing(tmp_path):
    file = tmp_path / "postbell.toml"
    file.write_text("[mqtt]\nca_file = '/absent'\n[broker]\ntls_cert = '/absent'\ntls_key = '/absent'\n")
    environ = {"POSTBELL_STATE_DIR": str(tmp_path)}
    told = [problem.key for problem in judging.judge(file, environ=environ, for_bridge=False).problems]
    assert told == ["broker.tls_cert", "broker.tls_key"]
    assert "mqtt.ca_file" in {problem.key for problem in judging.judge(file, environ=environ).problems}


def test_a_directory_is_no_configuration(tmp_path):
    with pytest.raises(ConfigurationError, match="this is a directory; name the file with --config"):
        judging.judge(tmp_path)


def test_a_directory_in_which_no_socket_can_be_made_is_told(judged, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o777)
    judged(f"state_dir='{tmp_path}/state'\n[lmtp]\nlisten='unix:{tmp_path}/locked/below/lmtp'")
    open_up(tmp_path)
    with as_nobody():
        (problem,) = judging.judge(tmp_path / "postbell.toml", environ={}).problems
    assert f"may not make a file in {tmp_path}/locked; make its directory: sudo install -d -o " in str(problem)


def test_a_user_without_a_name_is_told_by_the_number(monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 2**30)
    assert system.whoami() == str(os.geteuid())


def test_a_path_that_goes_round_in_a_circle_is_told(judged, tmp_path):
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (said,) = judged(f"[mqtt]\npassword_file = '{tmp_path}/circle'")
    assert "it cannot be read: Too many levels of symbolic links; mend the path" in said
