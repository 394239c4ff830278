#include "csrmaild/verbs.h"

#include "csrmaild/delivery.h"
#include "csrmaild/problem.h"
#include "csrmaild/verb.h"
#include "csrmaild/wire.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum arg_kind {
	ARG_TEXT = 1,		/* lo..hi octets */
	ARG_NUMBER,		/* lo..hi; a query gives it as digits */
	ARG_OCTETS,		/* the body, instead of JSON: it has no name */
};

struct arg {
	const char	*name;	/* NULL ends the list */
	enum arg_kind	 kind;
	bool		 required;
	int64_t		 lo, hi;
};

#define PAGE								\
	{ "after", ARG_NUMBER, false, 0, INT64_MAX },			\
	{ "limit", ARG_NUMBER, false, 1, 1000 }
#define STATE	{ "state", ARG_TEXT, false, 1, 32 }
#define CA	{ "ca", ARG_TEXT, false, 1, 63 }

static const struct arg no_args[] = { { 0 } };
static const struct arg page_args[] = { PAGE, { 0 } };
static const struct arg state_args[] = { STATE, PAGE, { 0 } };
static const struct arg submit_args[] = {
	{ "mailbox",	ARG_TEXT,	false,	1, 63 },
	{ "name",	ARG_TEXT,	false,	1, 255 },
	{ "octets",	ARG_OCTETS,	true,	0, 0 },
	{ 0 }
};
static const struct arg sign_args[] = {
	{ "ca",		ARG_TEXT,	true,	1, 63 },
	{ "profile",	ARG_TEXT,	true,	1, 63 },
	{ "days",	ARG_NUMBER,	false,	1, 36500 },
	{ "csr",	ARG_TEXT,	true,	1, 65536 },
	{ 0 }
};
static const struct arg reject_args[] = {
	{ "reason",	ARG_TEXT,	false,	0, 200 },
	{ 0 }
};
static const struct arg cert_args[] = { STATE, CA,
	{ "like",	ARG_TEXT,	false,	1, 200 },
	{ "match",	ARG_TEXT,	false,	1, 250 },
	{ "key",	ARG_TEXT,	false,	64, 64 },
	{ "expires_before", ARG_NUMBER,	false,	0, INT64_MAX },
	{ "expiring",	ARG_NUMBER,	false,	1, 36500 },
	{ "superseded",	ARG_NUMBER,	false,	0, 1 },
	PAGE, { 0 }
};
static const struct arg ca_args[] = { CA, { 0 } };
#define REVOCATION							\
	{ "reason",	ARG_TEXT,	true,	1, 32 },		\
	{ "invalidity",	ARG_NUMBER,	false,	1, INT64_MAX }
static const struct arg revoke_args[] = { CA, REVOCATION, { 0 } };
#define RENEWAL								\
	{ "days",	ARG_NUMBER,	false,	1, 36500 },		\
	{ "no_mail",	ARG_NUMBER,	false,	0, 1 }
static const struct arg renew_args[] = { CA, RENEWAL,
	{ "revoke_old",	ARG_NUMBER,	false,	0, 1 },
	{ 0 }
};
static const struct arg reissue_args[] = { CA, RENEWAL,
	{ "reason",	ARG_TEXT,	false,	1, 32 },
	{ 0 }
};
static const struct arg revoke_ca_args[] = { REVOCATION, { 0 } };
static const struct arg revoke_matching_args[] = { CA, REVOCATION,
	{ "match",	ARG_TEXT,	false,	1, 250 },
	{ "key",	ARG_TEXT,	false,	64, 64 },
	{ "max",	ARG_NUMBER,	false,	1, 10000 },
	{ "expected",	ARG_NUMBER,	false,	1, 10000 },
	{ 0 }
};
static const struct arg install_args[] = {
	{ "number",	ARG_NUMBER,	true,	1, INT64_MAX },
	{ "this_update", ARG_NUMBER,	true,	1, INT64_MAX },
	{ "next_update", ARG_NUMBER,	true,	1, INT64_MAX },
	{ "crl",	ARG_TEXT,	true,	1, 131072 },
	{ "revoked",	ARG_TEXT,	false,	1, 98304 },
	{ 0 }
};
static const struct arg block_args[] = {
	{ "key",	ARG_TEXT,	true,	64, 64 },
	{ "compromised", ARG_NUMBER,	false,	0, 1 },
	{ "reason",	ARG_TEXT,	false,	0, 200 },
	{ 0 }
};
static const struct arg import_args[] = {
	{ "lines",	ARG_TEXT,	true,	1, 65536 },
	{ "reason",	ARG_TEXT,	false,	0, 200 },
	{ 0 }
};

/*
 * Everything that can be asked. "*" stands for one part of the path; one of
 * the rights suffices. What changes something is POST.
 */
