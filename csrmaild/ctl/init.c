#include "csrmaild/ctl/init.h"

#include "csrmaild/ctl/ca_make.h"
#include "csrmaild/ctl/ca_plan.h"
#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/hold.h"
#include "csrmaild/ctl/make_ca.h"
#include "csrmaild/ctl/system.h"
#include "csrmaild/ceremony_offline.h"
#include "csrmaild/settings.h"

#include "common/csr.h"
#include "common/err.h"
#include "common/owned.h"

#include <openssl/rand.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * A production CA in one command. The order: nothing is touched before every
 * choice is known; csrmaild.conf gets its name last, so that a system that
 * has one is complete, and after a run that was cut off the same command
 * completes it.
 */
#define ROOT_DAYS	7300
#define ISSUER_DAYS	3650
#define ROOT_CRL_DAYS	365	/* its key is not here to make the next */
#define DAY_S		86400

/*
 * A folder that is to be ours alone: missing, empty, or begun by a run that
 * was cut off. "/var/lib" typed for "/var/lib/csrmail" must not be given away.
 */
static int
check_folder(struct ctl *ctl, const char *path, struct err *err)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	bool foreign = false, begun = false;

	if (dir == NULL && errno == ENOENT)
		return 0;
	if (dir == NULL)
		return ctl_fail(ctl, EX_CANTCREAT, err, "%s: %s", path,
		    strerror(errno));
	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, "keys") == 0)
			begun = true;
		else if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			foreign = true;
	}
	closedir(dir);
	return !foreign || begun ? 0 : ctl_fail(ctl, EX_CANTCREAT, err,
	    "%s: is not empty, and not a CA's: choose another", path);
}

static int
refuse_existing(struct ctl *ctl, const struct plan *plan, struct err *err)
{
	OWNED_BUF(conf, 4096);

	if (check_folder(ctl, plan->state_dir, err) != 0 ||
	    check_folder(ctl, plan->ocspd_dir, err) != 0)
		return -1;
	buf_printf(&conf, "%s/csrmaild.conf", plan->conf_dir);
	if (access(buf_str(&conf), F_OK) == 0 || errno != ENOENT)
		return ctl_fail(ctl, EX_CANTCREAT, err, "%s: there is a CA "
		    "already, and nothing is changed", buf_str(&conf));
	return 0;
}

/*
 * docs/architecture.md tells who may read what. The state folder lets others
 * through (1), but not look: what is below has modes of its own. The store's
 * files inherit the group, to which ocspd belongs.
 */
static int
make_folders(struct ctl *ctl, const struct plan *p, struct err *err)
{
	const struct {
		const char	*base, *below, *user, *group;
		mode_t		 mode;
	} folders[] = {
		{ p->state_dir, "",	"csrmail", "csrmail",		02751 },
		{ p->state_dir, "/keys", "csrmail-sign", "csrmail-sign",
		    0700 },
		{ p->state_dir, "/journal", "csrmail-sign", "csrmail-sign",
		    0700 },
		{ p->state_dir, "/published", "csrmail", "csrmail",	0755 },
		{ p->run_dir,	"",	"", "",				0755 },
		{ p->ocspd_dir, "",	"ocspd", "ocspd",		0755 },
		{ p->ocspd_dir, "/keys", "ocspd", "ocspd",		0700 },
		/* ocspd asks here, the registrar reads. */
		{ p->ocspd_dir, "/spool", "ocspd", "csrmail",		02750 },
	};

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		OWNED_BUF(path, 4096);

		buf_printf(&path, "%s%s", folders[i].base, folders[i].below);
		if (system_make_folder(ctl, buf_str(&path),
		    p->unprivileged ? "" : folders[i].user,
		    p->unprivileged ? "" : folders[i].group, folders[i].mode,
		    err) != 0)
			return -1;
	}
	return 0;
}

/*
 * 128 random bits in a file that only main reads. *kept: a run that was cut
 * off had made it, and perhaps the CA too.
 */
static int
make_passphrase(struct ctl *ctl, const struct plan *plan, const char *ca,
    struct buf *out, bool *kept, struct err *err)
{
	OWNED_BUF(path, 4096);
	uint8_t octets[16];
	char text[33];

	plan_passphrase_file(plan, ca, &path);
	*kept = access(buf_str(&path), F_OK) == 0;
	if (*kept)
		return make_ca_passphrase(ctl, buf_str(&path), out, err);
	if (RAND_priv_bytes(octets, sizeof(octets)) != 1)
		return err_openssl(err, ERR_FAULT, "drawing a passphrase");
	hex_encode((struct bytes){ octets, sizeof(octets) }, text);
	buf_append_str(out, text);
	explicit_bzero(octets, sizeof(octets));
	explicit_bzero(text, sizeof(text));
	return system_make_file(ctl, buf_str(&path), buf_bytes(out), 0600,
	    err);
}

