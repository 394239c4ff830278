#include "ocspd/settings.h"

#include "common/config.h"
#include "common/err.h"

#include <arpa/inet.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define MAX_FILE	65536

/* In the order of conf/ocspd.conf; the ranges stand in check(). */
static cfg_opt_t options[] = {
	CFG_STR("state_dir", "/var/lib/csrmail-ocspd", CFGF_NONE),
	CFG_STR("store", "/var/lib/csrmail/store.db", CFGF_NONE),
	CFG_INT("max_index_age_s", 0, CFGF_NONE),
	CFG_STR("published_dir", "/var/lib/csrmail/published", CFGF_NONE),
	CFG_STR_LIST("listen", "{\"0.0.0.0:80\", \"[::]:80\"}", CFGF_NONE),
	CFG_STR("health_listen", "", CFGF_NONE),
	CFG_BOOL("unprivileged", cfg_false, CFGF_NONE),
	CFG_STR("log_level", "info", CFGF_NONE),
	CFG_STR("spool_group", "csrmail", CFGF_NONE),
	CFG_INT("fronts", 0, CFGF_NONE),
	CFG_INT("max_connections", 4096, CFGF_NONE),
	CFG_INT("max_connections_per_client", 1024, CFGF_NONE),
	CFG_INT("max_requests_per_client_s", 0, CFGF_NONE),
	CFG_INT("max_waiting", 1024, CFGF_NONE),
	CFG_STR_LIST("proxies", "{}", CFGF_NONE),
	CFG_STR("proxies_say", "proxy-v2", CFGF_NONE),
	CFG_INT("access_log_every", 0, CFGF_NONE),
	CFG_INT("idle_timeout_s", 30, CFGF_NONE),
	CFG_INT("request_timeout_s", 10, CFGF_NONE),
	CFG_INT("max_request_octets", 16384, CFGF_NONE),
	CFG_INT("max_cert_ids", 100, CFGF_NONE),
	CFG_STR("odd_nonce", "echo", CFGF_NONE),
	CFG_STR("signed_requests", "ignore", CFGF_NONE),
	CFG_STR("request_anchors", "", CFGF_NONE),
	CFG_BOOL("sha1_cert_ids", cfg_true, CFGF_NONE),
	CFG_BOOL("dual_cert_ids", cfg_false, CFGF_NONE),
	CFG_STR("never_issued", "unknown", CFGF_NONE),
	CFG_INT("archive_retention_days", 0, CFGF_NONE),
	CFG_INT("max_staleness_s", 60, CFGF_NONE),
	CFG_INT("answer_validity_s", 86400, CFGF_NONE),
	CFG_INT("max_age_s", 3600, CFGF_NONE),
	CFG_INT("held_answers", 65536, CFGF_NONE),
	CFG_STR("presign", "asked", CFGF_NONE),
	CFG_STR_LIST("responder_key", "{\"P-256\"}", CFGF_NONE),
	CFG_END()
};

static const struct {
	const char	*key;
	long		 lo, hi;
} ranges[] = {
	{ "max_index_age_s",		0,	432000 },
	{ "fronts",			0,	SETTINGS_MAX_FRONTS },
	{ "max_connections",		16,	65536 },
	{ "max_connections_per_client",	1,	65535 },
	{ "max_requests_per_client_s",	0,	1000000 },
	{ "max_waiting",		1,	65536 },
	{ "access_log_every",		0,	1000000 },
	{ "idle_timeout_s",		1,	30 },
	{ "request_timeout_s",		1,	30 },
	{ "max_request_octets",		256,	32768 },
	{ "max_cert_ids",		1,	REQUEST_MAX_CERT_IDS },
	{ "archive_retention_days",	0,	36525 },
	{ "max_staleness_s",		1,	3600 },
	{ "answer_validity_s",		300,	864000 },
	{ "max_age_s",			0,	864000 },
	{ "held_answers",		1024,	16777216 },
};