static const struct verb {
	const char	*method;
	const char	*path;
	unsigned int	 rights;
	const struct arg *args;
	verb_handler	*run;
} verbs[] = {
	{ "GET",  "cas",		  RIGHT_ALL,	  no_args,
	    verb_ca_list },
	{ "GET",  "cas/*",		  RIGHT_ALL,	  no_args,
	    verb_ca_show },
	{ "GET",  "requests",		  RIGHT_ALL,	  state_args,
	    verb_request_list },
	{ "POST", "requests",		  RIGHT_ADMIN,	  sign_args,
	    verb_request_add },
	{ "GET",  "requests/*",		  RIGHT_ALL,	  no_args,
	    verb_request_show },
	{ "POST", "requests/*/approve",	  RIGHT_ADMIN,	  no_args,
	    verb_request_approve },
	{ "POST", "requests/*/reject",	  RIGHT_ADMIN,	  reject_args,
	    verb_request_reject },
	{ "GET",  "revocations",	  RIGHT_ALL,	  state_args,
	    verb_revocation_list },
	{ "GET",  "revocations/*",	  RIGHT_ALL,	  no_args,
	    verb_revocation_show },
	{ "POST", "revocations/*/approve", RIGHT_ADMIN,	  no_args,
	    verb_revocation_approve },
	{ "POST", "revocations/*/reject", RIGHT_ADMIN,	  reject_args,
	    verb_revocation_reject },
	/* What a mail would have brought: for those who may approve it. */
	{ "POST", "submissions",	  RIGHT_ADMIN,	  submit_args,
	    verb_mail_submit },
	{ "GET",  "submissions/*/requests", RIGHT_ALL,	  no_args,
	    verb_submission_requests },
	{ "GET",  "certificates",	  RIGHT_ALL,	  cert_args,
	    verb_cert_list },
	{ "GET",  "certificates/*",	  RIGHT_ALL,	  ca_args,
	    verb_cert_show },
	/* A CA's for those of csrmail-security, others for csrmail-admin. */
	{ "POST", "certificates/*/revoke", RIGHT_ADMIN | RIGHT_SECURITY,
	    revoke_args, verb_cert_revoke },
	{ "POST", "certificates/*/unhold", RIGHT_ADMIN | RIGHT_SECURITY,
	    ca_args, verb_cert_unhold },
	{ "POST", "certificates/*/renew", RIGHT_ADMIN,	  renew_args,
	    verb_cert_renew },
	{ "POST", "certificates/*/reissue", RIGHT_ADMIN,  reissue_args,
	    verb_cert_reissue },
	{ "POST", "certificates/revoke",  RIGHT_ADMIN,	  revoke_matching_args,
	    verb_cert_revoke_matching },
	{ "POST", "cas/*/revoke",	  RIGHT_SECURITY, revoke_ca_args,
	    verb_ca_revoke },
	{ "GET",  "crls",		  RIGHT_ALL,	  no_args,
	    verb_crl_list },
	{ "POST", "crls/*/update",	  RIGHT_ADMIN | RIGHT_SECURITY, no_args,
	    verb_crl_update },
	{ "POST", "crls/*/install",	  RIGHT_SECURITY, install_args,
	    verb_crl_install },
	{ "GET",  "keys",		  RIGHT_ALL,	  page_args,
	    verb_key_list },
	{ "POST", "keys/block",		  RIGHT_ADMIN | RIGHT_SECURITY,
	    block_args, verb_key_block },
	{ "POST", "keys/import",	  RIGHT_ADMIN | RIGHT_SECURITY,
	    import_args, verb_key_import },
	{ "GET",  "outbox",		  RIGHT_ALL,	  state_args,
	    verb_outbox_list },
	{ "GET",  "outbox/*",		  RIGHT_ALL,	  no_args,
	    verb_outbox_show },
	{ "POST", "outbox/*/retry",	  RIGHT_ADMIN,	  no_args,
	    verb_outbox_retry },
	{ "GET",  "audit",		  RIGHT_SECURITY | RIGHT_AUDIT,
	    page_args, verb_audit_list },
	{ "GET",  "audit/verify",	  RIGHT_SECURITY | RIGHT_AUDIT,
	    no_args, verb_audit_verify },
	{ "GET",  "status",		  RIGHT_ALL,	  no_args,
	    verb_status },
	{ "POST", "reload",		  RIGHT_SECURITY, no_args,
	    verb_reload },
};

/* One part of a path, percent-decoded (RFC 3986, 2.1); no control octets. */
static bool
decode_part(const char *from, size_t len, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		uint8_t c = (uint8_t)from[i];

		if (c == '%') {
			char digits[3] = { 0 };

			if (len - i < 3)
				return false;
			memcpy(digits, from + i + 1, 2);
			if (hex_decode(digits, &c, 1) != 1)
				return false;
			i += 2;
		}
		if (c < 0x20 || c == 0x7f || n + 1 >= size)
			return false;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return n > 0;
}

static bool
path_matches(const char *pattern, const char *path, char *part, size_t size)
{
	for (;;) {
		size_t want = strcspn(pattern, "/");
		size_t have = strcspn(path, "/");

		if (want == 1 && *pattern == '*') {
			if (!decode_part(path, have, part, size))
				return false;
		} else if (want != have || strncmp(pattern, path, want) != 0) {
			return false;
		}
		pattern += want;
		path += have;
		if (*pattern == '\0' || *path == '\0')
			return *pattern == *path;
		pattern++;
		path++;
	}
}

