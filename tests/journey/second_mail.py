"""A second mail system beside Dovecot and Postfix: Cyrus (IMAP) and Exim (SMTP),
unpacked but not installed (init/packages.sh unpack), on loopback and in one
folder. Cyrus because all its paths stand in its configuration, while Courier's
are built in; its folders begin with "INBOX." as Courier's do, unless altnamespace
says otherwise.

Exim takes mail for the domain, states in Authentication-Results who logged in,
and hands it to Cyrus by LMTP.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile

from system import SOURCE, System, free_port, run, wait_for

UNPACKED = os.path.join(SOURCE, "build", "servers")
AUTHSERV_ID = "mail.second.test"
USER = "mail"       # whom both servers work as: of the base system

IMAPD_CONF = """\
configdirectory: {dir}/cyrus
defaultpartition: default
partition-default: {dir}/cyrus/spool
proc_path: {dir}/cyrus/proc
mboxname_lockpath: {dir}/cyrus/lock
servername: {authserv_id}
cyrus_user: {user}
cyrus_group: {user}
altnamespace: {altnamespace}
unixhierarchysep: {altnamespace}
virtdomains: userid
defaultdomain: internal
autocreate_quota: 0
autocreate_post: yes
tls_server_cert: {dir}/tls/server.crt
tls_server_key: {dir}/tls/server.key
tls_client_ca_file: {dir}/tls/ca.crt
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {dir}/sasldb
sasl_mech_list: PLAIN
allowplaintext: no
failedloginpause: 0
{more}
"""

CYRUS_CONF = """\
START {{
	recover cmd="{bin}/ctl_cyrusdb -C {dir}/imapd.conf -r"
}}
DAEMON {{
	idled cmd="{bin}/idled -C {dir}/imapd.conf"
}}
SERVICES {{
	imap cmd="{bin}/imapd -C {dir}/imapd.conf" listen="127.0.0.1:{imap}"
	imaps cmd="{bin}/imapd -s -C {dir}/imapd.conf" listen="127.0.0.1:{imaps}"
	lmtp cmd="{bin}/lmtpd -a -C {dir}/imapd.conf" listen="{dir}/cyrus/lmtp"
}}
EVENTS {{
}}
"""

EXIM_CONF = """\
primary_hostname = {authserv_id}
qualify_domain = {domain}
exim_path = {exim}
spool_directory = {dir}/exim
log_file_path = {dir}/exim/%slog
pid_file_path = {dir}/exim/pid
deliver_drop_privilege = true
keep_environment = LD_PRELOAD : NSS_WRAPPER_PASSWD : NSS_WRAPPER_GROUP
local_interfaces = 127.0.0.1
daemon_smtp_ports = {smtp} : {smtps}
tls_on_connect_ports = {smtps}
tls_advertise_hosts = *
tls_certificate = {dir}/tls/server.crt
tls_privatekey = {dir}/tls/server.key
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
acl_smtp_rcpt = recipient
acl_smtp_data = data

begin acl
recipient:
	deny	!domains = {domain}
		message = there is no outside
	accept
data:
	accept	remove_header = Authentication-Results
		add_header = :at_start:${{authresults {{$primary_hostname}}}}

begin routers
all:
	driver = accept
	transport = cyrus

begin transports
cyrus:
	driver = lmtp
	socket = {dir}/cyrus/lmtp

begin retry
* * F,1h,2s

begin authenticators
plain:
	driver = plaintext
	public_name = PLAIN
	server_prompts = :
	server_condition = ${{if eq{{$auth3}}{{${{if eqi{{$auth2}}{{{ca}}}\
		{{{ca_password}}}{{{guest_password}}}}}}}}}
	server_set_id = $auth2