void
settings_free(struct settings *s)
{
	if (s == NULL)
		return;
	free(s->path);
	free(s->state_dir);
	free(s->store);
	free(s->published_dir);
	for (size_t i = 0; i < s->n_listen; i++)
		free(s->listen[i]);
	free(s->health_listen);
	free(s->spool_group);
	free(s->request_anchors);
	free((void *)(uintptr_t)s->text.data);
	free(s);
}

bool
settings_split_listen(const char *listen, char *host, size_t host_size,
    char *port, size_t port_size)
{
	const char *colon = strrchr(listen, ':');
	uint8_t address[16];
	size_t n;
	bool six = listen[0] == '[';
	char *end;
	unsigned long number;

	if (colon == NULL || (six && (colon == listen || colon[-1] != ']')))
		return false;
	n = (size_t)(colon - listen) - (six ? 2 : 0);
	if (n == 0 || n >= host_size || strlen(colon + 1) >= port_size ||
	    colon[1] < '0' || colon[1] > '9')
		return false;
	memcpy(host, listen + (six ? 1 : 0), n);
	host[n] = '\0';
	snprintf(port, port_size, "%s", colon + 1);
	number = strtoul(port, &end, 10);
	return *end == '\0' && number <= 65535 &&
	    inet_pton(six ? AF_INET6 : AF_INET, host, address) == 1;
}

enum listen_kind
settings_listen_kind(const char *listen)
{
	const size_t unix_len = strlen(LISTEN_UNIX);
	const size_t systemd_len = strlen(LISTEN_SYSTEMD);
	char host[64], port[8];

	if (strncmp(listen, LISTEN_UNIX, unix_len) == 0)
		return listen[unix_len] == '/' && strlen(listen) - unix_len <
		    sizeof(((struct sockaddr_un *)0)->sun_path) ?
		    LISTEN_KIND_UNIX : LISTEN_KIND_NONE;
	if (strncmp(listen, LISTEN_SYSTEMD, systemd_len) == 0 &&
	    (listen[systemd_len] == '\0' || (listen[systemd_len] == ':' &&
	    listen[systemd_len + 1] != '\0')))
		return LISTEN_KIND_SYSTEMD;
	return settings_split_listen(listen, host, sizeof(host), port,
	    sizeof(port)) ? LISTEN_KIND_INET : LISTEN_KIND_NONE;
}

static int
check_listen(cfg_t *cfg, struct settings *s, struct err *err)
{
	unsigned int n = cfg_size(cfg, "listen");

	if (n == 0 || n > SETTINGS_MAX_LISTEN)
		return config_fail(cfg, "listen", err,
		    "found %u addresses, allowed 1 to %d", n,
		    SETTINGS_MAX_LISTEN);
	for (unsigned int i = 0; i < n; i++) {
		const char *one = cfg_getnstr(cfg, "listen", i);

		if (settings_listen_kind(one) == LISTEN_KIND_NONE)
			return config_fail(cfg, "listen", err, "found \"%s\", "
			    "allowed \"ADDRESS:PORT\" (IPv6 in brackets), "
			    "\"unix:/PATH\", \"systemd\" or \"systemd:NAME\"",
			    one);
		s->listen[i] = strdup(one);
		if (s->listen[i] == NULL)
			return err_set(err, ERR_FAULT, "out of memory");
		s->n_listen++;
	}
	return 0;
}

