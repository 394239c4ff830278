#include "tests/support/crl_stand.h"

#include "common/channel.h"
#include "common/err.h"
#include "csrmaild/publish.h"
#include "csrmaild/wire.h"
#include "tests/support/test_ca.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct err err;

#define OK(call)							\
	ck_assert_msg((call) == 0, "%s: %s (%s)", #call, err.text,	\
	    err.detail)

/* A CA's certificate that signs nothing here: for the CA's row, or (id not 0)
 * in place of the one in that row; and for its own, under the parent. */
static int64_t
add_ca(struct crl_stand *s, int64_t id, const char *name, const char *parent,
    int64_t parent_id, uint8_t number, const char *profile)
{
	struct test_ca ca;
	unsigned char *der = NULL;
	struct ca_row row = { .id = id, .name = name, .parent = parent,
		.not_before = NOON - DAY, .not_after = NOON + 3650 * DAY };
	struct cert_row cert = { .ca_id = parent_id, .state = CERT_ISSUED,
		.not_before = row.not_before, .not_after = row.not_after,
		.profile = profile, .names_text = "CN=Users" };
	int len;

	test_ca_make(&ca, KEY_P256);
	ASN1_INTEGER_set(X509_get_serialNumber(ca.cert),
	    parent[0] == '\0' ? 1 : 76 + number);
	X509_sign(ca.cert, ca.key, EVP_sha256());
	serial_from_asn1(X509_get0_serialNumber(ca.cert), &cert.serial, &err);
	len = i2d_X509(ca.cert, &der);
	row.cert = cert.der = (struct bytes){ der, (size_t)len };
	row.key_sha1[0] = (uint8_t)(1 + number);
	if (id != 0) {
		row.key_sha1[0] = 2;	/* users has a key of its own */
		OK(store_renew_ca(s->r.store, &row, &err));
	} else
		OK(store_add_ca(s->r.store, &row, &id, &err));
	if (parent_id != 0)
		OK(store_add_certificate(s->r.store, &cert, &err));
	OPENSSL_free(der);
	test_ca_free(&ca);
	return id;
}

static void
load(struct crl_stand *s)
{
	for (size_t i = 0; i < s->r.authorities.n; i++)
		ck_assert_ptr_null(s->r.publication);
	authorities_free_contents(&s->r.authorities);
	OK(authorities_load(&s->r.authorities, s->r.store, &s->settings,
	    &err));
	OK(publish_resume(&s->r, &err));
	authority_by_name(&s->r.authorities, "users")->key_open = true;
}