"""

# Exim looks up a user that only its package would make.
ACCOUNTS = {
    "passwd": "root:x:0:0::/:/bin/sh\n{user}:x:{uid}:{gid}::/:/bin/sh\n"
              "Debian-exim:x:{uid}:{gid}::/:/bin/sh\n",
    "group": "root:x:0:\n{user}:x:{gid}:\nDebian-exim:x:{gid}:\n"}


class Servers:
    def __init__(self, first, folder):
        """first: the system whose domain and certificates they share."""
        run("sh", os.path.join(SOURCE, "init", "packages.sh"), "unpack",
            UNPACKED, deadline_s=600)
        self.dir, self.env = folder, first.env
        self.programs = f"{folder}/programs"
        # The sources may lie where only their owner can look.
        shutil.copytree(UNPACKED, self.programs, symlinks=True)
        self.ports = {name: free_port()
                      for name in ("imap", "imaps", "smtp", "smtps")}
        self.processes = {}
        account = pwd.getpwnam(USER)
        self.ids = {"user": USER, "uid": account.pw_uid,
                    "gid": account.pw_gid}
        os.chmod(folder, 0o755)
        for name in ("tls", "exim", "cyrus/socket", "cyrus/spool",
                     "cyrus/proc", "cyrus/lock"):
            os.makedirs(f"{folder}/{name}")
        for name in ("server.crt", "server.key", "ca.crt"):
            shutil.copy(f"{first.folder}/tls/{name}", f"{folder}/tls")
        self.add_account(self.env["CA_ADDRESS"], self.env["CA_PASSWORD"])
        run("chown", "-R", f"{USER}:{USER}", folder)

    def write(self, name, template, **more):
        binary = os.path.join(self.programs, "usr/lib/cyrus/bin")
        with open(f"{self.dir}/{name}", "w", encoding="ascii") as file:
            file.write(template.format(
                dir=self.dir, bin=binary, exim=f"{self.programs}/usr/sbin/exim4",
                authserv_id=AUTHSERV_ID, domain=self.env["MAIL_DOMAIN"],
                ca=self.env["CA_ADDRESS"],
                ca_password=self.env["CA_PASSWORD"],
                guest_password=self.env["GUEST_PASSWORD"], **self.ids,
                **self.ports, **more))

    def add_account(self, address, password):
        name, domain = address.split("@")
        run(f"{self.programs}/usr/sbin/saslpasswd2", "-f", f"{self.dir}/sasldb",
            "-p", "-c", "-u", domain, name, stdin=password)

    def spawn(self, name, port, *command, **environment):
        """As the leader of a session, which ends with it."""
        process = self.processes[name] = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
            env={**os.environ, **environment})
        wait_for(f"{name} answers",
                 lambda: is_listening(port) or process.poll() is not None)
        assert process.poll() is None, f"{name}: exit {process.returncode}"

    def start(self, altnamespace=False, without=""):
        """without: capabilities that Cyrus is not to have."""
        self.write("imapd.conf", IMAPD_CONF,
                   more=without and f"suppress_capabilities: {without}",
                   altnamespace="yes" if altnamespace else "no")
        self.write("cyrus.conf", CYRUS_CONF)
        self.write("exim.conf", EXIM_CONF)
        for name, text in ACCOUNTS.items():
            self.write(name, text)
        self.spawn("cyrus", self.ports["imaps"],
                   f"{self.programs}/usr/lib/cyrus/bin/master",
                   "-C", f"{self.dir}/imapd.conf",
                   "-M", f"{self.dir}/cyrus.conf",
                   "-p", f"{self.dir}/cyrus/master.pid",
                   LD_LIBRARY_PATH=f"{self.programs}/usr/lib/x86_64-linux-gnu")
        self.spawn("exim", self.ports["smtps"],
                   f"{self.programs}/usr/sbin/exim4", "-C",
                   f"{self.dir}/exim.conf", "-bdf", "-q2s",
                   LD_PRELOAD="libnss_wrapper.so",
                   NSS_WRAPPER_PASSWD=f"{self.dir}/passwd",
                   NSS_WRAPPER_GROUP=f"{self.dir}/group")

    def stop(self):
        """As a power failure does: asked politely, Cyrus' master may wait for
        ever for a child that was in the middle of something."""
        for process in self.processes.values():
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        for port in self.ports.values():
            wait_for(f"port {port} is free", lambda: not is_listening(port))
        self.processes = {}


def is_listening(port):
    with open("/proc/net/tcp", encoding="ascii") as table:
        return f":{port:04X} 00000000:0000 0A" in table.read()


class SecondSystem(System):
    """The same csrmaild, whose mail goes through Cyrus and Exim."""

    def __init__(self, folder):
        super().__init__(folder)
        self.servers = Servers(self, tempfile.mkdtemp(prefix="second.",
                                                      dir=folder))
        ports = self.servers.ports
        with open(f"{folder}/etc/csrmaild.conf", encoding="utf-8") as file:
            self.shipped = file.read()
        self.conf = self.shipped
        for name, new in (("IMAPS_PORT", ports["imaps"]),
                          ("SMTP_PORT", ports["smtp"])):
            assert f"port = {self.env[name]}" in self.conf, self.conf
            self.conf = self.conf.replace(f"port = {self.env[name]}",
                                          f"port = {new}")
        self.conf = self.conf.replace(self.env["AUTHSERV_ID"], AUTHSERV_ID)
        self.env.update(IMAP_PORT=str(ports["imap"]),
                        IMAPS_PORT=str(ports["imaps"]),
                        SMTP_PORT=str(ports["smtp"]),
                        SMTPS_PORT=str(ports["smtps"]),
                        AUTHSERV_ID=AUTHSERV_ID)

    def new_person(self):
        person = super().new_person()
        self.servers.add_account(person.address, person.password)
        return person
