#include "csrmaild/signer.h"
#include "common/channel.h"
#include "common/err.h"
#include "common/store.h"
#include "csrmaild/ceremony.h"
#include "csrmaild/journal.h"
#include "csrmaild/settings.h"
#include "csrmaild/wire.h"
#include "tests/support/fixtures.h"

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A root and a CA for users below it, made by ceremonies in a folder of their
 * own, and a signer that has opened the second.
 */
static char folder[] = "/tmp/test_signer.XXXXXX";
static struct store *store;
static struct ceremony ceremony;
static struct names subjects[8];
static int n_subjects;
static struct profile *profiles[3];
static struct ca_settings ca_settings[2];
static struct settings settings;
static struct signer signer;
static struct signer_ca *users;
static EVP_PKEY *user_key;

#define ROOT	"example.com"
#define USERS	"example.com/users"

static struct ceremony_ca
wish(const char *name)
{
	struct names *subject = &subjects[n_subjects++];
	char cn[32] = "Example CA";
	struct err err = { 0 };

	ck_assert_int_le(n_subjects, ROWS(subjects));
	if (strcmp(name, USERS) != 0)	/* no two have one subject */
		snprintf(cn, sizeof(cn), "Example %d", n_subjects);
	ck_assert_int_eq(names_add_attribute(subject, NID_organizationName,
	    bytes_of("Example"), &err), 0);
	/* Of no use to a responder, and not in its profile. */
	ck_assert_int_eq(names_add_attribute(subject, NID_serialNumber,
	    bytes_of("7"), &err), 0);
	ck_assert_int_eq(names_add_attribute(subject, NID_commonName,
	    bytes_of(cn), &err), 0);
	return (struct ceremony_ca){ .name = name, .subject = subject,
		.key_kind = KEY_P256, .passphrase = bytes_of("secret"),
		.validity_s = 3650 * DAY, .path_len = -1 };
}

static const struct ceremony_parent root = { .name = ROOT,
	.passphrase = { (const uint8_t *)"secret", 6 }, .ocsp_url = "",
	.ca_url = "", .crl_url = "" };

static void
add_profile(size_t i, const char *name, const char *text)
{
	struct err err = { 0 };

	ck_assert_msg(profile_parse(name, name, bytes_of(text), &profiles[i],
	    &err) == 0, "%s", err.text);
}

static void
make_cas(void)
{
	struct ceremony_ca ca = wish(ROOT);
	struct err err = { 0 };

	ck_assert_msg(ceremony_create_root(&ceremony, &ca, &err) == 0,
	    "%s (%s)", err.text, err.detail);
	ca = wish(USERS);
	ca.path_len = 0;
	ck_assert_msg(ceremony_create_child(&ceremony, &ca, &root, &err) == 0,
	    "%s (%s)", err.text, err.detail);
}

static void
open_signer(void)
{
	struct err err = { 0 };

	ck_assert_msg(signer_init(&signer, &settings, &err) == 0, "%s",
	    err.text);
	users = signer_ca_by_name(&signer, USERS);
	ck_assert_msg(signer_open_ca(&signer, users, bytes_of("secret"),
	    &err) == 0, "%s (%s)", err.text, err.detail);
}

static void
set_up(void)
{
	static char users_name[] = USERS, root_name[] = ROOT, none[] = "";
	char path[64];
	struct err err = { 0 };

	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/store.db", folder);
	ck_assert_msg(store_open(path, STORE_READ_WRITE, &store, &err) == 0,
	    "%s", err.text);
	ceremony = (struct ceremony){ .state_dir = folder, .store = store,
		.principal = "unix:test", .now = NOON };
	add_profile(0, "user", "key_usage = { \"digitalSignature\" }\n"
	    "extended_key_usage = { \"clientAuth\" }\n"
	    "san = { \"email\" }\nsan_required = no\nsubject = { \"CN\" }\n");
	add_profile(1, "sub-ca", "key_usage = { \"keyCertSign\" }\n"
	    "ca = yes\nsan_required = no\n");
	for (int i = 0; i < 2; i++)
		ca_settings[i] = (struct ca_settings){
			.name = i == 0 ? root_name : users_name,
			.passphrase_file = none, .ocsp_url = none,
			.crl_url = none, .ca_url = none };
	settings = (struct settings){ .state_dir = folder,
		.cas = ca_settings, .n_cas = 2, .profiles = profiles,
		.n_profiles = 2 };
	user_key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	make_cas();
	open_signer();
}

static int
remove_one(const char *path, const struct stat *st, int type,
    struct FTW *where)
{
	(void)st, (void)type, (void)where;
	return remove(path);
}

static void
tear_down(void)
{
	signer_free_contents(&signer);
	store_free(store);
	while (n_subjects > 0)
		names_free(&subjects[--n_subjects]);
	profile_free(profiles[0]);
	profile_free(profiles[1]);
	EVP_PKEY_free(user_key);
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- orders ------------------------------------------------------------- */
static struct bytes
make_csr(EVP_PKEY *key)
{
	OWNED(X509_REQ) *req = X509_REQ_new();
	unsigned char *der = NULL;
	struct bytes out;
	int len;

	X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN",
	    MBSTRING_UTF8, (const unsigned char *)"somebody", -1, -1, 0);
	X509_REQ_set_pubkey(req, key);
	X509_REQ_sign(req, key, EVP_sha256());
	len = i2d_X509_REQ(req, &der);
	ck_assert_int_gt(len, 0);
	out = (struct bytes){ malloc((size_t)len), (size_t)len };
	memcpy((void *)(uintptr_t)out.data, der, (size_t)len);
	OPENSSL_free(der);
	return out;
}