/*
 * 200 and the verb, else why there is none: 404, or 405 when only the method
 * is wrong. A literal path stands before a pattern: "audit/verify".
 */
static uint16_t
find_verb(const struct wire_call *in, const struct verb **out, char *part,
    size_t size)
{
	uint16_t status = 404;

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (!path_matches(verbs[i].path, in->path, part, size))
			continue;
		if (strcmp(verbs[i].method, in->method) == 0) {
			*out = &verbs[i];
			return 200;
		}
		status = 405;
	}
	return status;
}

/* An integer, or digits that make one. */
static bool
read_number(const json_t *value, int64_t *out)
{
	const char *text = json_string_value(value);
	char *end;

	if (json_is_integer(value)) {
		*out = (int64_t)json_integer_value(value);
		return true;
	}
	if (text == NULL || *text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoll(text, &end, 10);
	return *end == '\0' && errno == 0;
}

static bool
arg_fits(const struct arg *arg, const json_t *value)
{
	int64_t n = 0;

	switch (arg->kind) {
	case ARG_TEXT:
		if (!json_is_string(value))
			return false;
		n = (int64_t)json_string_length(value);
		break;
	case ARG_NUMBER:
		if (!read_number(value, &n))
			return false;
		break;
	case ARG_OCTETS:
		return false;
	}
	return n >= arg->lo && n <= arg->hi;
}

static int
check_args(struct verb_call *vc, const struct arg *args)
{
	bool wants_octets = false;
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)vc->args, key, value) {
		const struct arg *arg = args;

		while (arg->name != NULL && strcmp(arg->name, key) != 0)
			arg++;
		if (arg->name == NULL) {
			verb_refuse(vc, 400, "unknown argument: %.64s", key);
			return -1;
		}
		if (!arg_fits(arg, value)) {
			verb_refuse(vc, 400, "%s: %s of %lld to %lld is "
			    "expected", key, arg->kind == ARG_TEXT ?
			    "a text" : "a number", (long long)arg->lo,
			    (long long)arg->hi);
			return -1;
		}
	}
	for (; args->name != NULL; args++) {
		if (args->kind == ARG_OCTETS)
			wants_octets = true;
		else if (args->required && json_object_get(vc->args,
		    args->name) == NULL) {
			verb_refuse(vc, 400, "%s is missing", args->name);
			return -1;
		}
	}
	if (wants_octets == (vc->octets >= 0))
		return 0;
	verb_refuse(vc, 415, "the body must be %s", wants_octets ?
	    "application/octet-stream" : "application/json");
	return -1;
}

static int
run_verb(struct verb_call *vc, const struct wire_call *in,
    const struct principal *who)
{
	const struct verb *verb = NULL;
	uint16_t found = find_verb(in, &verb, vc->part, sizeof(vc->part));

	if (found == 405)
		return verb_refuse(vc, 405, "%s does not apply to this",
		    in->method);
	if (verb == NULL)
		return verb_refuse(vc, 404, "there is no such thing");
	if ((verb->rights & who->rights) == 0) {
		log_warn("api.forbidden", STR("principal", vc->who),
		    STR("method", in->method), STR("path", in->path));
		return verb_refuse(vc, 403, "%s may not do this", vc->who);
	}
	if (!json_is_object(vc->args))
		return verb_refuse(vc, 400, "the arguments are not an object");
	if (check_args(vc, verb->args) != 0)
		return 0;
	return verb->run(vc);
}

int
verbs_call(struct registrar *registrar, const struct principal *who,
    const struct wire_call *in, uint16_t *status, struct buf *out)
{
	json_error_t why;
	json_t *args = json_loadb((const char *)in->json.data, in->json.len,
	    JSON_REJECT_DUPLICATES, &why);
	struct verb_call vc = { .registrar = registrar,
		.connection = in->connection, .call = in->call,
		.octets = in->has_octets ? in->octets : -1,
		.rights = who->rights, .args = args, .now = clock_now(),
		.status = 200, .answer = json_object() };
	int later;

	principal_describe(who, vc.who, sizeof(vc.who));
	later = run_verb(&vc, in, who);
	buf_clear(out);
	if (vc.problem[0] == '\0' && json_write(vc.answer, out) != 0)
		verb_refuse(&vc, 500, "the answer is too long: ask for fewer "
		    "rows (limit)");
	if (vc.problem[0] != '\0')
		problem_write(vc.status, vc.problem, out);
	*status = vc.status;
	json_decref(vc.answer);
	json_decref(args);
	return later;
}

void
verbs_examined(struct registrar *registrar, uint64_t token,
    const struct findings *found)
{
	verb_request_examined(registrar, token, found);
}

void
verbs_closed(uint64_t connection)
{
	verb_request_closed(connection);
	delivery_closed(connection);
}

void
verbs_expire(struct registrar *registrar, time_t now)
{
	verb_request_expire(registrar, now);
	delivery_expire(registrar, now);
}
