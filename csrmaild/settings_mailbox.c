#include "csrmaild/settings_private.h"

#include "common/err.h"
#include "csrmaild/wire.h"

#include <stdlib.h>
#include <string.h>

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
	    read_mailbox_limits(s, out, err) == -1 ||
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
	return settings_read_server(cfg_getsec(s, "imap"), true, &out->imap, err);
}

void
settings_free_mailbox(struct mailbox_settings *m)
{
	free(m->title);
	free(m->address);
	settings_free_server(&m->imap);
	free(m->folder);
	for (size_t i = 0; i < sizeof(m->folders) / sizeof(m->folders[0]); i++)
		free(m->folders[i]);
	free(m->authserv_id);
	free(m->ca);
	free(m->profile);
	free(m->rules);
	free(m->envelope_sender);
	free(m->smime_anchors_file);
	free(m->language);
}