/* Free with order_free_contents. */
static struct order
make_order(uint8_t serial, const struct profile *profile)
{
	struct order order = { .request_id = 1, .serial = { .len = 16 },
		.not_before = NOON, .not_after = NOON + 10 * DAY };
	struct err err = { 0 };

	snprintf(order.ca, sizeof(order.ca), "%s", USERS);
	snprintf(order.profile, sizeof(order.profile), "%s", profile->name);
	memcpy(order.profile_digest, profile->digest, 32);
	memcpy(order.issuer_key, users->key_sha1, 20);
	memset(order.serial.octets, serial, 16);
	ck_assert_int_eq(names_add_attribute(&order.names, NID_commonName,
	    bytes_of("somebody"), &err), 0);
	order.csr = make_csr(user_key);
	return order;
}

static int
issue(const struct order *order, struct bytes *der, struct err *err)
{
	OWNED_BUF(octets, 65536);

	ck_assert_int_eq(order_encode(order, &octets), 0);
	return signer_issue(&signer, order, buf_bytes(&octets), der, err);
}

static X509 *
read_cert(struct bytes der)
{
	const unsigned char *at = der.data;
	X509 *cert = d2i_X509(NULL, &at, (long)der.len);

	ck_assert_ptr_nonnull(cert);
	return cert;
}

static void
free_bytes(struct bytes *b)
{
	free((void *)(uintptr_t)b->data);
}
#define OWNED_BYTES	__attribute__((cleanup(free_bytes))) struct bytes
#define OWNED_ORDER	__attribute__((cleanup(order_free_contents)))	\
			    struct order

START_TEST(an_order_becomes_a_certificate)
{
	OWNED_ORDER order = make_order(0x11, profiles[0]);
	OWNED_BYTES der = { NULL, 0 };
	OWNED(X509) *cert = NULL;
	struct err err = { 0 };
	struct serial serial;

	ck_assert_msg(issue(&order, &der, &err) == 0, "%s (%s)", err.text,
	    err.detail);
	cert = read_cert(der);
	ck_assert_int_eq(X509_verify(cert, X509_get0_pubkey(users->cert)), 1);
	ck_assert_int_eq(EVP_PKEY_eq(X509_get0_pubkey(cert), user_key), 1);
	ck_assert_int_eq(serial_from_asn1(X509_get0_serialNumber(cert),
	    &serial, &err), 0);
	ck_assert(serial_equal(&serial, &order.serial));
	ck_assert(journal_is_dirty(users->journal));
}
END_TEST

START_TEST(the_same_order_again_gives_the_recorded_certificate)
{
	OWNED_ORDER order = make_order(0x12, profiles[0]);
	OWNED_BYTES first = { NULL, 0 };
	struct err err = { 0 };

	ck_assert_int_eq(issue(&order, &first, &err), 0);
	for (int i = 0; i < 2; i++) {
		OWNED_BYTES again = { NULL, 0 };

		ck_assert_int_eq(issue(&order, &again, &err), 0);
		ck_assert(bytes_equal(first, again));
		/* Once more after a crash, from the file. */
		ck_assert_int_eq(journal_sync(users->journal, &err), 0);
		signer_free_contents(&signer);
		open_signer();
	}
}
END_TEST

