#include "csrmaild/responders.h"

#include "common/ca.h"
#include "common/err.h"
#include "common/log.h"
#include "common/owned.h"
#include "common/profile.h"
#include "common/store.h"
#include "csrmaild/key_check.h"
#include "csrmaild/orders.h"
#include "csrmaild/registry.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_EVERY_S	2
#define MAX_REQUEST_OCTETS	4096
#define MAX_A_DAY	8	/* certificates for one CA's responders */
#define DAY_S		86400

/* One CA's requests in one spool. */
struct spool {
	struct authority *ca;
	const char	*folder;	/* borrowed */
	int		 dir_fd;	/* owned; -1: not there (yet) */
	bool		 told;		/* the log knows that it is closed */
	bool		 pending;	/* with the parser or the signer */
	bool		 with_parser;	/* it owes us findings */
	uint8_t		 key_sha1[20];	/* KEYID of the pending one */
	char		 done[128];	/* file that was seen to the end */
};

struct responder_desk {
	struct spool	 spools[AUTHORITIES_MAX * SETTINGS_MAX_SPOOLS];
	size_t		 n;
	time_t		 last_look;
};

int
responders_open(struct registrar *r, struct err *err)
{
	struct responder_desk *desk = calloc(1, sizeof(*desk));

	if (desk == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	for (size_t i = 0; i < r->authorities.n; i++) {
		struct authority *ca = &r->authorities.rows[i];

		for (size_t j = 0; ca->settings != NULL &&
		    j < ca->settings->n_responder_spools; j++)
			desk->spools[desk->n++] = (struct spool){ .ca = ca,
				.folder = ca->settings->responder_spools[j],
				.dir_fd = -1 };
	}
	r->responders = desk;
	return 0;
}

void
responders_close(struct registrar *r)
{
	if (r->responders == NULL)
		return;
	for (size_t i = 0; i < r->responders->n; i++)
		if (r->responders->spools[i].dir_fd >= 0)
			close(r->responders->spools[i].dir_fd);
	free(r->responders);
	r->responders = NULL;
}

/*
 * The request of that name, if it is a plain file, small, and of the user
 * whose folder it is: a link or another's file would make us read for a
 * stranger.
 */
static int
read_request(const struct spool *spool, const char *file, struct buf *out,
    struct err *err)
{
	OWNED_FD fd = openat(spool->dir_fd, file, O_RDONLY | O_NOFOLLOW |
	    O_NONBLOCK | O_CLOEXEC);
	struct stat st, folder;
	uint8_t *to;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) == -1 ||
	    fstat(spool->dir_fd, &folder) == -1)
		return err_errno(err, ERR_RETRY, "reading the spool");
	if (!S_ISREG(st.st_mode) || st.st_size > MAX_REQUEST_OCTETS ||
	    st.st_uid != folder.st_uid)
		return err_set(err, ERR_REJECT,
		    "not a plain file of the spool's owner, or too long");
	to = buf_reserve(out, MAX_REQUEST_OCTETS);
	n = to == NULL ? -1 : read(fd, to, MAX_REQUEST_OCTETS);
	if (n <= 0)
		return err_set(err, ERR_RETRY, "reading the spool");
	out->len += (size_t)n;
	return 0;
}

/* A key that ocspd has a certificate for already. */
struct wanted {
	int64_t		 ca_id;
	uint8_t		 key_sha1[20];
	bool		 has;
};

static int
look_at_responder(const struct responder_row *row, void *arg)
{
	struct wanted *wanted = arg;

	if (row->ca_id == wanted->ca_id &&
	    memcmp(row->key_sha1, wanted->key_sha1, 20) == 0)
		wanted->has = true;
	return 0;
}