static int
name_ca(const struct plan *plan, const char *what, struct names *out,
    struct err *err)
{
	char cn[NAME_TEXT_MAX];

	snprintf(cn, sizeof(cn), "%s %s", plan->name, what);
	if (names_add_attribute(out, NID_organizationName,
	    bytes_of(plan->name), err) != 0)
		return -1;
	return names_add_attribute(out, NID_commonName, bytes_of(cn), err);
}

/* The root and its first CRL, then the CA that issues; what the root has is
 * found where the issuer's things are. */
static int
make_cas(struct ctl *ctl, const struct plan *plan, struct err *err)
{
	struct ca_plan root = { .validity_s = (int64_t)ROOT_DAYS * DAY_S,
		.path_len = -1 };
	struct ca_plan issuer = { .validity_s = (int64_t)ISSUER_DAYS * DAY_S,
		.path_len = 0 };
	__attribute__((cleanup(buf_wipe))) struct buf root_pass = BUF(64);
	__attribute__((cleanup(buf_wipe))) struct buf issuer_pass = BUF(64);
	struct make_ca in = { .name = plan->root, .plan = &root,
		.ocsp_url = "" };
	HOLDING hold = HOLD;
	OWNED_BUF(crl_url, 1024);
	OWNED_BUF(ca_url, 1024);
	int r = -1;

	plan_address(plan, "crl", ".crl", &crl_url);
	plan_address(plan, "ca", ".crt", &ca_url);
	in.crl_url = buf_str(&crl_url);
	in.ca_url = buf_str(&ca_url);
	if (name_ca(plan, "Root CA", &root.subject, err) == 0 &&
	    name_ca(plan, "Issuing CA", &issuer.subject, err) == 0 &&
	    make_ca_key(ctl, plan->root_key, &root.key_kind, &root.key_bits,
	    err) == 0 && make_ca_key(ctl, plan->issuer_key, &issuer.key_kind,
	    &issuer.key_bits, err) == 0 &&
	    make_passphrase(ctl, plan, plan->root, &root_pass, &in.keep,
	    err) == 0 && hold_open(ctl, &hold, err) == 0) {
		in.passphrase = buf_bytes(&root_pass);
		r = make_ca(&hold, &in, err);
	}
	if (r == 0)
		r = ceremony_first_crl(&hold.ceremony, plan->root,
		    buf_bytes(&root_pass), ROOT_CRL_DAYS * DAY_S, err);
	if (r == 0)
		r = make_passphrase(ctl, plan, plan->issuer, &issuer_pass,
		    &in.keep, err);
	if (r == 0) {
		in.name = plan->issuer;
		in.plan = &issuer;
		in.passphrase = buf_bytes(&issuer_pass);
		in.parent = plan->root;
		in.parent_passphrase = buf_bytes(&root_pass);
		r = make_ca(&hold, &in, err);
	}
	ca_plan_free(&root);
	ca_plan_free(&issuer);
	return r;
}

/* Where the root is elsewhere: the issuer's key, and a request for it. */
static int
request_issuer(struct ctl *ctl, const struct plan *plan, const char *path,
    struct err *err)
{
	__attribute__((cleanup(names_free))) struct names subject = { 0 };
	__attribute__((cleanup(buf_wipe))) struct buf passphrase = BUF(64);
	struct ceremony_ca ca = { .name = plan->issuer, .subject = &subject };
	OWNED_BUF(der, CSR_MAX_OCTETS);
	HOLDING hold = HOLD;
	bool kept;

	if (name_ca(plan, "Issuing CA", &subject, err) != 0 ||
	    make_ca_key(ctl, plan->issuer_key, &ca.key_kind, &ca.key_bits,
	    err) != 0 || make_passphrase(ctl, plan, plan->issuer, &passphrase,
	    &kept, err) != 0 || hold_open(ctl, &hold, err) != 0)
		return -1;
	ca.passphrase = buf_bytes(&passphrase);
	return ceremony_request(&hold.ceremony, &ca, &der, err) != 0 ? -1 :
	    system_make_file(ctl, path, buf_bytes(&der), 0644, err);
}

/* The ceremonies work by it too. */
static int
check_configuration(struct ctl *ctl, const char *path, struct err *err)
{
	if (settings_read(path, &ctl->settings, err) == 0)
		return 0;
	ctl->exit_code = EX_CONFIG;
	return -1;
}