START_TEST(another_order_with_a_used_serial_is_refused)
{
	OWNED_ORDER order = make_order(0x13, profiles[0]);
	OWNED_BYTES der = { NULL, 0 };
	struct bytes none = { NULL, 0 };
	struct err err = { 0 };

	ck_assert_int_eq(issue(&order, &der, &err), 0);
	order.not_after += 1;
	ck_assert_int_eq(issue(&order, &none, &err), -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
	ck_assert_ptr_null(none.data);
}
END_TEST

/* What a registrar that was taken over might ask for. */
enum spoil { CA_PROFILE, NO_PROFILE, OTHER_DIGEST, OTHER_KEY, OTHER_CA,
	LONG_VALIDITY, BEYOND_ISSUER, BAD_SIGNATURE, CA_KEY, OTHER_NAME,
	NOT_OPEN };
static const struct {
	const char	*name;
	enum spoil	 spoil;
	enum err_kind	 kind;
} spoiled[] = {
	{ "a CA certificate", CA_PROFILE, ERR_REJECT },
	{ "an unknown profile", NO_PROFILE, ERR_FAULT },
	{ "a profile that has changed", OTHER_DIGEST, ERR_FAULT },
	{ "another CA key", OTHER_KEY, ERR_FAULT },
	{ "an unknown CA", OTHER_CA, ERR_FAULT },
	{ "a validity beyond the profile's", LONG_VALIDITY, ERR_FAULT },
	{ "a validity beyond the issuer's", BEYOND_ISSUER, ERR_FAULT },
	{ "a request whose signature is wrong", BAD_SIGNATURE, ERR_REJECT },
	{ "the key of a CA of ours", CA_KEY, ERR_REJECT },
	{ "a name that the profile has not", OTHER_NAME, ERR_REJECT },
	{ "a CA whose key is not open", NOT_OPEN, ERR_RETRY },
};

static void
spoil(struct order *order, enum spoil how)
{
	struct err err = { 0 };

	switch (how) {
	case CA_PROFILE:
		strcpy(order->profile, "sub-ca");
		memcpy(order->profile_digest, profiles[1]->digest, 32);
		return;
	case NO_PROFILE:
		strcpy(order->profile, "none");
		return;
	case OTHER_DIGEST:
		order->profile_digest[31] ^= 1;
		return;
	case OTHER_KEY:
		order->issuer_key[0] ^= 1;
		return;
	case OTHER_CA:
		strcpy(order->ca, "example.net");
		return;
	case LONG_VALIDITY:
		order->not_after = NOON + 200 * DAY;
		return;
	case BEYOND_ISSUER:
		order->not_before = NOON + 3640 * DAY;
		order->not_after = NOON + 3651 * DAY;
		return;
	case BAD_SIGNATURE:
		((uint8_t *)(uintptr_t)order->csr.data)[order->csr.len - 1] ^=
		    1;
		return;
	case CA_KEY:
		free((void *)(uintptr_t)order->csr.data);
		order->csr = make_csr(users->key);
		return;
	case OTHER_NAME:
		names_add_attribute(&order->names, NID_organizationName,
		    bytes_of("Example"), &err);
		return;
	case NOT_OPEN:
		strcpy(order->ca, ROOT);
		return;
	}
}

START_TEST(what_must_not_be_is_refused)
{
	OWNED_ORDER order = make_order(0x14, profiles[0]);
	struct bytes der = { NULL, 0 };
	struct journal_issued found;
	struct err err = { 0 };

	spoil(&order, spoiled[_i].spoil);
	ck_assert_msg(issue(&order, &der, &err) == -1, "%s",
	    spoiled[_i].name);
	ck_assert_msg(err.kind == spoiled[_i].kind, "%s: %s",
	    spoiled[_i].name, err.text);
	ck_assert_int_eq(journal_find(users->journal, &order.serial, &found,
	    &err), 1);
}
END_TEST

START_TEST(a_responder_is_named_by_the_signer)
{
	OWNED_ORDER order = make_order(0x15, profile_ocsp_responder());
	OWNED_BYTES der = { NULL, 0 };
	OWNED(X509) *cert = NULL;
	char name[128];
	struct err err = { 0 };

	ck_assert_msg(issue(&order, &der, &err) == 0, "%s (%s)", err.text,
	    err.detail);
	cert = read_cert(der);
	X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName,
	    name, sizeof(name));
	ck_assert_str_eq(name, "Example CA OCSP responder");
	X509_NAME_get_text_by_NID(X509_get_subject_name(cert),
	    NID_organizationName, name, sizeof(name));
	ck_assert_str_eq(name, "Example");
	ck_assert_int_eq(X509_NAME_entry_count(X509_get_subject_name(cert)),
	    2);
	ck_assert_uint_eq(X509_get_extended_key_usage(cert), XKU_OCSP_SIGN);
	ck_assert_int_ge(X509_get_ext_by_NID(cert, NID_id_pkix_OCSP_noCheck,
	    -1), 0);
}
END_TEST

START_TEST(a_responder_certificate_is_short_lived)
{
	OWNED_ORDER order = make_order(0x16, profile_ocsp_responder());
	struct bytes der = { NULL, 0 };
	struct err err = { 0 };

	order.not_after = NOON + 15 * DAY;
	ck_assert_int_eq(issue(&order, &der, &err), -1);
}
END_TEST

/* --- the desk: frames in, frames out -------------------------------------- */
static struct channel *near_end, *far_end;
static struct signer_desk *desk;

static void
open_desk(void)
{
	struct err err = { 0 };
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	near_end = channel_new(fds[0], "signer", 1 << 20, 1 << 20);
	far_end = channel_new(fds[1], "registrar", WIRE_MAX_ISSUE, 1 << 20);
	ck_assert_int_eq(signer_desk_new(&signer, far_end, &desk, &err), 0);
}

static void
close_desk(void)
{
	signer_desk_free(desk);
	channel_free(near_end);
	channel_free(far_end);
}

/* As long as there is something to read: a descriptor splits the stream. */
static void
serve(void)
{
	struct pollfd p = { channel_fd(far_end), POLLIN, 0 };
	struct err err = { 0 };

	while (poll(&p, 1, 0) == 1)
		ck_assert_msg(signer_desk_serve(desk, &err) == 0, "%s",
		    err.text);
}

static struct frame
await(void)
{
	struct frame frame;
	struct err err = { 0 };

	ck_assert_msg(channel_await(near_end, 5000, &frame, &err) == 0, "%s",
	    err.text);
	return frame;
}

static void
send_order(uint8_t serial)
{
	OWNED_ORDER order = make_order(serial, profiles[0]);
	OWNED_BUF(octets, 65536);
	struct err err = { 0 };

	if (serial == 0xee)
		order.profile_digest[0] ^= 1;
	ck_assert_int_eq(order_encode(&order, &octets), 0);
	ck_assert_int_eq(channel_send(near_end, WIRE_ISSUE,
	    buf_bytes(&octets), -1, &err), 0);
}