static int
examine(struct registrar *r, struct spool *spool, size_t place,
    const char *file, struct err *err)
{
	struct wire_examine m = { .id = RESPONDERS_TOKEN | place,
		.kind = EXAMINE_CSR, .max_depth = 1, .max_parts = 1,
		.max_header_octets = 1024 };
	struct wanted wanted = { .ca_id = spool->ca->id };
	OWNED_BUF(request, MAX_REQUEST_OCTETS);
	const char *dot = strrchr(file, '.');
	char hex[41];

	/* CA.KEYID.p10: the name saves looking at what is long done, and says
	 * which key the parser must find. */
	if (dot - file < 42 || dot[-41] != '.')
		return err_set(err, ERR_REJECT, "no name like CA.KEYID.p10");
	snprintf(hex, sizeof(hex), "%.40s", dot - 40);
	if (hex_decode(hex, wanted.key_sha1, 20) != 20)
		return err_set(err, ERR_REJECT, "no name like CA.KEYID.p10");
	if (store_each_responder(r->store, look_at_responder, &wanted,
	    err) == -1)
		return -1;
	if (wanted.has)
		return 0;
	if (read_request(spool, file, &request, err) == -1)
		return -1;
	m.octets = buf_bytes(&request);
	if (wire_send_examine(r->parser, &m, err) == -1)
		return -1;
	spool->pending = true;
	spool->with_parser = true;
	memcpy(spool->key_sha1, wanted.key_sha1, 20);
	return 0;
}

