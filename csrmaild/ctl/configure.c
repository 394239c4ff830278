#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/init.h"
#include "csrmaild/ctl/system.h"
#include "csrmaild/ctl/template.h"

#include "common/ca.h"
#include "common/err.h"
#include "common/issue.h"

#include <string.h>
#include <unistd.h>

#define MAX_CONF_OCTETS	65536
#define ROWS(a)		(sizeof(a) / sizeof((a)[0]))

void
plan_passphrase_file(const struct plan *plan, const char *ca, struct buf *out)
{
	char file[CA_NAME_MAX + 16];

	ca_file_name(ca, ".passphrase", file, sizeof(file));
	buf_printf(out, "%s/%s", plan->conf_dir, file);
}

void
plan_address(const struct plan *plan, const char *folder, const char *suffix,
    struct buf *out)
{
	size_t len = strlen(plan->ocsp_url);

	while (len > 0 && plan->ocsp_url[len - 1] == '/')
		len--;
	if (len == 0)
		return;
	buf_append(out, plan->ocsp_url, len);
	if (folder == NULL) {
		buf_append_str(out, "/");
		return;
	}
	buf_printf(out, "/%s/{ca}%s", folder, suffix);
}

static int
write_filled(struct ctl *ctl, const char *template, const struct fill *fills,
    size_t n, const char *path, struct err *err)
{
	OWNED_BUF(out, MAX_CONF_OCTETS);

	if (template_fill(template_find(template), fills, n, &out, err) != 0)
		return -1;
	/* Holds no secret, and the roles' users read it. */
	return system_make_file(ctl, path, buf_bytes(&out), 0644, err);
}

static int
write_csrmaild(struct ctl *ctl, const struct plan *p, const char *path,
    struct err *err)
{
	OWNED_BUF(policies, 4096);
	OWNED_BUF(spool, 4096);
	OWNED_BUF(passphrase, 4096);
	OWNED_BUF(ocsp, 1024);
	OWNED_BUF(crl, 1024);
	OWNED_BUF(ca, 1024);

	buf_printf(&policies, "%s/policies", p->conf_dir);
	buf_printf(&spool, "%s/spool", p->ocspd_dir);
	plan_passphrase_file(p, p->issuer, &passphrase);
	plan_address(p, NULL, NULL, &ocsp);
	plan_address(p, "crl", ".crl", &crl);
	plan_address(p, "ca", ".crt", &ca);
	const struct fill fills[] = {
		{ "", "state_dir",	p->state_dir,		true },
		{ "", "run_dir",	p->run_dir,		true },
		{ "", "policies_dir",	buf_str(&policies),	true },
		{ "", "ocspd_health",	p->health_listen,	true },
		{ "", "unprivileged",	p->unprivileged ? "true" : NULL,
		    false },
		{ "smtp", "host",	p->smtp_host,		true },
		{ "smtp", "port",	p->smtp_port,		false },
		{ "smtp", "tls",	p->smtp_tls,		false },
		{ "smtp", "ca_file",	p->ca_file,		true },
		{ "smtp", "user",	p->smtp_user,		true },
		{ "smtp", "password_file", p->smtp_password_file, true },
		{ "mailbox", NULL,	"users",		true },
		{ "mailbox", "address",	p->address,		true },
		{ "mailbox", "ca",	p->issuer,		true },
		{ "mailbox", "rules",	"staff",		true },
		{ "mailbox", "folder",	p->folder,		true },
		{ "mailbox", "authserv_id", p->authserv_id,	true },
		{ "mailbox", "trusted_received", p->trusted_received, false },
		{ "mailbox.imap", "host", p->imap_host,		true },
		{ "mailbox.imap", "port", p->imap_port,		false },
		{ "mailbox.imap", "tls", p->imap_tls,		false },
		{ "mailbox.imap", "ca_file", p->ca_file,	true },
		{ "mailbox.imap", "user", p->imap_user,		true },
		{ "mailbox.imap", "password_file", p->imap_password_file,
		    true },
		{ "ca", NULL,		p->issuer,		true },
		{ "ca", "passphrase_file", buf_str(&passphrase), true },
		{ "ca", "ocsp_url",	buf_str(&ocsp),		true },
		{ "ca", "crl_url",	buf_str(&crl),		true },
		{ "ca", "ca_url",	buf_str(&ca),		true },
		{ "ca", "responder_spool", buf_str(&spool),	true },
	};