START_TEST(all_that_waits_is_synced_and_answered_in_order)
{
	static const uint8_t serials[] = { 0x21, 0x22, 0xee, 0x23, 0x21 };
	struct err err = { 0 };

	open_desk();
	for (size_t i = 0; i < sizeof(serials); i++)
		send_order(serials[i]);
	serve();
	ck_assert(!journal_is_dirty(users->journal));
	for (size_t i = 0; i < sizeof(serials); i++) {
		struct frame frame = await();
		struct wire_issued issued;
		struct wire_refused refused;

		if (serials[i] == 0xee) {
			ck_assert_int_eq(wire_get_refused(&frame, &refused,
			    &err), 0);
			ck_assert_int_eq(refused.kind, ERR_FAULT);
			ck_assert_uint_eq(refused.serial.octets[0], 0xee);
			continue;
		}
		/* Each order has a request of its own: the last one is not
		 * the first again, and is refused. */
		if (i == 4) {
			ck_assert_int_eq(frame.type, WIRE_REFUSED);
			continue;
		}
		ck_assert_int_eq(wire_get_issued(&frame, &issued, &err), 0);
		ck_assert_str_eq(issued.ca, USERS);
		ck_assert_uint_eq(issued.serial.octets[0], serials[i]);
		X509_free(read_cert(issued.der));
	}
	close_desk();
}
END_TEST

START_TEST(a_crl_is_written_to_the_descriptor_that_came)
{
	struct wire_crl_open crl = { .ca = USERS,
		.terms = { .number = 1, .this_update = NOON,
		    .next_update = NOON + 7 * DAY } };
	struct crl_entry entry = { .serial = { { 0x21 }, 1 },
		.revoked_at = NOON, .reason = CRL_SUPERSEDED };
	int fd = memfd_create("crl", 0);
	OWNED_HEAP(uint8_t) *der = malloc(65536);
	OWNED(X509_CRL) *got = NULL;
	struct wire_crl_done done;
	struct err err = { 0 };
	struct frame frame;
	const uint8_t *at = der;
	ssize_t len;

	open_desk();
	ck_assert_int_eq(wire_send_crl_open(near_end, &crl, dup(fd), &err), 0);
	ck_assert_int_eq(wire_send_crl_entries(near_end, &entry, 1, &err), 0);
	ck_assert_int_eq(wire_send_crl_close(near_end, &err), 0);
	serve();
	frame = await();
	ck_assert_int_eq(wire_get_crl_done(&frame, &done, &err), 0);
	ck_assert_uint_eq(done.number, 1);
	len = pread(fd, der, 65536, 0);
	got = d2i_X509_CRL(NULL, &at, len);
	ck_assert_int_eq(X509_CRL_verify(got, X509_get0_pubkey(users->cert)),
	    1);
	ck_assert_uint_eq(journal_last_crl(users->journal).number, 1);

	/* The same number is never used again. */
	ck_assert_int_eq(wire_send_crl_open(near_end, &crl, dup(fd), &err), 0);
	ck_assert_int_eq(wire_send_crl_close(near_end, &err), 0);
	serve();
	frame = await();
	ck_assert_int_eq(frame.type, WIRE_REFUSED);
	close(fd);
	close_desk();
}
END_TEST

/* The list that comes of these terms. */
static X509_CRL *
make_crl(const struct crl_terms *terms)
{
	struct wire_crl_open crl = { .ca = USERS, .terms = *terms };
	int fd = memfd_create("crl", 0);
	OWNED_HEAP(uint8_t) *der = malloc(65536);
	struct err err = { 0 };
	struct frame frame;
	const uint8_t *at = der;
	X509_CRL *got;

	ck_assert_int_eq(wire_send_crl_open(near_end, &crl, dup(fd), &err), 0);
	ck_assert_int_eq(wire_send_crl_close(near_end, &err), 0);
	serve();
	frame = await();
	ck_assert_int_eq(frame.type, WIRE_CRL_DONE);
	got = d2i_X509_CRL(NULL, &at, pread(fd, der, 65536, 0));
	close(fd);
	return got;
}

/* The octets of a distribution point's address in an extension, or none. */
static const char *
address_in(const ASN1_OCTET_STRING *value, char *out, size_t size)
{
	struct bytes octets = { ASN1_STRING_get0_data(value),
		(size_t)ASN1_STRING_length(value) };
	size_t at = bytes_find(octets, bytes_of("http://"));

	ck_assert_uint_ne(at, (size_t)-1);
	snprintf(out, size, "%.*s", (int)(octets.len - at),
	    (const char *)octets.data + at);
	return out;
}

static const char *
address_of_crl(const X509_CRL *crl, int nid, char *out, size_t size)
{
	int at = X509_CRL_get_ext_by_NID(crl, nid, -1);

	return at < 0 ? "" : address_in(X509_EXTENSION_get_data(
	    X509_CRL_get_ext(crl, at)), out, size);
}