static void
look_into(struct registrar *r, struct spool *spool, size_t place)
{
	char prefix[128];
	DIR *dir;
	int fd;

	if (spool->dir_fd < 0)
		spool->dir_fd = open(spool->folder,
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Of another group, or made after our walls were raised. */
	if (spool->dir_fd < 0 && errno == EACCES && !spool->told) {
		spool->told = true;
		log_warn("responder.spool.closed", STR("folder",
		    spool->folder), STR("why", "we may not read it: look at "
		    "its group, then reload csrmaild"));
	}
	fd = spool->dir_fd < 0 ? -1 : openat(spool->dir_fd, ".",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	ca_file_name(spool->ca->name, ".", prefix, sizeof(prefix));
	for (struct dirent *e; !spool->pending &&
	    (e = readdir(dir)) != NULL;) {
		size_t n = strlen(e->d_name);
		struct err err;

		if (strncmp(e->d_name, prefix, strlen(prefix)) != 0 ||
		    n < 4 || n > sizeof(spool->done) - 1 ||
		    strcmp(e->d_name + n - 4, ".p10") != 0 ||
		    strcmp(e->d_name, spool->done) == 0)
			continue;
		if (examine(r, spool, place, e->d_name, &err) == -1) {
			log_warn("responder.skipped",
			    STR("file", e->d_name), STR("why", err.text),
			    STR("detail", err.detail));
			if (err.kind != ERR_RETRY)
				memcpy(spool->done, e->d_name, n + 1);
		} else if (spool->pending) {
			/* Refused or signed, it is not looked at again. */
			memcpy(spool->done, e->d_name, n + 1);
		}
	}
	closedir(dir);
}

/* One key at a time for each CA, whichever ocspd asks. */
static bool
is_pending(const struct responder_desk *desk, const struct authority *ca)
{
	for (size_t i = 0; i < desk->n; i++)
		if (desk->spools[i].ca == ca && desk->spools[i].pending)
			return true;
	return false;
}

void
responders_pump(struct registrar *r)
{
	struct responder_desk *desk = r->responders;

	if (r->now - desk->last_look < LOOK_EVERY_S &&
	    r->now >= desk->last_look)
		return;
	desk->last_look = r->now;
	for (size_t i = 0; i < desk->n; i++)
		if (desk->spools[i].ca->key_open &&
		    !is_pending(desk, desk->spools[i].ca))
			look_into(r, &desk->spools[i], i);
}

int
responders_check_day(struct registrar *r, int64_t ca, time_t now,
    struct err *err)
{
	unsigned int today = 0;

	if (store_count_responders(r->store, ca, now - DAY_S, &today,
	    err) == -1)
		return -1;
	return today < MAX_A_DAY ? 0 : err_set(err, ERR_REJECT,
	    "%u responder certificates in a day are enough", today);
}

/* The modulus goes on record whatever becomes of the request. */
static int
record_key(struct registrar *r, const struct spool *spool,
    const struct candidate *c, const struct key_check *key, struct err *err)
{
	char object[CA_NAME_MAX + 16];

	snprintf(object, sizeof(object), "responder:%s", spool->ca->name);
	return key_check_record(r, c, key, "registrar", object, err);
}

static int
refuse_key(struct registrar *r, const struct spool *spool,
    const struct candidate *c, const struct key_check *key, struct err *err)
{
	if (key->shared && (store_begin(r->store, err) == -1 ||
	    record_key(r, spool, c, key, err) == -1 ||
	    store_commit(r->store, err) == -1)) {
		store_rollback(r->store);
		return -1;
	}
	return err_set(err, ERR_REJECT, "%s", key->why);
}

static int
order_certificate(struct registrar *r, struct spool *spool,
    const struct candidate *c, struct err *err)
{
	const struct profile *profile = profile_ocsp_responder();
	struct order order = { .not_before = r->now -
		(time_t)profile->backdate_s,
		.not_after = r->now + (time_t)profile->validity_s,
		.csr = c->der };
	struct key_check key;
	int r_freeze;

	if (responders_check_day(r, spool->ca->id, r->now, err) == -1 ||
	    key_check(r, c, &key, err) == -1)
		return -1;
	if (key.why[0] != '\0')
		return refuse_key(r, spool, c, &key, err);
	if (memcmp(c->key.key_sha1, spool->key_sha1, 20) != 0)
		return err_set(err, ERR_REJECT,
		    "another key than the file's name says");
	snprintf(order.ca, sizeof(order.ca), "%s", spool->ca->name);
	snprintf(order.profile, sizeof(order.profile), "%s", profile->name);
	memcpy(order.profile_digest, profile->digest, 32);
	if (order.not_before < spool->ca->not_before)
		order.not_before = spool->ca->not_before;
	if (order.not_after > spool->ca->not_after)
		order.not_after = spool->ca->not_after;
	if (store_begin(r->store, err) == -1)
		return -1;
	r_freeze = record_key(r, spool, c, &key, err);
	if (r_freeze == 0)
		r_freeze = orders_freeze(r, &order, c->key.spki_sha256, err);
	if (r_freeze == 0)
		r_freeze = store_commit(r->store, err);
	if (r_freeze == -1)
		store_rollback(r->store);
	return r_freeze;
}

void
responders_examined(struct registrar *r, const struct findings *found)
{
	size_t place = (size_t)(found->id & ~RESPONDERS_TOKEN);
	struct spool *spool = place < r->responders->n ?
	    &r->responders->spools[place] : NULL;
	const struct candidate *c = found->n_candidates == 1 ?
	    &found->candidates[0] : NULL;
	struct err err;

	if (spool == NULL || !spool->with_parser)
		return;		/* nobody asked */
	spool->with_parser = false;
	if (found->status != FINDINGS_OK || c == NULL || !c->good) {
		spool->pending = false;
		log_warn("responder.refused", STR("ca", spool->ca->name),
		    STR("why", c != NULL ? c->text : found->text));
		return;
	}
	if (order_certificate(r, spool, c, &err) == -1) {
		spool->pending = false;
		if (err.kind == ERR_RETRY)
			spool->done[0] = '\0';
		log_warn("responder.refused", STR("ca", spool->ca->name),
		    STR("why", err.text), STR("detail", err.detail));
	}
}

static void
end_pending(struct registrar *r, int64_t ca_id)
{
	for (size_t i = 0; i < r->responders->n; i++)
		if (r->responders->spools[i].ca->id == ca_id)
			r->responders->spools[i].pending = false;
}

void
responders_take_refused(struct registrar *r, int64_t ca_id)
{
	end_pending(r, ca_id);
}

int
responders_take_issued(struct registrar *r, int64_t ca_id, X509 *cert,
    struct bytes der, struct err *err)
{
	struct responder_row row = { .ca_id = ca_id, .cert = der };
	const struct authority *ca = authority_by_id(&r->authorities, ca_id);
	const ASN1_BIT_STRING *key = X509_get0_pubkey_bitstr(cert);
	unsigned int len = sizeof(row.key_sha1);
	struct tm not_before, not_after;
	char object[96];

	if (ASN1_TIME_to_tm(X509_get0_notBefore(cert), &not_before) != 1 ||
	    ASN1_TIME_to_tm(X509_get0_notAfter(cert), &not_after) != 1 ||
	    EVP_Digest(key->data, (size_t)key->length, row.key_sha1, &len,
	    EVP_sha1(), NULL) != 1)
		return err_openssl(err, ERR_FAULT,
		    "reading the responder's certificate");
	row.not_before = timegm(&not_before);
	row.not_after = timegm(&not_after);
	end_pending(r, ca_id);
	snprintf(object, sizeof(object), "ca:%s", ca->name);
	if (store_add_responder(r->store, &row, err) == -1)
		return -1;
	return store_audit(r->store, r->now, "responder.certified",
	    "registrar", object, "", err);
}