static void
tell_json(const struct ctl *ctl, const struct plan *p)
{
	const char *request = ctl_option(ctl, "request");
	json_t *out = json_pack("{s:s+, s:s+, s:s, s:s}",
	    "conf", p->conf_dir, "/csrmaild.conf",
	    "ocspd_conf", p->conf_dir, "/ocspd.conf",
	    "state_dir", p->state_dir, "issuer", p->issuer);

	json_object_set_new(out, request == NULL ? "root" : "request",
	    json_string(request == NULL ? p->root : request));
	table_print_json(out);
	json_decref(out);
}

/* With a service manager at work, and in the place that its units name. */
static bool
has_units(const struct plan *p)
{
	return access("/run/systemd/system", F_OK) == 0 && !p->unprivileged &&
	    strcmp(p->conf_dir, "/etc/csrmail") == 0;
}

static void
tell_start(const struct plan *p, int step)
{
	if (has_units(p))
		printf("  %d. systemctl daemon-reload, and\n"
		    "     systemctl enable --now csrmaild ocspd\n", step);
	else
		printf("  %d. Start csrmaild -c %s/csrmaild.conf\n"
		    "     and ocspd -c %s/ocspd.conf.\n", step, p->conf_dir,
		    p->conf_dir);
	printf("  %d. csrmail -c %s/csrmaild.conf status\n", step + 1,
	    p->conf_dir);
}

static void
tell(const struct ctl *ctl, const struct plan *p)
{
	const char *request = ctl_option(ctl, "request");
	OWNED_BUF(passphrase, 4096);

	plan_passphrase_file(p, p->root, &passphrase);
	printf("The CA is ready%s.\n\n"
	    "  configuration  %s/csrmaild.conf, %s/ocspd.conf\n"
	    "  policies       %s/policies\n"
	    "  state          %s, %s\n"
	    "  %s        %s\n"
	    "  issuing CA     %s\n\n"
	    "What to do next:\n",
	    request == NULL ? "" : " for its certificate",
	    p->conf_dir, p->conf_dir, p->conf_dir, p->state_dir,
	    p->ocspd_dir, request == NULL ? "root CA" : "request",
	    request == NULL ? p->root : request, p->issuer);
	if (request == NULL) {
		printf("  1. Take the root's key away: move %s/keys/%s.key "
		    "and\n"
		    "     %s to two places that are not this machine.\n"
		    "     Only a new CA below the root, and the root's next "
		    "CRL, need them.\n",
		    p->state_dir, p->root, buf_str(&passphrase));
		tell_start(p, 2);
	} else {
		printf("  1. Carry %s to the root, and have it signed there "
		    "(csrmail ca sign).\n"
		    "  2. Carry the .p7c back:\n"
		    "     csrmail -c %s/csrmaild.conf ca install %s FILE.p7c\n",
		    request, p->conf_dir, p->issuer);
		tell_start(p, 3);
	}
	if (p->authserv_id[0] == '\0')
		printf("\nNobody's Authentication-Results are believed "
		    "(authserv_id is empty), so every\nrequest is held for a "
		    "person.\n");
}

static int
make_all(struct ctl *ctl, const struct plan *plan, struct err *err)
{
	const char *request = ctl_option(ctl, "request");
	OWNED_BUF(new, 4096);
	OWNED_BUF(conf, 4096);
	unsigned int made = 0;

	buf_printf(&conf, "%s/csrmaild.conf", plan->conf_dir);
	buf_printf(&new, "%s.new", buf_str(&conf));
	if (refuse_existing(ctl, plan, err) != 0)
		return -1;
	unlink(buf_str(&new));
	if (plan_write_configuration(ctl, plan, buf_str(&new), err) != 0 ||
	    check_configuration(ctl, buf_str(&new), err) != 0 ||
	    (!plan->unprivileged &&
	    system_make_users(ctl, &made, err) != 0) ||
	    make_folders(ctl, plan, err) != 0 ||
	    (request == NULL ? make_cas(ctl, plan, err) :
	    request_issuer(ctl, plan, request, err)) != 0)
		return -1;
	if (rename(buf_str(&new), buf_str(&conf)) != 0)
		return err_errno(err, ERR_FAULT, "naming csrmaild.conf");
	if (made > 0 && !ctl->json)
		printf("%u users and groups were made.\n", made);
	return 0;
}

int
ctl_init(struct ctl *ctl, struct err *err)
{
	__attribute__((cleanup(plan_free_contents))) struct plan plan = { 0 };
	int r = plan_make(ctl, &plan, err);

	if (r == 0)
		r = make_all(ctl, &plan, err);
	/* Under the name that the configuration had for the time of it. */
	settings_free(ctl->settings);
	ctl->settings = NULL;
	if (r == 0 && ctl->json)
		tell_json(ctl, &plan);
	else if (r == 0)
		tell(ctl, &plan);
	return r;
}