/* RFC 5280, 5.2.5. "{ca}" is the CA's file name. */
START_TEST(a_certificate_and_the_crl_of_its_shard_name_one_address)
{
	static char pattern[] = "http://crl.example.test/{ca}.crl";
	OWNED_ORDER order = make_order(0x11, profiles[0]);
	OWNED_BYTES der = { NULL, 0 };
	struct crl_terms terms = { .number = 1, .this_update = NOON,
		.next_update = NOON + 7 * DAY, .shard = 3 };
	OWNED(X509) *cert = NULL;
	OWNED(X509_CRL) *full = NULL, *delta = NULL, *other = NULL;
	char a[128], b[128];
	struct err err = { 0 };

	users->issuer.crl_url = ca_settings[1].crl_url = pattern;
	ca_settings[1].delta_interval_s = 3600;
	order.shard = 3;
	ck_assert_msg(issue(&order, &der, &err) == 0, "%s (%s)", err.text,
	    err.detail);
	cert = read_cert(der);
	address_in(X509_EXTENSION_get_data(X509_get_ext(cert,
	    X509_get_ext_by_NID(cert, NID_crl_distribution_points, -1))), a,
	    sizeof(a));
	ck_assert_str_eq(a,
	    "http://crl.example.test/example.com@users.3.crl");

	open_desk();
	full = make_crl(&terms);
	ck_assert_str_eq(address_of_crl(full, NID_issuing_distribution_point,
	    b, sizeof(b)), a);
	ck_assert_str_eq(address_of_crl(full, NID_freshest_crl, b, sizeof(b)),
	    "http://crl.example.test/example.com@users.3.delta.crl");
	terms.number = 2;
	terms.base = 1;
	delta = make_crl(&terms);
	ck_assert_str_eq(address_of_crl(delta, NID_issuing_distribution_point,
	    b, sizeof(b)), a);
	ck_assert_str_eq(address_of_crl(delta, NID_freshest_crl, b,
	    sizeof(b)), "");
	/* That of everything names no place. */
	terms = (struct crl_terms){ .number = 3, .this_update = NOON,
		.next_update = NOON + 7 * DAY };
	other = make_crl(&terms);
	ck_assert_str_eq(address_of_crl(other, NID_issuing_distribution_point,
	    b, sizeof(b)), "");
	close_desk();
}
END_TEST

START_TEST(a_shard_without_an_address_of_its_own_is_refused)
{
	struct wire_crl_open crl = { .ca = USERS,
		.terms = { .number = 1, .this_update = NOON,
		    .next_update = NOON + DAY, .shard = 1 } };
	struct err err = { 0 };
	struct frame frame;

	open_desk();
	ck_assert_int_eq(wire_send_crl_open(near_end, &crl, dup(0), &err), 0);
	ck_assert_int_eq(wire_send_crl_close(near_end, &err), 0);
	serve();
	frame = await();
	ck_assert_int_eq(frame.type, WIRE_REFUSED);
	close_desk();
}
END_TEST

/* By the parent's journal, whatever the registrar says later. */
START_TEST(a_revoked_ca_signs_no_more_also_after_a_restart)
{
	struct wire_revoked revoked = { .ca = ROOT,
		.entry = { .revoked_at = NOON, .reason = CRL_CA_COMPROMISE } };
	struct crl_terms terms = { .number = 1, .this_update = NOON,
		.next_update = NOON + DAY };
	OWNED_BYTES der = { NULL, 0 };
	struct err err = { 0 };

	open_desk();
	ck_assert_int_eq(signer_open_ca(&signer, signer_ca_by_name(&signer,
	    ROOT), bytes_of("wrong"), &err), -1);
	ck_assert_int_eq(serial_from_asn1(X509_get0_serialNumber(users->cert),
	    &revoked.entry.serial, &err), 0);
	for (int i = 0; i < 2; i++) {
		OWNED_ORDER order = make_order((uint8_t)(0x31 + i),
		    profiles[0]);

		if (i == 0) {
			ck_assert_int_eq(issue(&order, &der, &err), 0);
			ck_assert_int_eq(wire_send_revoked(near_end, &revoked,
			    &err), 0);
			serve();
			order.serial.octets[15] ^= 1;
		}
		err = (struct err){ 0 };
		ck_assert_int_eq(issue(&order, &der, &err), -1);
		ck_assert_int_eq(err.kind, ERR_REJECT);
		/* But what it has revoked, it goes on to say. */
		terms.number++;
		X509_CRL_free(make_crl(&terms));
		close_desk();
		signer_free_contents(&signer);
		open_signer();
		signer_open_ca(&signer, signer_ca_by_name(&signer, ROOT),
		    bytes_of("wrong"), &err);
		open_desk();
	}
	ck_assert(users->revoked);
	close_desk();
}
END_TEST

START_TEST(a_revocation_goes_to_the_journal)
{
	struct wire_revoked revoked = { .ca = ROOT,
		.entry = { .serial = { { 0x21 }, 1 }, .revoked_at = NOON } };
	struct err err = { 0 };

	open_desk();
	/* Also where the key is shut. */
	ck_assert_int_eq(signer_open_ca(&signer, signer_ca_by_name(&signer,
	    ROOT), bytes_of("wrong"), &err), -1);
	ck_assert_int_eq(wire_send_revoked(near_end, &revoked, &err), 0);
	strcpy(revoked.ca, USERS);
	ck_assert_int_eq(wire_send_revoked(near_end, &revoked, &err), 0);
	serve();
	ck_assert(!journal_is_dirty(users->journal));
	ck_assert_int_eq(channel_await(near_end, 0, &(struct frame){ 0 },
	    &err), -1);	/* no answer */
	close_desk();
}
END_TEST

