#include "csrmaild/settings_private.h"

#include "common/err.h"
#include "csrmaild/dkim_key.h"
#include "csrmaild/wire.h"

#include <stdlib.h>
#include <string.h>

#define SETTINGS_MAX_PATH	4000	/* of a folder, with dir: */

/* One mailbox and nothing else: what may stand in a header and an envelope. */
static int
check_address(cfg_t *section, const char *key, struct err *err)
{
	const char *v = cfg_getstr(section, key), *at = strrchr(v, '@');

	if (at == NULL || at == v || at[1] == '\0' ||
	    strlen(v) > MAILBOX_MAX)
		return config_fail(section, key, err,
		    "found \"%s\", allowed is an address like ca@example.org",
		    v);
	for (const char *p = v; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f ||
		    strchr("<>()[]\\,;:\"", *p) != NULL)
			return config_fail(section, key, err,
			    "found \"%s\": an octet that an address cannot "
			    "have here", v);
	return 0;
}

static int
read_mailbox_limits(cfg_t *s, struct mailbox_settings *out, struct err *err)
{
	static const struct {
		const char	*key;
		long		 lo, hi;
	} ranges[] = {
		{ "poll_interval_s",	1,	3600 },
		{ "batch",		1,	50 },
		{ "max_message_octets",	1024,	WIRE_MAX_MESSAGE },
		{ "max_header_octets",	1024,	1 << 20 },
		{ "max_parts",		1,	WIRE_MAX_PARTS },
		{ "max_depth",		1,	50 },
		{ "trusted_received",	0,	10 },
		{ "challenge_expires_s", 600,	2592000 },
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (config_check_range(s, ranges[i].key, ranges[i].lo,
		    ranges[i].hi, err) == -1)
			return -1;
	out->poll_interval_s = (unsigned int)cfg_getint(s, "poll_interval_s");
	out->batch = (unsigned int)cfg_getint(s, "batch");
	out->max_message_octets =
	    (uint32_t)cfg_getint(s, "max_message_octets");
	out->max_header_octets = (uint32_t)cfg_getint(s, "max_header_octets");
	out->max_parts = (unsigned int)cfg_getint(s, "max_parts");
	out->max_depth = (unsigned int)cfg_getint(s, "max_depth");
	out->trusted_received =
	    (unsigned int)cfg_getint(s, "trusted_received");
	out->challenge_expires_s = cfg_getint(s, "challenge_expires_s");
	out->answer_unverified = cfg_getbool(s, "answer_unverified");
	return 0;
}

/* --- a drop folder ------------------------------------------------------- */

/* "dir:/srv/csrmail/in" */
static int
read_folder(cfg_t *s, const char *key, char **out, struct err *err)
{
	const char *v = cfg_getstr(s, key);
	size_t n;

	if (strncmp(v, "dir:/", 5) != 0 || v[5] == '\0' ||
	    strlen(v) > SETTINGS_MAX_PATH)
		return config_fail(s, key, err, "found \"%.80s\", allowed is "
		    "dir: and a path that begins with /, like "
		    "dir:/srv/csrmail/in", v);
	*out = strdup(v + 4);
	if (*out == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	for (n = strlen(*out); n > 1 && (*out)[n - 1] == '/'; n--)
		(*out)[n - 1] = '\0';
	return 0;
}

/* Files are moved into these: names in the inbox, and no path. */
static int
check_folder_names(cfg_t *s, const struct mailbox_settings *m,
    struct err *err)
{
	static const char *const keys[] = {
		[OUTCOME_PROCESSED] = "processed", [OUTCOME_HELD] = "held",
		[OUTCOME_REJECTED] = "rejected",
		[OUTCOME_UNREADABLE] = "unreadable",
	};

	for (int i = OUTCOME_PROCESSED; i <= OUTCOME_UNREADABLE; i++) {
		const char *name = m->folders[i];

		if (strchr(name, '/') != NULL || name[0] == '.' ||
		    strlen(name) > 200)
			return config_fail(s, keys[i], err, "found \"%.80s\", "
			    "allowed is the name of a folder in the inbox, "
			    "without / and without a dot in front", name);
	}
	return 0;
}

static int
read_drop(cfg_t *s, struct mailbox_settings *out, struct err *err)
{
	if (cfg_getstr(cfg_getsec(s, "imap"), "host")[0] != '\0')
		return config_fail(s, "inbox", err, "there is a section imap "
		    "as well: a mailbox is either a folder or on a server");
	if (read_folder(s, "inbox", &out->inbox, err) == -1 ||
	    config_check_given(s, "outbox", err) == -1 ||
	    read_folder(s, "outbox", &out->outbox, err) == -1)
		return -1;
	return check_folder_names(s, out, err);
}

static int
read_source(cfg_t *s, struct mailbox_settings *out, struct err *err)
{
	if (cfg_getstr(s, "inbox")[0] != '\0')
		return read_drop(s, out, err);
	if (cfg_getstr(s, "outbox")[0] != '\0')
		return config_fail(s, "outbox", err, "it belongs to a folder: "
		    "inbox = \"dir:...\" is missing");
	return settings_read_server(cfg_getsec(s, "imap"), true, &out->imap,
	    err);
}

/* One is the other, or lies in it. */
static bool
overlap(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b);

	return strncmp(a, b, na < nb ? na : nb) == 0 &&
	    (na == nb || (na < nb ? b[na] : a[nb]) == '/');
}

int
settings_check_drops(cfg_t *cfg, const struct settings *s, struct err *err)
{
	for (size_t i = 0; i < s->n_mailboxes; i++)
		for (size_t j = 0; j < s->n_mailboxes; j++) {
			const struct mailbox_settings *a = &s->mailboxes[i];
			const struct mailbox_settings *b = &s->mailboxes[j];
			cfg_t *section = cfg_getnsec(cfg, "mailbox",
			    (unsigned int)i);

			if (!settings_is_drop(a) || !settings_is_drop(b))
				continue;
			if (overlap(a->outbox, b->inbox))
				return config_fail(section, "outbox", err,
				    "%.150s is also the inbox of mailbox "
				    "\"%s\", or one lies in the other: answers "
				    "would be read as requests", a->outbox,
				    b->title);
			if (i != j && overlap(a->inbox, b->inbox))
				return config_fail(section, "inbox", err,
				    "%.150s is also the inbox of mailbox "
				    "\"%s\", or one lies in the other", a->inbox,
				    b->title);
		}
	return 0;
}

/* All that it takes to sign, or nothing. */
static int
read_smime_files(cfg_t *s, struct mailbox_settings *out, struct err *err)
{
	const char *certificate = seal_file_key(SEAL_CERTIFICATE);
	const char *key = seal_file_key(SEAL_KEY);

	for (int i = 0; i < SEAL_FILES; i++) {
		const char *name = seal_file_key((enum seal_file)i);

		if (settings_copy_str(s, name, &out->smime_files[i],
		    err) == -1 || settings_check_path(s, name, err) == -1)
			return -1;
		if (out->smime_files[i][0] != '\0' &&
		    (config_check_given(s, certificate, err) == -1 ||
		    config_check_given(s, key, err) == -1))
			return -1;
	}
	return 0;
}

/* Who verifies DKIM, and whom it asks for keys. */
static int
read_dkim(cfg_t *s, struct mailbox_settings *out, struct err *err)
{
	static const char *const words[] = { "authserv", "verify", NULL };
	size_t word = 0;

	if (config_check_word(s, "dkim", words, &word, err) == -1 ||
	    settings_copy_str(s, "resolver", &out->resolver, err) == -1)
		return -1;
	out->verify_dkim = word == 1;
	if (out->verify_dkim && cfg_getstr(s, "inbox")[0] != '\0')
		return config_fail(s, "dkim", err, "found \"verify\", which is "
		    "for a mailbox on a server: files change on their way");
	if (out->resolver[0] == '\0')
		return 0;
	if (!out->verify_dkim)
		return config_fail(s, "resolver", err,
		    "it is for dkim = verify");
	if (dkim_keys_check_resolver(out->resolver) == -1)
		return config_fail(s, "resolver", err, "found \"%s\", allowed "
		    "is an address, with :PORT or without, like 127.0.0.1 or "
		    "[::1]:53", out->resolver);
	return 0;
}

int
settings_read_mailbox(cfg_t *s, struct mailbox_settings *out, struct err *err)
{
	const struct {
		const char	*key;
		char		**to;
	} strings[] = {
		{ "address", &out->address }, { "ca", &out->ca },
		{ "profile", &out->profile }, { "rules", &out->rules },
		{ "folder", &out->folder },
		{ "processed", &out->folders[OUTCOME_PROCESSED] },
		{ "held", &out->folders[OUTCOME_HELD] },
		{ "rejected", &out->folders[OUTCOME_REJECTED] },
		{ "unreadable", &out->folders[OUTCOME_UNREADABLE] },
		{ "authserv_id", &out->authserv_id },
		{ "envelope_sender", &out->envelope_sender },
		{ "smime_anchors", &out->smime_anchors_file },
		{ "language", &out->language },
	};

	out->title = strdup(cfg_title(s));
	if (out->title == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	if (strlen(out->title) > 63)
		return config_fail(s, "address", err,
		    "the mailbox's title is longer than 63 octets");
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
		if (settings_copy_str(s, strings[i].key, strings[i].to, err) == -1)
			return -1;
	if (check_address(s, "address", err) == -1 ||
	    settings_check_path(s, "smime_anchors", err) == -1 ||
	    read_smime_files(s, out, err) == -1 ||
	    read_mailbox_limits(s, out, err) == -1 ||
	    read_dkim(s, out, err) == -1 ||
	    config_check_given(s, "ca", err) == -1 ||
	    config_check_given(s, "folder", err) == -1 ||
	    config_check_given(s, "processed", err) == -1 ||
	    config_check_given(s, "held", err) == -1 ||
	    config_check_given(s, "rejected", err) == -1 ||
	    config_check_given(s, "unreadable", err) == -1)
		return -1;
	if (out->envelope_sender[0] != '\0' &&
	    strcmp(out->envelope_sender, "<>") != 0 &&
	    check_address(s, "envelope_sender", err) == -1)
		return -1;
	return read_source(s, out, err);
}

void
settings_free_mailbox(struct mailbox_settings *m)
{
	free(m->title);
	free(m->address);
	settings_free_server(&m->imap);
	free(m->inbox);
	free(m->outbox);
	free(m->folder);
	for (size_t i = 0; i < sizeof(m->folders) / sizeof(m->folders[0]); i++)
		free(m->folders[i]);
	free(m->authserv_id);
	free(m->resolver);
	free(m->ca);
	free(m->profile);
	free(m->rules);
	free(m->envelope_sender);
	free(m->smime_anchors_file);
	for (int i = 0; i < SEAL_FILES; i++)
		free(m->smime_files[i]);
	free(m->language);
}