void
crl_stand_open(struct crl_stand *s)
{
	char path[128];
	int pair[2];

	*s = (struct crl_stand){ .crl_fd = -1 };
	strcpy(s->dir, "/tmp/crl_stand.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(s->dir));
	s->ca = (struct ca_settings){ .name = "users",
		.passphrase_file = "", .ocsp_url = "", .ca_url = "",
		.crl_url = "http://crl.example.test/{ca}.crl",
		.crl_validity_s = 7 * DAY,
		.crl_interval_s = DAY, .crl_shards = 1 };
	s->mailbox = (struct mailbox_settings){ .title = "users",
		.address = "ca@example.test", .envelope_sender = "" };
	s->settings = (struct settings){ .path = "test", .state_dir = s->dir,
		.replies_per_hour = 10, .cas = &s->ca, .n_cas = 1,
		.mailboxes = &s->mailbox, .n_mailboxes = 1 };
	s->r.settings = &s->settings;
	s->r.now = NOON;
	snprintf(path, sizeof(path), "%s/store.db", s->dir);
	OK(store_open(path, STORE_READ_WRITE, &s->r.store, &err));
	snprintf(path, sizeof(path), "%s/published", s->dir);
	OK(mkdir(path, 0755));
	s->r.published_fd = open(path, O_RDONLY | O_DIRECTORY);
	OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
	s->r.signer = channel_new(pair[0], "signer", 1 << 20, 128u << 20);
	s->signer = channel_new(pair[1], "registrar", 1 << 20, 1 << 20);
	OK(store_begin(s->r.store, &err));
	s->top_id = add_ca(s, 0, "top", "", 0, 0, "");
	s->users_id = add_ca(s, 0, "users", "top", s->top_id, 1, "");
	OK(store_commit(s->r.store, &err));
	load(s);
}

void
crl_stand_restart(struct crl_stand *s)
{
	publish_close(&s->r);
	load(s);
}

void
crl_stand_close(struct crl_stand *s)
{
	char command[96];

	publish_close(&s->r);
	authorities_free_contents(&s->r.authorities);
	channel_free(s->r.signer);
	channel_free(s->signer);
	store_free(s->r.store);
	close(s->r.published_fd);
	if (s->crl_fd >= 0)
		close(s->crl_fd);
	for (size_t i = 0; i < s->n_crls + 1 && i < 64; i++)
		free(s->crls[i].entries);
	snprintf(command, sizeof(command), "rm -r %s", s->dir);
	ck_assert_int_eq(system(command), 0);
}

int64_t
crl_stand_add_ca(struct crl_stand *s, const char *name, const char *parent,
    uint8_t number)
{
	const struct authority *above = authority_by_name(&s->r.authorities,
	    parent);
	int64_t id;

	OK(store_begin(s->r.store, &err));
	id = add_ca(s, 0, name, parent, above == NULL ? 0 : above->id, number,
	    "ca");
	OK(store_commit(s->r.store, &err));
	crl_stand_restart(s);
	return id;
}

void
crl_stand_renew_users(struct crl_stand *s, const char *parent, uint8_t number)
{
	OK(store_begin(s->r.store, &err));
	add_ca(s, s->users_id, "users", parent, authority_by_name(
	    &s->r.authorities, parent)->id, number, "ca");
	OK(store_commit(s->r.store, &err));
	crl_stand_restart(s);
}

struct serial
crl_stand_serial(unsigned int number)
{
	return (struct serial){ { 0x41, (uint8_t)(number >> 16),
	    (uint8_t)(number >> 8), (uint8_t)number }, 4 };
}

static void
add_certificate(struct crl_stand *s, struct cert_row *row)
{
	bool outside = s->r.store != NULL && store_begin(s->r.store,
	    &err) == 0;

	OK(store_add_certificate(s->r.store, row, &err));
	if (outside)
		OK(store_commit(s->r.store, &err));
}

void
crl_stand_issue(struct crl_stand *s, unsigned int serial, uint16_t shard,
    time_t not_after)
{
	struct cert_row row = { .ca_id = s->users_id,
		.serial = crl_stand_serial(serial), .state = CERT_ISSUED,
		.not_before = NOON - 300 * DAY, .not_after = not_after,
		.der = bytes_of("a certificate"), .profile = "user",
		.names_text = "CN=somebody", .shard = shard };

	add_certificate(s, &row);
}

void
crl_stand_issue_to(struct crl_stand *s, unsigned int serial, const char *ca,
    uint8_t key, const char *names, int64_t request)
{
	const uint8_t spki[32] = { key };
	struct cert_row row = {
		.ca_id = authority_by_name(&s->r.authorities, ca)->id,
		.serial = crl_stand_serial(serial), .state = CERT_ISSUED,
		.not_before = NOON - DAY, .not_after = NOON + 90 * DAY,
		.der = bytes_of("a certificate"), .profile = "user",
		.names_text = names, .spki_sha256 = spki,
		.request = request };

	add_certificate(s, &row);
}

void
crl_stand_revoke(struct crl_stand *s, unsigned int number,
    enum crl_reason reason)
{
	struct serial serial = crl_stand_serial(number);
	struct status_row status;

	OK(store_begin(s->r.store, &err));
	OK(store_revoke(s->r.store, s->users_id, &serial, s->r.now, reason, 0,
	    &err));
	OK(store_find_status(s->r.store, s->users_id, &serial, &status,
	    &err));
	OK(store_commit(s->r.store, &err));
	publish_note_change(authority_by_name(&s->r.authorities, "users"),
	    status.shard);
}

/* --- the signer ----------------------------------------------------------- */

static void
take_entries(struct stand_crl *crl, const struct frame *frame)
{
	struct crl_entry *more = calloc(WIRE_MAX_CRL_ENTRIES, sizeof(*more));
	size_t n = 0;

	OK(wire_get_crl_entries(frame, more, &n, &err));
	crl->entries = reallocarray(crl->entries, crl->n + n,
	    sizeof(*crl->entries));
	memcpy(crl->entries + crl->n, more, n * sizeof(*more));
	crl->n += n;
	free(more);
}

static void
end_crl(struct crl_stand *s)
{
	struct wire_crl_done done = { .ca = "users",
		.number = s->crls[s->n_crls].terms.number };
	struct wire_refused refused = { .ca = "users", .kind = ERR_RETRY,
		.text = "the key is away" };

	dprintf(s->crl_fd, "the CRL %llu of %zu entries",
	    (unsigned long long)done.number, s->crls[s->n_crls].n);
	close(s->crl_fd);
	s->crl_fd = -1;
	if (s->refuses) {
		free(s->crls[s->n_crls].entries);
		s->crls[s->n_crls] = (struct stand_crl){ 0 };
		OK(wire_send_refused(s->signer, &refused, &err));
		return;
	}
	s->n_crls++;
	OK(wire_send_crl_done(s->signer, &done, &err));
}

static void
signer_takes(struct crl_stand *s, struct frame *frame)
{
	struct wire_crl_open open_it;
	struct wire_revoked revoked;
	struct wire_blocked blocked;

	ck_assert_uint_lt(s->n_crls, 63);
	switch (frame->type) {
	case WIRE_CRL_OPEN:
		OK(wire_get_crl_open(frame, &open_it, &err));
		ck_assert_int_eq(s->crl_fd, -1);
		s->crl_fd = frame->fd;
		s->crls[s->n_crls].terms = open_it.terms;
		break;
	case WIRE_CRL_ENTRIES:
		take_entries(&s->crls[s->n_crls], frame);
		break;
	case WIRE_CRL_CLOSE:
		end_crl(s);
		break;
	case WIRE_REVOKED:
		OK(wire_get_revoked(frame, &revoked, &err));
		s->revoked[s->n_revoked++] = revoked.entry;
		break;
	case WIRE_BLOCKED:
		OK(wire_get_blocked(frame, &blocked, &err));
		ck_assert_uint_lt(s->n_blocked, 64);
		s->blocked[s->n_blocked++] = blocked;
		break;
	default:
		ck_abort_msg("a frame of type %u", frame->type);
	}
}

static bool
is_readable(const struct channel *ch)
{
	char octet;

	return recv(channel_fd(ch), &octet, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

static void
serve(struct crl_stand *s)
{
	struct frame frame;

	while (is_readable(s->signer)) {
		OK(channel_read(s->signer, &err));
		while (channel_next(s->signer, &frame, &err) == 1)
			signer_takes(s, &frame);
		OK(channel_flush(s->r.signer, &err));
	}
}

static void
listen_to_signer(struct crl_stand *s)
{
	struct wire_crl_done done;
	struct wire_refused refused;
	struct frame frame;

	if (!is_readable(s->r.signer))
		return;
	OK(channel_read(s->r.signer, &err));
	while (channel_next(s->r.signer, &frame, &err) == 1) {
		if (frame.type == WIRE_CRL_DONE) {
			OK(wire_get_crl_done(&frame, &done, &err));
			publish_take_done(&s->r, &done);
		} else {
			OK(wire_get_refused(&frame, &refused, &err));
			publish_take_refused(&s->r, &refused);
		}
	}
}

void
crl_stand_turn(struct crl_stand *s, time_t now)
{
	s->r.now = now;
	publish_pump(&s->r);
	if (s->deaf)
		return;
	serve(s);
	listen_to_signer(s);
}

void
crl_stand_run(struct crl_stand *s, time_t now)
{
	size_t idle = s->n_crls;

	/* As many CRLs as are due at that moment. */
	for (int i = 0; i < 10000; i++) {
		idle = s->n_crls;
		crl_stand_turn(s, now);
		if (s->r.publication == NULL && s->n_crls == idle)
			return;
	}
	ck_abort_msg("it never ends");
}

const struct stand_crl *
crl_stand_last(const struct crl_stand *s)
{
	return s->n_crls == 0 ? NULL : &s->crls[s->n_crls - 1];
}

int
crl_stand_reason(const struct stand_crl *crl, unsigned int number)
{
	struct serial serial = crl_stand_serial(number);
	int reason = -1;

	for (size_t i = 0; i < crl->n; i++)
		if (serial_equal(&crl->entries[i].serial, &serial)) {
			ck_assert_int_eq(reason, -1);	/* once only */
			reason = (int)crl->entries[i].reason;
		}
	return reason;
}

bool
crl_stand_has(const struct crl_stand *s, const char *file)
{
	return faccessat(s->r.published_fd, file, R_OK, 0) == 0;
}