/* Whatever the registrar says later; also where another CA knew it. */
static const struct {
	const char	*ca;		/* in whose journal it is; "": all */
} where_blocked[] = { { "" }, { ROOT }, { USERS } };

START_TEST(a_blocked_key_is_refused_also_after_a_restart)
{
	OWNED_ORDER before = make_order(0x41, profiles[0]);
	OWNED_ORDER after = make_order(0x42, profiles[0]);
	OWNED_BYTES first = { NULL, 0 }, none = { NULL, 0 };
	OWNED_STRUCT(csr) *csr = NULL;
	struct wire_blocked m = { .at = NOON };
	struct journal_blocked key = { .at = NOON };
	struct signer_ca *ca;
	struct err err = { 0 };

	open_desk();
	ck_assert_int_eq(signer_open_ca(&signer, signer_ca_by_name(&signer,
	    ROOT), (struct bytes){ NULL, 0 }, &err), -1);
	ck_assert_int_eq(csr_read(after.csr, &csr, &err), 0);
	memcpy(m.spki_sha256, csr->key.spki_sha256, 32);
	memcpy(key.spki_sha256, csr->key.spki_sha256, 32);
	ck_assert_int_eq(issue(&before, &first, &err), 0);
	ca = signer_ca_by_name(&signer, where_blocked[_i].ca);
	if (ca == NULL)
		ck_assert_int_eq(wire_send_blocked(near_end, &m, &err), 0);
	else
		ck_assert_int_eq(journal_append_blocked(ca->journal, &key,
		    &err), 0);
	ck_assert_int_eq(journal_sync(users->journal, &err), 0);
	if (ca == NULL)
		serve();
	for (int i = 0; i < 2; i++) {
		OWNED_BYTES again = { NULL, 0 };

		err = (struct err){ 0 };
		ck_assert_int_eq(issue(&after, &none, &err), -1);
		ck_assert_int_eq(err.kind, ERR_REJECT);
		ck_assert_ptr_nonnull(strstr(err.text, "is blocked"));
		/* What was signed before is there. */
		ck_assert_int_eq(issue(&before, &again, &err), 0);
		ck_assert(bytes_equal(first, again));
		for (size_t j = 0; j < signer.n_cas; j++) {
			ck_assert_int_eq(journal_is_blocked(
			    signer.cas[j].journal, m.spki_sha256, &err),
			    ca != NULL && ca != &signer.cas[j]);
			ck_assert_int_eq(journal_sync(signer.cas[j].journal,
			    &err), 0);
		}
		close_desk();
		if (i == 1)
			break;
		signer_free_contents(&signer);
		open_signer();
		signer_open_ca(&signer, signer_ca_by_name(&signer, ROOT),
		    (struct bytes){ NULL, 0 }, &err);
		if (ca != NULL)
			ca = signer_ca_by_name(&signer,
			    where_blocked[_i].ca);
		open_desk();
	}
	/* Another key is none of it. */
	EVP_PKEY_free(user_key);
	user_key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	order_free_contents(&after);
	after = make_order(0x43, profiles[0]);
	ck_assert_int_eq(issue(&after, &none, &err), 0);
}
END_TEST

