#include "csrmaild/settings_private.h"

#include "common/ca.h"
#include "common/err.h"
#include "common/frame.h"
#include "common/keystore_token.h"
#include "csrmaild/bundle.h"
#include "csrmaild/policy.h"
#include "csrmaild/secrets.h"
#include "csrmaild/smime.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
settings_copy_str(cfg_t *section, const char *key, char **out, struct err *err)
{
	*out = strdup(cfg_getstr(section, key));
	return *out == NULL ? err_set(err, ERR_FAULT, "out of memory") : 0;
}

int
settings_check_path(cfg_t *section, const char *key, struct err *err)
{
	const char *path = cfg_getstr(section, key);

	if (path[0] == '\0' || path[0] == '/')
		return 0;
	return config_fail(section, key, err,
	    "found \"%s\", allowed is a path that begins with /", path);
}

static int
read_sections(cfg_t *cfg, struct settings *out, struct err *err)
{
	size_t n_mailboxes = cfg_size(cfg, "mailbox");
	size_t n_cas = cfg_size(cfg, "ca");

	out->mailboxes = calloc(n_mailboxes + 1, sizeof(*out->mailboxes));
	out->cas = calloc(n_cas + 1, sizeof(*out->cas));
	if (out->mailboxes == NULL || out->cas == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	if (n_mailboxes > 16)
		return err_set(err, ERR_FAULT, "%s: more than 16 mailboxes",
		    out->path);
	/* Counted first, so that freeing sees one that was read in part. */
	for (size_t i = 0; i < n_cas; i++) {
		out->n_cas++;
		if (settings_read_ca(cfg_getnsec(cfg, "ca", (unsigned int)i),
		    &out->cas[i], err) == -1)
			return -1;
	}
	for (size_t i = 0; i < n_mailboxes; i++) {
		out->n_mailboxes++;
		if (settings_read_mailbox(cfg_getnsec(cfg, "mailbox",
		    (unsigned int)i), &out->mailboxes[i], err) == -1)
			return -1;
	}
	return 0;
}

static int
read_settings(cfg_t *cfg, struct settings *out, struct err *err)
{
	static const char *const levels[] = { "debug", "info", "warn", "error",
		NULL };
	size_t level;

	if (config_check_given(cfg, "state_dir", err) == -1 ||
	    config_check_given(cfg, "run_dir", err) == -1 ||
	    config_check_given(cfg, "policies_dir", err) == -1 ||
	    settings_check_path(cfg, "state_dir", err) == -1 ||
	    settings_check_path(cfg, "run_dir", err) == -1 ||
	    settings_check_path(cfg, "policies_dir", err) == -1 ||
	    settings_check_path(cfg, "templates_dir", err) == -1 ||
	    config_check_word(cfg, "log_level", levels, &level, err) == -1 ||
	    config_check_range(cfg, "replies_per_hour", 1, 100000,
	    err) == -1 || config_check_range(cfg, "challenges_per_hour", 1,
	    100000, err) == -1)
		return -1;
	/* Two names are longer than a socket's address takes: find out now. */
	if (strlen(cfg_getstr(cfg, "run_dir")) > 90)
		return config_fail(cfg, "run_dir", err,
		    "longer than 90 octets: a socket is made in it");
	out->unprivileged = cfg_getbool(cfg, "unprivileged");
	out->ocspd_health = strdup(cfg_getstr(cfg, "ocspd_health"));
	if (out->ocspd_health == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	if (strpbrk(out->ocspd_health, "/@ ") != NULL)
		return config_fail(cfg, "ocspd_health", err, "found \"%s\", "
		    "allowed ADDRESS:PORT, as ocspd.conf's health_listen",
		    out->ocspd_health);
	out->challenges_per_hour =
	    (unsigned int)cfg_getint(cfg, "challenges_per_hour");
	out->replies_per_hour =
	    (unsigned int)cfg_getint(cfg, "replies_per_hour");
	if (settings_copy_str(cfg, "state_dir", &out->state_dir, err) == -1 ||
	    settings_copy_str(cfg, "run_dir", &out->run_dir, err) == -1 ||
	    settings_copy_str(cfg, "policies_dir", &out->policies_dir, err) == -1 ||
	    settings_copy_str(cfg, "log_level", &out->log_level, err) == -1)
		return -1;
	if (settings_read_token(cfg, &out->token, err) == -1 ||
	    settings_read_smtp(cfg, &out->smtp, &out->smtp_sessions, err) == -1)
		return -1;
	return read_sections(cfg, out, err);
}

/* --- the files together --------------------------------------------------------- */

/* Behind all rules in the bundle. */
static int
set_secrets(struct settings *s, const struct bundle_file *file,
    struct err *err)
{
	if (!secrets_are_whole(file->text))
		return err_set(err, ERR_FAULT,
		    "the configuration bundle is broken");
	for (size_t i = 0; i < s->n_rules; i++)
		rules_set_secrets(s->rules[i], file->path, file->text);
	return 0;
}

/* For every mailbox that names the file. */
static void
set_anchors(struct settings *s, const struct bundle_file *file)
{
	for (size_t i = 0; i < s->n_mailboxes; i++)
		if (strcmp(s->mailboxes[i].smime_anchors_file,
		    file->path) == 0)
			s->mailboxes[i].smime_anchors = file->text;
}

static int
parse_file(struct settings *s, const struct bundle_file *file, struct err *err)
{
	switch (file->kind) {
	case BUNDLE_CONF:
		return err_set(err, ERR_FAULT, "two configurations");
	case BUNDLE_PROFILE:
		if (s->n_profiles == BUNDLE_MAX_FILES)
			return err_set(err, ERR_FAULT, "too many profiles");
		if (profile_parse(file->name, file->path, file->text,
		    &s->profiles[s->n_profiles], err) == -1)
			return -1;
		s->n_profiles++;
		return 0;
	case BUNDLE_RULES:
		if (s->n_rules == BUNDLE_MAX_FILES)
			return err_set(err, ERR_FAULT, "too many rule sets");
		if (rules_parse(file->name, file->path, file->text,
		    &s->rules[s->n_rules], err) == -1)
			return -1;
		s->n_rules++;
		return 0;
	case BUNDLE_SECRETS:
		return set_secrets(s, file, err);
	case BUNDLE_ANCHORS:
		set_anchors(s, file);
		return 0;
	case BUNDLE_WORDING:
		return wordings_add(s->wordings, file->name, file->path,
		    file->text, err);
	}
	return -1;
}

/* What one file says of another. */
static int
check_references(cfg_t *cfg, const struct settings *s, struct err *err)
{
	for (size_t i = 0; i < s->n_mailboxes; i++) {
		const struct mailbox_settings *m = &s->mailboxes[i];
		cfg_t *section = cfg_getnsec(cfg, "mailbox", (unsigned int)i);

		if (settings_ca(s, m->ca) == NULL)
			return config_fail(section, "ca", err,
			    "found \"%s\", but there is no section ca \"%s\"",
			    m->ca, m->ca);
		if (settings_profile(s, m->profile) == NULL)
			return config_fail(section, "profile", err,
			    "found \"%s\", but there is no %s/profiles/%s.conf",
			    m->profile, s->policies_dir, m->profile);
		if (settings_rules(s, m->rules) == NULL)
			return config_fail(section, "rules", err,
			    "found \"%s\", but there is no %s/rules/%s.conf",
			    m->rules, s->policies_dir, m->rules);
	}
	return 0;
}

static int
parse_bundle(struct settings *s, struct err *err)
{
	struct cursor c = CURSOR(s->bundle);
	OWNED(cfg_t) *cfg = NULL;
	struct bundle_file file;

	s->profiles = calloc(BUNDLE_MAX_FILES, sizeof(*s->profiles));
	s->rules = calloc(BUNDLE_MAX_FILES, sizeof(*s->rules));
	if (s->profiles == NULL || s->rules == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	if (wordings_new(&s->wordings, err) == -1)
		return -1;
	if (bundle_next(&c, &file, err) == -1)
		return -1;
	s->path = strdup(file.path);
	if (file.kind != BUNDLE_CONF || s->path == NULL)
		return err_set(err, ERR_FAULT,
		    "the configuration bundle is broken");
	if (config_parse(file.path, file.text, settings_opts, &cfg, err) ==
	    -1 || read_settings(cfg, s, err) == -1)
		return -1;
	while (c.left.len > 0)
		if (bundle_next(&c, &file, err) == -1 ||
		    parse_file(s, &file, err) == -1)
			return -1;
	return settings_check_drops(cfg, s, err) == -1 ? -1 :
	    check_references(cfg, s, err);
}

/* The other folders stand in the file itself: a first look. */
static int
find_folders(const char *path, struct bytes bundle, char dir[PATH_MAX],
    char templates[PATH_MAX], struct err *err)
{
	struct cursor c = CURSOR(bundle);
	OWNED(cfg_t) *cfg = NULL;
	struct bundle_file file;

	if (bundle_next(&c, &file, err) == -1 ||
	    config_parse(path, file.text, settings_opts, &cfg, err) == -1)
		return -1;
	snprintf(dir, PATH_MAX, "%s", cfg_getstr(cfg, "policies_dir"));
	snprintf(templates, PATH_MAX, "%s", cfg_getstr(cfg, "templates_dir"));
	return 0;
}

int
settings_read(const char *path, struct settings **out, struct err *err)
{
	OWNED_STRUCT(settings) *s = calloc(1, sizeof(*s));
	OWNED_BUF(bundle, BUNDLE_MAX_OCTETS);
	char dir[PATH_MAX], templates[PATH_MAX];

	if (s == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	if (bundle_add_file(&bundle, BUNDLE_CONF, "", path, err) == -1 ||
	    find_folders(path, buf_bytes(&bundle), dir, templates,
	    err) == -1 ||
	    bundle_add_folder(&bundle, BUNDLE_PROFILE, dir, "profiles",
	    err) == -1 ||
	    bundle_add_folder(&bundle, BUNDLE_RULES, dir, "rules", err) == -1 ||
	    (templates[0] != '\0' && bundle_add_templates(&bundle, templates,
	    err) == -1))
		return -1;
	s->bundle = buf_bytes(&bundle);
	bundle = BUF(0);	/* the settings own the octets now */
	if (parse_bundle(s, err) == -1)
		return -1;
	*out = TAKE(s);
	return 0;
}

int
settings_decode(int fd, struct settings **out, struct err *err)
{
	OWNED_STRUCT(settings) *s = calloc(1, sizeof(*s));
	OWNED_BUF(bundle, BUNDLE_MAX_OCTETS);

	if (s == NULL) {
		close(fd);
		return err_set(err, ERR_FAULT, "out of memory");
	}
	if (bundle_from_fd(fd, &bundle, err) == -1)
		return -1;
	s->bundle = buf_bytes(&bundle);
	bundle = BUF(0);
	if (parse_bundle(s, err) == -1)
		return -1;
	*out = TAKE(s);
	return 0;
}

/* Is it in the bundle already, for another rule or mailbox? */
static bool
has_file(struct bytes bundle, enum bundle_kind kind, const char *path)
{
	struct cursor c = CURSOR(bundle);
	struct bundle_file file;
	struct err err;

	while (c.left.len > 0 && bundle_next(&c, &file, &err) == 0)
		if (file.kind == kind && strcmp(file.path, path) == 0)
			return true;
	return false;
}

static int
add_secrets(const struct rules *rules, struct buf *bundle, struct err *err)
{
	OWNED_BUF(digests, SECRETS_DIGESTS_MAX);
	const char *path;

	for (size_t i = 0; (path = rules_challenge_file(rules, i)) != NULL;
	    i++) {
		if (path[0] == '\0' ||
		    has_file(buf_bytes(bundle), BUNDLE_SECRETS, path))
			continue;
		if (secrets_read(path, &digests, err) == -1 ||
		    bundle_add_text(bundle, BUNDLE_SECRETS, "", path,
		    buf_bytes(&digests), err) == -1)
			return -1;
	}
	return 0;
}

/* Certificates are no secret, but a file that others may write is no anchor. */
static int
add_anchors(const struct mailbox_settings *m, struct buf *bundle,
    struct err *err)
{
	const char *path = m->smime_anchors_file;
	OWNED_BUF(pem, BUNDLE_MAX_FILE_OCTETS);
	unsigned int n;

	if (path[0] == '\0' ||
	    has_file(buf_bytes(bundle), BUNDLE_ANCHORS, path))
		return 0;
	if (config_read_file(path, BUNDLE_MAX_FILE_OCTETS, &pem, err) == -1)
		return -1;
	if (!smime_anchors_are_whole(buf_bytes(&pem), &n))
		return err_set(err, ERR_FAULT, "%s: smime_anchors of mailbox "
		    "\"%s\": found something else than whole certificates in "
		    "PEM", path, m->title);
	return bundle_add_text(bundle, BUNDLE_ANCHORS, "", path,
	    buf_bytes(&pem), err);
}

int
settings_read_secrets(struct settings *s, struct err *err)
{
	OWNED_BUF(bundle, BUNDLE_MAX_OCTETS);
	struct bundle_file file;
	struct cursor c;

	buf_append_bytes(&bundle, s->bundle);
	for (size_t i = 0; i < s->n_rules; i++)
		if (add_secrets(s->rules[i], &bundle, err) == -1)
			return -1;
	for (size_t i = 0; i < s->n_mailboxes; i++)
		if (add_anchors(&s->mailboxes[i], &bundle, err) == -1)
			return -1;
	if (bundle.failed)
		return err_set(err, ERR_RETRY, "out of memory");
	free((void *)(uintptr_t)s->bundle.data);
	s->bundle = buf_bytes(&bundle);
	bundle = BUF(0);	/* the settings own the octets now */
	/* What parse_bundle does for the roles. */
	c = CURSOR(s->bundle);
	while (c.left.len > 0)
		if (bundle_next(&c, &file, err) == -1 ||
		    ((file.kind == BUNDLE_SECRETS ||
		    file.kind == BUNDLE_ANCHORS) &&
		    parse_file(s, &file, err) == -1))
			return -1;
	return 0;
}

int
settings_bundle_fd(const struct settings *s, struct err *err)
{
	return bundle_to_fd(s->bundle, err);
}

void
settings_free(struct settings *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n_mailboxes; i++)
		settings_free_mailbox(&s->mailboxes[i]);
	for (size_t i = 0; i < s->n_cas; i++)
		settings_free_ca(&s->cas[i]);
	for (size_t i = 0; i < s->n_profiles; i++)
		profile_free(s->profiles[i]);
	for (size_t i = 0; i < s->n_rules; i++)
		rules_free(s->rules[i]);
	free(s->mailboxes);
	free(s->cas);
	wordings_free(s->wordings);
	free(s->profiles);
	free(s->rules);
	settings_free_server(&s->smtp);
	settings_free_token(&s->token);
	free(s->path);
	free(s->state_dir);
	free(s->run_dir);
	free(s->policies_dir);
	free(s->log_level);
	free(s->ocspd_health);
	free((void *)(uintptr_t)s->bundle.data);
	free(s);
}

int
settings_use_token(const struct settings *s, struct err *err)
{
	const struct token_settings *t = &s->token;

	return token_use_module(t->module == NULL ? "" : t->module,
	    (const char *const *)t->environment, t->n_environment, err);
}

const struct mailbox_settings *
settings_mailbox(const struct settings *s, const char *title)
{
	for (size_t i = 0; i < s->n_mailboxes; i++)
		if (strcmp(s->mailboxes[i].title, title) == 0)
			return &s->mailboxes[i];
	return NULL;
}

bool
settings_is_drop(const struct mailbox_settings *m)
{
	return m->inbox != NULL && m->inbox[0] != '\0';
}

bool
settings_signs(const struct mailbox_settings *m)
{
	const char *file = m->smime_files[SEAL_CERTIFICATE];

	return file != NULL && file[0] != '\0';
}

/* Lines are known to the parser alone: the file is parsed once more. */
int
settings_refuse(const struct settings *s, const char *title, const char *key,
    const char *why, struct err *err)
{
	struct cursor c = CURSOR(s->bundle);
	OWNED(cfg_t) *cfg = NULL;
	struct bundle_file file;

	if (bundle_next(&c, &file, err) == -1 ||
	    config_parse(file.path, file.text, settings_opts, &cfg, err) == -1)
		return -1;
	return config_fail(cfg_gettsec(cfg, "mailbox", title), key, err, "%s",
	    why);
}

const struct ca_settings *
settings_ca(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->n_cas; i++)
		if (ca_is_of_family(name, s->cas[i].name))
			return &s->cas[i];
	return NULL;
}

const struct profile *
settings_profile(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->n_profiles; i++)
		if (strcmp(s->profiles[i]->name, name) == 0)
			return s->profiles[i];
	return NULL;
}

const struct rules *
settings_rules(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->n_rules; i++)
		if (strcmp(rules_name(s->rules[i]), name) == 0)
			return s->rules[i];
	return NULL;
}