	return write_filled(ctl, "conf/csrmaild.conf", fills, ROWS(fills),
	    path, err);
}

static int
write_ocspd(struct ctl *ctl, const struct plan *p, struct err *err)
{
	OWNED_BUF(path, 4096);
	OWNED_BUF(store, 4096);
	OWNED_BUF(published, 4096);
	OWNED_BUF(listen, 256);

	/* Without a csrmaild.conf this one is of a run that was cut off. */
	buf_printf(&path, "%s/ocspd.conf", p->conf_dir);
	unlink(buf_str(&path));
	buf_printf(&store, "%s/store.db", p->state_dir);
	buf_printf(&published, "%s/published", p->state_dir);
	/* A list of one: the template quotes texts, not lists. */
	buf_printf(&listen, "{\"%s\"}", p->ocsp_listen);
	if (strpbrk(p->ocsp_listen, "\"\\$ {}") != NULL)
		return ctl_fail(ctl, EX_USAGE, err, "--ocsp-listen: "
		    "ADDRESS:PORT is needed");
	const struct fill fills[] = {
		{ "", "state_dir",	p->ocspd_dir,		true },
		{ "", "store",		buf_str(&store),	true },
		{ "", "published_dir",	buf_str(&published),	true },
		{ "", "listen",		buf_str(&listen),	false },
		{ "", "health_listen",	p->health_listen,	true },
		{ "", "unprivileged",	p->unprivileged ? "true" : NULL,
		    false },
		{ "", "spool_group",	p->unprivileged ? "" : NULL, true },
	};

	return write_filled(ctl, "conf/ocspd.conf", fills, ROWS(fills),
	    buf_str(&path), err);
}

/*
 * Profiles as they are shipped; in the rule sets, example.org stands for the
 * domain of those who get certificates.
 */
static int
write_policies(struct ctl *ctl, const struct plan *p, struct err *err)
{
	const char *at = strrchr(p->staff, '@');

	for (const struct template_file *f = template_files; f->path != NULL;
	    f++) {
		struct bytes text = { f->data, f->len };
		OWNED_BUF(path, 4096);
		OWNED_BUF(staff, MAX_CONF_OCTETS);
		OWNED_BUF(domain, MAX_CONF_OCTETS);

		if (strncmp(f->path, "policies/", 9) != 0)
			continue;
		if (strncmp(f->path, "policies/rules/", 15) == 0) {
			if (template_replace(text, "*@example.org", p->staff,
			    &staff, err) != 0 ||
			    template_replace(buf_bytes(&staff), "example.org",
			    at == NULL ? "example.org" : at + 1, &domain,
			    err) != 0)
				return -1;
			text = buf_bytes(&domain);
		}
		buf_printf(&path, "%s/%s", p->conf_dir, f->path);
		if (system_make_file(ctl, buf_str(&path), text, 0644,
		    err) != 0)
			return -1;
	}
	return 0;
}

int
plan_write_configuration(struct ctl *ctl, const struct plan *plan,
    const char *path, struct err *err)
{
	static const char *const folders[] = { "", "/policies",
		"/policies/profiles", "/policies/rules" };

	/* It goes between quotes in a rule set. */
	if (strpbrk(plan->staff, "\"\\$\n") != NULL)
		return ctl_fail(ctl, EX_USAGE, err, "--staff: a pattern like "
		    "*@example.org is needed");
	for (size_t i = 0; i < ROWS(folders); i++) {
		OWNED_BUF(folder, 4096);

		buf_printf(&folder, "%s%s", plan->conf_dir, folders[i]);
		if (system_make_folder(ctl, buf_str(&folder), "", "", 0755,
		    err) != 0)
			return -1;
	}
	if (write_policies(ctl, plan, err) != 0 ||
	    write_ocspd(ctl, plan, err) != 0)
		return -1;
	return write_csrmaild(ctl, plan, path, err);
}