START_TEST(a_key_that_was_compromised_is_refused_by_its_revocation_alone)
{
	OWNED_ORDER order = make_order(0x51, profiles[0]);
	OWNED_BYTES der = { NULL, 0 }, none = { NULL, 0 };
	struct wire_revoked revoked = { .ca = USERS, .entry = {
		.serial = order.serial, .revoked_at = NOON,
		.reason = CRL_KEY_COMPROMISE } };
	struct err err = { 0 };

	open_desk();
	ck_assert_int_eq(issue(&order, &der, &err), 0);
	ck_assert_int_eq(wire_send_revoked(near_end, &revoked, &err), 0);
	serve();
	order.serial.octets[15] ^= 1;
	ck_assert_int_eq(issue(&order, &none, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	close_desk();
}
END_TEST

static const struct {
	const char	*name;
	uint16_t	 type;
	size_t		 len;
	bool		 undecoded;	/* refused by the table of verbs */
} bad_frames[] = {
	{ "an unknown type", 999, 0, true },
	{ "a type for others", WIRE_SUBMIT, 10, true },
	{ "an order that is none", WIRE_ISSUE, 10, false },
	{ "an end of no CRL", WIRE_CRL_CLOSE, 0, false },
	{ "an end with a payload", WIRE_CRL_CLOSE, 1, true },
	{ "a CRL without a descriptor", WIRE_CRL_OPEN, 102, false },
	{ "a revocation, broken", WIRE_REVOKED, 1024, false },
	{ "a revocation that is too long", WIRE_REVOKED, 1025, true },
	{ "a blocked key, cut short", WIRE_BLOCKED, 39, false },
	{ "a blocked key that is too long", WIRE_BLOCKED, 41, true },
};

START_TEST(a_frame_against_the_rules_ends_the_signer)
{
	static const uint8_t zeros[2048];
	struct err err = { 0 };

	open_desk();
	ck_assert_int_eq(channel_send(near_end, bad_frames[_i].type,
	    (struct bytes){ zeros, bad_frames[_i].len }, -1, &err), 0);
	ck_assert_msg(signer_desk_serve(desk, &err) == -1, "%s",
	    bad_frames[_i].name);
	ck_assert_int_eq(err.kind, ERR_FAULT);
	ck_assert_int_eq(strstr(err.text, "frame of type") != NULL,
	    bad_frames[_i].undecoded);
	close_desk();
}
END_TEST

/* --- ceremonies -------------------------------------------------------------- */
static int
see_ca(const struct ca_row *row, void *arg)
{
	(void)row;
	++*(int *)arg;
	return 0;
}

static int
see_cert(const struct cert_row *row, void *arg)
{
	ck_assert_int_eq(row->state, CERT_ISSUED);
	++*(int *)arg;
	return 0;
}

START_TEST(a_ceremony_leaves_a_whole_ca)
{
	OWNED(X509) *cert = X509_dup(users->cert);
	struct serial serial;
	struct stat st;
	char path[128];
	struct err err = { 0 };
	int n = 0;

	ck_assert_int_eq(store_each_ca(store, see_ca, &n, &err), 0);
	ck_assert_int_eq(n, 2);
	n = 0;
	serial_from_asn1(X509_get0_serialNumber(cert), &serial, &err);
	ck_assert_int_eq(store_find_certificate(store, 0, &serial, see_cert,
	    &n, &err), 0);
	ck_assert_int_eq(n, 1);
	ck_assert_int_eq(X509_get_pathlen(cert), 0);
	snprintf(path, sizeof(path), "%s/keys/example.com@users.key", folder);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	snprintf(path, sizeof(path), "%s/keys", folder);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	snprintf(path, sizeof(path), "%s/published/example.com@users.pem",
	    folder);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0644);
}
END_TEST

START_TEST(a_ca_is_made_once)
{
	struct ceremony_ca ca = wish(ROOT);
	struct err err = { 0 };

	ck_assert_int_eq(ceremony_create_root(&ceremony, &ca, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ca = wish(USERS);
	ck_assert_int_eq(ceremony_create_child(&ceremony, &ca, &root, &err),
	    -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
}
END_TEST

static const char *const bad_names[] = { "", "/x", "a/b/c", "..", "a b",
	"x/../y" };

START_TEST(a_bad_name_makes_no_ca)
{
	struct ceremony_ca ca = wish(bad_names[_i]);
	struct err err = { 0 };

	ck_assert_int_eq(ceremony_create_root(&ceremony, &ca, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
}
END_TEST

START_TEST(no_ca_below_path_length_zero)
{
	struct ceremony_ca ca = wish("below");
	struct ceremony_parent parent = root;
	struct err err = { 0 };

	signer_free_contents(&signer);	/* it holds the journal */
	parent.name = USERS;
	ck_assert_int_eq(ceremony_create_child(&ceremony, &ca, &parent, &err),
	    -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
}
END_TEST

START_TEST(a_parent_in_use_by_the_signer_must_be_let_go)
{
	struct ceremony_ca ca = wish("below");
	struct err err = { 0 };

	ck_assert_int_eq(signer_open_ca(&signer, signer_ca_by_name(&signer,
	    ROOT), bytes_of("secret"), &err), 0);
	ck_assert_int_eq(ceremony_create_child(&ceremony, &ca, &root, &err),
	    -1);
	ck_assert_int_eq(err.kind, ERR_RETRY);
	signer_free_contents(&signer);
	ck_assert_int_eq(ceremony_create_child(&ceremony, &ca, &root, &err),
	    0);
}
END_TEST

/* Each file that a ceremony cut off would not have written yet. */
START_TEST(a_ceremony_that_was_cut_off_is_completed)
{
	static const char *const later[] = { "published/other.crt",
		"published/other.pem", "journal/other.journal" };
	OWNED_STRUCT(store) *empty = NULL;
	struct ceremony_ca ca = wish("other");
	struct ceremony again = ceremony;
	char path[128];
	struct err err = { 0 };
	int n = 0;

	/* Made with a second store that then "never was". */
	snprintf(path, sizeof(path), "%s/second.db", folder);
	ck_assert_int_eq(store_open(path, STORE_READ_WRITE, &empty, &err), 0);
	again.store = empty;
	ck_assert_int_eq(ceremony_create_root(&again, &ca, &err), 0);
	for (int i = 0; i < _i; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, later[i]);
		ck_assert_int_eq(unlink(path), 0);
	}
	ca.passphrase = bytes_of("not it");
	ck_assert_int_eq(ceremony_create_root(&ceremony, &ca, &err), -1);
	ca.passphrase = bytes_of("secret");
	ck_assert_msg(ceremony_create_root(&ceremony, &ca, &err) == 0,
	    "%s (%s)", err.text, err.detail);
	ck_assert_int_eq(store_find_ca(store, "other", see_ca, &n, &err), 0);
	ck_assert_int_eq(n, 1);
}
END_TEST

/* The parent's journal knows the certificate, nobody else does. */
START_TEST(a_certificate_that_was_signed_is_not_signed_again)
{
	struct ceremony_ca ca = wish("other");
	struct ceremony again = ceremony;
	OWNED_STRUCT(store) *second = NULL;
	OWNED(X509) *cert = NULL;
	struct serial before = { .len = 0 }, after;
	char path[128];
	struct err err = { 0 };
	FILE *f;

	signer_free_contents(&signer);
	snprintf(path, sizeof(path), "%s/second.db", folder);
	ck_assert_int_eq(store_open(path, STORE_READ_WRITE, &second, &err), 0);
	again.store = second;
	{
		struct ceremony_ca root_ca = wish(ROOT);

		/* The second store learns of the root from what is there. */
		ck_assert_int_eq(ceremony_create_root(&again, &root_ca, &err),
		    0);
	}
	for (int i = 0; i < 2; i++) {
		if (i == 1)
			again.store = store;
		ck_assert_msg(ceremony_create_child(&again, &ca, &root,
		    &err) == 0, "%s (%s)", err.text, err.detail);
		snprintf(path, sizeof(path), "%s/published/other.crt", folder);
		f = fopen(path, "r");
		cert = d2i_X509_fp(f, NULL);
		fclose(f);
		serial_from_asn1(X509_get0_serialNumber(cert), &after, &err);
		X509_free(TAKE(cert));
		if (i == 0)
			before = after;
		ck_assert_int_eq(unlink(path), 0);
	}
	ck_assert(serial_equal(&before, &after));
}
END_TEST

START_TEST(as_root_the_files_belong_to_their_roles)
{
	static const struct {
		const char	*file;
		uid_t		 uid;
	} want[] = {
		{ "a/keys", 1111 }, { "a/keys/other.key", 1111 },
		{ "a/journal", 1111 }, { "a/journal/other.journal", 1111 },
		{ "a/published", 2222 }, { "a/published/other.crt", 2222 },
		{ "a/published/other.pem", 2222 },
		{ "a/keys/below.key", 1111 }, { "a/published/below.crt", 2222 },
	};
	struct ceremony_ca ca = wish("other");
	struct ceremony_parent parent = root;
	struct ceremony other = ceremony;
	char path[128];
	struct stat st;
	struct err err = { 0 };

	if (geteuid() != 0)
		return;		/* only root has files for others */
	snprintf(path, sizeof(path), "%s/a", folder);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	other.state_dir = path;
	other.sign_uid = 1111;
	other.sign_gid = 1112;
	other.store_uid = 2222;
	other.store_gid = 2223;
	ck_assert_msg(ceremony_create_root(&other, &ca, &err) == 0,
	    "%s (%s)", err.text, err.detail);
	ca = wish("below");
	parent.name = "other";
	ck_assert_msg(ceremony_create_child(&other, &ca, &parent, &err) == 0,
	    "%s (%s)", err.text, err.detail);
	ck_assert_uint_eq(geteuid(), 0);
	for (int i = 0; i < ROWS(want); i++) {
		char file[256];

		snprintf(file, sizeof(file), "%s/%s", folder, want[i].file);
		ck_assert_int_eq(stat(file, &st), 0);
		ck_assert_msg(st.st_uid == want[i].uid, "%s", file);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("signer");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, an_order_becomes_a_certificate);
	tcase_add_test(tc, the_same_order_again_gives_the_recorded_certificate);
	tcase_add_test(tc, another_order_with_a_used_serial_is_refused);
	tcase_add_loop_test(tc, what_must_not_be_is_refused, 0, ROWS(spoiled));
	tcase_add_test(tc, a_responder_is_named_by_the_signer);
	tcase_add_test(tc, a_responder_certificate_is_short_lived);
	tcase_add_test(tc, all_that_waits_is_synced_and_answered_in_order);
	tcase_add_test(tc, a_crl_is_written_to_the_descriptor_that_came);
	tcase_add_test(tc,
	    a_certificate_and_the_crl_of_its_shard_name_one_address);
	tcase_add_test(tc, a_shard_without_an_address_of_its_own_is_refused);
	tcase_add_test(tc, a_revoked_ca_signs_no_more_also_after_a_restart);
	tcase_add_test(tc, a_revocation_goes_to_the_journal);
	tcase_add_loop_test(tc, a_blocked_key_is_refused_also_after_a_restart,
	    0, ROWS(where_blocked));
	tcase_add_test(tc,
	    a_key_that_was_compromised_is_refused_by_its_revocation_alone);
	tcase_add_loop_test(tc, a_frame_against_the_rules_ends_the_signer, 0,
	    ROWS(bad_frames));
	tcase_add_test(tc, a_ceremony_leaves_a_whole_ca);
	tcase_add_test(tc, a_ca_is_made_once);
	tcase_add_loop_test(tc, a_bad_name_makes_no_ca, 0, ROWS(bad_names));
	tcase_add_test(tc, no_ca_below_path_length_zero);
	tcase_add_test(tc, a_parent_in_use_by_the_signer_must_be_let_go);
	tcase_add_loop_test(tc, a_ceremony_that_was_cut_off_is_completed, 0,
	    4);
	tcase_add_test(tc, a_certificate_that_was_signed_is_not_signed_again);
	tcase_add_test(tc, as_root_the_files_belong_to_their_roles);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