/* What it tells is nobody's business but the machine's own. */
static bool
is_loopback(const char *host)
{
	struct in_addr four;

	if (inet_pton(AF_INET, host, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	return strcmp(host, "::1") == 0;
}

static int
check_health_listen(cfg_t *cfg, struct settings *s, struct err *err)
{
	const char *found = cfg_getstr(cfg, "health_listen");
	char host[64], port[8];

	if (found[0] != '\0' && (!settings_split_listen(found, host,
	    sizeof(host), port, sizeof(port)) || !is_loopback(host)))
		return config_fail(cfg, "health_listen", err, "found \"%s\", "
		    "allowed \"127.0.0.1:PORT\" or another loopback address, "
		    "or \"\" for none", found);
	s->health_listen = strdup(found);
	return s->health_listen != NULL ? 0 :
	    err_set(err, ERR_FAULT, "out of memory");
}

static int
check_proxies(cfg_t *cfg, struct settings *s, struct err *err)
{
	unsigned int n = cfg_size(cfg, "proxies");

	if (n > SETTINGS_MAX_PROXIES)
		return config_fail(cfg, "proxies", err,
		    "found %u addresses, allowed 0 to %d", n,
		    SETTINGS_MAX_PROXIES);
	for (unsigned int i = 0; i < n; i++) {
		const char *one = cfg_getnstr(cfg, "proxies", i);

		if (!client_from_text(&s->proxies[i], one))
			return config_fail(cfg, "proxies", err, "found \"%s\", "
			    "allowed an IPv4 or IPv6 address, or \"unix\"",
			    one);
		s->n_proxies++;
	}
	return 0;
}

static int
check_words(cfg_t *cfg, struct settings *s, struct err *err)
{
	static const char *const levels[] = { "debug", "info", "warn",
		"error", NULL };
	static const char *const nonces[] = { "echo", "ignore", NULL };
	static const char *const words[] = { "unknown", "unauthorized",
		"revoked", NULL };	/* by enum never_issued */
	static const char *const says[] = { "proxy-v2", "forwarded",
		"x-forwarded-for", NULL };	/* by enum proxies_say */
	static const char *const requests[] = { "ignore", "verify",
		"required", NULL };	/* by enum signed_requests */
	static const char *const presigns[] = { "no", "asked", "all",
		NULL };			/* by enum presign_what */
	size_t level, nonce, never, say, request, presign;

	if (config_check_word(cfg, "log_level", levels, &level, err) == -1 ||
	    config_check_word(cfg, "odd_nonce", nonces, &nonce, err) == -1 ||
	    config_check_word(cfg, "never_issued", words, &never, err) == -1 ||
	    config_check_word(cfg, "proxies_say", says, &say, err) == -1 ||
	    config_check_word(cfg, "signed_requests", requests, &request,
	    err) == -1 ||
	    config_check_word(cfg, "presign", presigns, &presign, err) == -1)
		return -1;
	s->signed_requests = (enum signed_requests)request;
	s->presign = (enum presign_what)presign;
	s->never_issued = (enum never_issued)never;
	s->proxies_say = (enum proxies_say)say;
	s->log_level = (enum log_level)level;
	s->odd_nonce_echoed = nonce == 0;
	return 0;
}

/* One of each signature algorithm: which kind is meant by a client's
 * preference must be clear. */
static int
check_responder_keys(cfg_t *cfg, struct settings *s, struct err *err)
{
	static const struct {
		const char		*word;
		struct responder_kind	 kind;
	} kinds[] = {
		{ "P-256",	{ KEY_P256, 0, SIGNATURE_ECDSA_SHA256 } },
		{ "P-384",	{ KEY_P384, 0, SIGNATURE_ECDSA_SHA384 } },
		{ "RSA-2048",	{ KEY_RSA, 2048, SIGNATURE_RSA_SHA256 } },
		{ "RSA-3072",	{ KEY_RSA, 3072, SIGNATURE_RSA_SHA256 } },
		{ "Ed25519",	{ KEY_ED25519, 0, SIGNATURE_ED25519 } },
	};
	const size_t n_kinds = sizeof(kinds) / sizeof(kinds[0]);
	unsigned int n = cfg_size(cfg, "responder_key");

	if (n == 0 || n > SIGNATURES)
		return config_fail(cfg, "responder_key", err,
		    "found %u kinds, allowed 1 to %d", n, SIGNATURES);
	for (unsigned int i = 0; i < n; i++) {
		const char *one = cfg_getnstr(cfg, "responder_key", i);
		size_t k = 0;

		while (k < n_kinds && strcmp(one, kinds[k].word) != 0)
			k++;
		if (k == n_kinds)
			return config_fail(cfg, "responder_key", err,
			    "found \"%s\", allowed: P-256, P-384, RSA-2048, "
			    "RSA-3072, Ed25519", one);
		for (size_t j = 0; j < i; j++)
			if (s->responder_keys[j].signature ==
			    kinds[k].kind.signature)
				return config_fail(cfg, "responder_key", err,
				    "found \"%s\", allowed one key of each "
				    "algorithm", one);
		s->responder_keys[s->n_responder_keys++] = kinds[k].kind;
	}
	return 0;
}

/* Somebody must be trusted where signatures are looked at. */
static int
check_requests(cfg_t *cfg, struct settings *s, struct err *err)
{
	const char *anchors = cfg_getstr(cfg, "request_anchors");

	if (anchors[0] != '\0' && anchors[0] != '/')
		return config_fail(cfg, "request_anchors", err,
		    "found \"%s\", allowed an absolute path", anchors);
	if (anchors[0] == '\0' &&
	    s->signed_requests != SIGNED_REQUESTS_IGNORE)
		return config_fail(cfg, "request_anchors", err, "found \"\", "
		    "allowed the file of the CAs whose signatures on requests "
		    "count (signed_requests)");
	s->request_anchors = strdup(anchors);
	s->sha1_cert_ids = cfg_getbool(cfg, "sha1_cert_ids");
	s->dual_cert_ids = cfg_getbool(cfg, "dual_cert_ids");
	if (s->dual_cert_ids && !s->sha1_cert_ids)
		return config_fail(cfg, "dual_cert_ids", err, "found yes, "
		    "allowed with sha1_cert_ids only: the second one is by "
		    "SHA-1");
	return s->request_anchors != NULL ? 0 :
	    err_set(err, ERR_FAULT, "out of memory");
}

static int
check_paths(cfg_t *cfg, struct settings *s, struct err *err)
{
	const struct {
		const char	*key;
		char		**to;
	} paths[] = {
		{ "state_dir",		&s->state_dir },
		{ "store",		&s->store },
		{ "published_dir",	&s->published_dir },
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const char *path = cfg_getstr(cfg, paths[i].key);

		if (path == NULL || path[0] != '/')
			return config_fail(cfg, paths[i].key, err,
			    "found \"%s\", allowed an absolute path",
			    path == NULL ? "" : path);
		*paths[i].to = strdup(path);
		if (*paths[i].to == NULL)
			return err_set(err, ERR_FAULT, "out of memory");
	}
	return 0;
}

static int
check(cfg_t *cfg, struct settings *s, struct err *err)
{
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (config_check_range(cfg, ranges[i].key, ranges[i].lo,
		    ranges[i].hi, err) == -1)
			return -1;
	if (check_paths(cfg, s, err) == -1 ||
	    check_listen(cfg, s, err) == -1 ||
	    check_health_listen(cfg, s, err) == -1 ||
	    check_proxies(cfg, s, err) == -1 ||
	    check_words(cfg, s, err) == -1 ||
	    check_responder_keys(cfg, s, err) == -1 ||
	    check_requests(cfg, s, err) == -1)
		return -1;
	s->spool_group = strdup(cfg_getstr(cfg, "spool_group"));
	if (s->spool_group == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	s->unprivileged = cfg_getbool(cfg, "unprivileged");
	s->fronts = (unsigned int)cfg_getint(cfg, "fronts");
	if (s->fronts == 0) {
		long cores = sysconf(_SC_NPROCESSORS_ONLN);

		s->fronts = cores < 1 ? 1 : cores > SETTINGS_MAX_FRONTS ?
		    SETTINGS_MAX_FRONTS : (unsigned int)cores;
	}
	s->max_connections = (unsigned int)cfg_getint(cfg, "max_connections");
	s->max_connections_per_client = (unsigned int)cfg_getint(cfg,
	    "max_connections_per_client");
	s->max_requests_per_client_s = (unsigned int)cfg_getint(cfg,
	    "max_requests_per_client_s");
	s->max_waiting = (unsigned int)cfg_getint(cfg, "max_waiting");
	s->access_log_every = (unsigned int)cfg_getint(cfg,
	    "access_log_every");
	s->idle_timeout_s = (unsigned int)cfg_getint(cfg, "idle_timeout_s");
	s->request_timeout_s = (unsigned int)cfg_getint(cfg,
	    "request_timeout_s");
	s->max_request_octets = (size_t)cfg_getint(cfg, "max_request_octets");
	s->max_cert_ids = (size_t)cfg_getint(cfg, "max_cert_ids");
	s->archive_retention_s =
	    cfg_getint(cfg, "archive_retention_days") * (int64_t)86400;
	s->max_staleness_s = (unsigned int)cfg_getint(cfg, "max_staleness_s");
	s->answer_validity_s = cfg_getint(cfg, "answer_validity_s");
	s->max_age_s = cfg_getint(cfg, "max_age_s");
	s->held_answers = (size_t)cfg_getint(cfg, "held_answers");
	/* Answers are renewed at half their validity; what a cache holds for
	 * max_age must not outlive one (RFC 9919, 7.2). */
	if (s->max_age_s >= s->answer_validity_s / 2)
		return config_fail(cfg, "max_age_s", err, "found %lld, allowed "
		    "less than half of answer_validity_s (%lld)",
		    (long long)s->max_age_s,
		    (long long)s->answer_validity_s);
	/* An answer speaks of the moment of the index: it must be worth
	 * something when the index is as old as it may be. */
	s->max_index_age_s = cfg_getint(cfg, "max_index_age_s");
	if (s->max_index_age_s > s->answer_validity_s / 2)
		return config_fail(cfg, "max_index_age_s", err, "found %lld, "
		    "allowed half of answer_validity_s (%lld) at most",
		    (long long)s->max_index_age_s,
		    (long long)s->answer_validity_s);
	return 0;
}

static int
decode(const char *path, struct bytes text, struct settings **out,
    struct err *err)
{
	OWNED_STRUCT(settings) *s = calloc(1, sizeof(*s));
	OWNED(cfg_t) *cfg = NULL;
	uint8_t *copy = malloc(text.len + 1);

	if (s == NULL || copy == NULL) {
		free(copy);
		return err_set(err, ERR_FAULT, "out of memory");
	}
	memcpy(copy, text.data, text.len);
	s->text = (struct bytes){ copy, text.len };
	s->path = strdup(path);
	if (s->path == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	if (config_parse(path, text, options, &cfg, err) == -1 ||
	    check(cfg, s, err) == -1)
		return -1;
	*out = TAKE(s);
	return 0;
}

int
settings_read(const char *path, struct settings **out, struct err *err)
{
	OWNED_BUF(text, MAX_FILE);

	if (config_read_file(path, MAX_FILE, &text, err) == -1)
		return -1;
	buf_str(&text);
	return decode(path, text.data == NULL ? bytes_of("") :
	    buf_bytes(&text), out, err);
}

int
settings_fd(const struct settings *s, struct err *err)
{
	OWNED_FD fd = memfd_create("ocspd.conf", MFD_CLOEXEC |
	    MFD_ALLOW_SEALING);
	size_t done = 0;

	if (fd < 0)
		return err_errno(err, ERR_FAULT, "memfd_create");
	while (done < s->text.len) {
		ssize_t n = write(fd, s->text.data + done,
		    s->text.len - done);

		if (n < 0)
			return err_errno(err, ERR_FAULT, "writing settings");
		done += (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
	    F_SEAL_WRITE | F_SEAL_SEAL) == -1)
		return err_errno(err, ERR_FAULT, "sealing settings");
	return TAKE_FD(fd);
}

int
settings_decode(int fd, struct settings **out, struct err *err)
{
	OWNED_FD own = fd;
	OWNED_BUF(text, MAX_FILE);
	struct stat st;
	uint8_t *to;

	if (own < 0 || fstat(own, &st) == -1 || st.st_size > MAX_FILE)
		return err_set(err, ERR_FAULT, "started without settings");
	to = buf_reserve(&text, (size_t)st.st_size);
	if (to == NULL || pread(own, to, (size_t)st.st_size, 0) !=
	    (ssize_t)st.st_size)
		return err_set(err, ERR_FAULT, "settings cannot be read");
	text.len = (size_t)st.st_size;
	return decode("ocspd.conf", buf_bytes(&text), out, err);
}
